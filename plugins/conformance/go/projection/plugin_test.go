package main

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"

	"polyfold"
	"polyfold/cbor"
	"polyfold/polyfoldtest"
)

func apply(t *testing.T, payloads ...any) *polyfoldtest.Harness {
	t.Helper()
	harness := &polyfoldtest.Harness{Parameters: `{"a":1}`}
	for _, payload := range payloads {
		if err := harness.Apply(conformance{}, polyfoldtest.EventOf("probe", payload)); err != nil {
			t.Fatal(err)
		}
	}
	return harness
}

type object = map[string]any

func TestEchoKeepsEveryValue(t *testing.T) {
	values := []any{uint64(math.MaxUint64), int64(math.MinInt64), 1.0, math.Copysign(0, -1), "\U0001f600", []byte{255}, object{}, nil, true}
	for _, value := range values {
		raw, _ := cbor.Marshal(value)
		got := apply(t, object{"op": "echo", "key": "k", "value": value}).Entries["echo/k"]
		if string(got) != string(raw) {
			t.Errorf("%v: %x", value, got)
		}
	}
}

func TestSumsKeepWhatTheyAre(t *testing.T) {
	one := object{"op": "sum", "key": "k", "int": int64(1) << 62, "float": math.Copysign(0, -1)}
	harness := apply(t, one)
	if got := hex.EncodeToString(harness.Entries["sum/k"]); got != "a363696e741b400000000000000065636f756e740165666c6f6174f98000" {
		t.Error(got)
	}
	err := harness.Apply(conformance{}, polyfoldtest.EventOf("probe", one))
	if err == nil || err.Error() != "sum/k does not fit 64 bits" {
		t.Error(err)
	}
	apply(t, object{"op": "sum", "key": "k", "int": -1, "float": 1.0}, object{"op": "sum", "key": "k", "int": uint64(1) << 63, "float": 1.0})
}

func TestDivisionFloatsAndSizes(t *testing.T) {
	harness := apply(t,
		object{"op": "divide", "key": "a", "a": -7, "b": 2},
		object{"op": "divide", "key": "b", "a": math.MinInt64, "b": -1},
		object{"op": "floats", "key": "a", "values": []float64{0, math.Copysign(0, -1)}},
		object{"op": "floats", "key": "b", "values": []float64{1, math.NaN()}},
		object{"op": "text", "value": "e\u0301\U0001f600"},
		object{"op": "fill", "prefix": "p", "count": 25},
		object{"op": "scan", "prefix": "fill/", "page": 10},
		object{"op": "write", "entries": []any{[]any{"a", 1}, []any{"b", "x"}, []any{"a"}}},
		object{"op": "many", "keys": []string{"a", "b"}},
		object{"op": "parameters"},
		object{"op": "log", "level": "warn", "message": "100%"},
	)
	harness.Apply(conformance{}, polyfoldtest.EventOf("probe", object{"op": "large", "key_bytes": 1024, "value_bytes": 1 << 20, "seed": 7}))
	zeros, _ := polyfoldtest.Get[numbers](harness, "floats/a")
	nans, _ := polyfoldtest.Get[numbers](harness, "floats/b")
	if !math.Signbit(zeros.Min) || math.Signbit(zeros.Max) || nans.Min == nans.Min || nans.Max == nans.Max {
		t.Error(zeros, nans)
	}
	expected := []string{`divide/a {"quotient":-3,"remainder":-1}`, `divide/b {"quotient":9223372036854775808,"remainder":0}`}
	if got := harness.Scan("divide"); !slices.Equal(got, expected) {
		t.Error(got)
	}
	if got := harness.Scan("text/"); got[0] != "text/e\u0301\U0001f600"+` {"bytes":7,"code_points":3}` {
		t.Error(got)
	}
	if got := harness.Scan("many/"); got[0] != `many/9 {"bytes":2,"found":1}` {
		t.Error(got)
	}
	if got := harness.Scan("parameters"); got[0] != `parameters "{\"a\":1}"` {
		t.Error(got)
	}
	if harness.Logs[0] != (polyfoldtest.Logged{Level: polyfold.LevelWarn, Message: "100%"}) {
		t.Error(harness.Logs)
	}
	if got := harness.Entries["large/"+strings.Repeat("k", 1018)]; len(got) != 1<<20 || got[1005] != (1000*31+7)%256 {
		t.Error(len(got))
	}
}

func TestRefusalsHaveExactlyTheirText(t *testing.T) {
	for message, payload := range map[string]any{
		"no %s":            object{"op": "fail", "message": "no %s"},
		"unknown op other": object{"op": "other"},
		"division by zero": object{"op": "divide", "key": "k", "a": 1, "b": 0},
		"no values":        object{"op": "floats", "key": "k", "values": []any{}},
	} {
		err := new(polyfoldtest.Harness).Apply(conformance{}, polyfoldtest.EventOf("probe", payload))
		if err == nil || err.Error() != message {
			t.Error(err)
		}
	}
}
