package cbor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

// RFC 8949, appendix A, and the edges of each length.
var examples = []struct {
	value any
	hex   string
}{
	{int64(0), "00"},
	{int64(23), "17"},
	{int64(24), "1818"},
	{int64(255), "18ff"},
	{int64(256), "190100"},
	{int64(65536), "1a00010000"},
	{int64(1)<<53 + 1, "1b0020000000000001"},
	{uint64(math.MaxUint64), "1bffffffffffffffff"},
	{int64(-1), "20"},
	{int64(math.MinInt64), "3b7fffffffffffffff"},
	{Negative(math.MaxUint64), "3bffffffffffffffff"},
	{0.0, "f90000"},
	{math.Copysign(0, -1), "f98000"},
	{1.0, "f93c00"},
	{1.1, "fb3ff199999999999a"},
	{65504.0, "f97bff"},
	{65505.0, "fa477fe100"},
	{100000.0, "fa47c35000"},
	{3.4028234663852886e38, "fa7f7fffff"},
	{1e300, "fb7e37e43c8800759c"},
	{5.960464477539063e-8, "f90001"},
	{6.097555160522461e-05, "f903ff"},
	{math.Ldexp(1, -25), "fa33000000"},
	{5e-324, "fb0000000000000001"},
	{math.Inf(1), "f97c00"},
	{math.Inf(-1), "f9fc00"},
	{false, "f4"},
	{true, "f5"},
	{nil, "f6"},
	{Simple(23), "f7"},
	{Simple(255), "f8ff"},
	{Tag{1, int64(1363896240)}, "c11a514b67b0"},
	{[]byte{1, 2}, "420102"},
	{"\u00fc", "62c3bc"},
	{"\U00010151", "64f0908591"},
	{[]any{}, "80"},
	{[]any{int64(1), []any{int64(2), int64(3)}}, "8201820203"},
	{map[string]any{}, "a0"},
	{map[string]any{"b": int64(1), "aa": int64(2), "a": int64(3)}, "a361610361620162616102"},
	{Pairs{{int64(1), "a"}, {1.0, "b"}}, "a2016161f93c006162"},
}

func TestValuesHaveOneFormAndComeBackFromIt(t *testing.T) {
	for _, each := range examples {
		written, err := Marshal(each.value)
		if got := hex.EncodeToString(written); err != nil || got != each.hex {
			t.Errorf("%v: %s, expected %s (%v)", each.value, got, each.hex, err)
		}
		var back any
		if err := Unmarshal(written, &back); err != nil || !reflect.DeepEqual(back, each.value) {
			t.Errorf("%s: %#v (%v)", each.hex, back, err)
		}
	}
	for _, nan := range []string{"f97e00", "fa7fc00001", "fbfff8000000000001"} {
		var back any
		bytes, _ := hex.DecodeString(nan)
		if err := Unmarshal(bytes, &back); err != nil {
			t.Error(err)
		}
		if written, _ := Marshal(back); hex.EncodeToString(written) != "f97e00" {
			t.Errorf("%s became %x", nan, written)
		}
	}
}

func TestWhatIsMalformedIsAnError(t *testing.T) {
	forms := "|18|1bff|62c3|61ff|5803aabb|9bffffffffffffffff|bbffffffffffffffff00|a2616101616102|1c|5f|9f01ff|ff|f818|fc|0000|f9|fb00|c1|7bffffffffffffffff"
	for form := range strings.SplitSeq(forms, "|") {
		bytes, _ := hex.DecodeString(form)
		var back any
		if err := Unmarshal(bytes, &back); err == nil {
			t.Errorf("%s became %v", form, back)
		}
	}
}

func TestNestingHasABound(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x81}, DepthMax), 0)
	var back any
	if err := Unmarshal(deep, &back); err != nil {
		t.Error(err)
	}
	if written, err := Marshal(back); err != nil || !bytes.Equal(written, deep) {
		t.Error(err)
	}
	for _, head := range []byte{0x81, 0xc1} {
		if err := Unmarshal(append(bytes.Repeat([]byte{head}, 100_000), 0), &back); !errors.Is(err, errDepth) {
			t.Error(err)
		}
	}
	type list []list
	var lists list
	if err := Unmarshal(append(bytes.Repeat([]byte{0x81}, DepthMax), 0x80), &lists); !errors.Is(err, errDepth) {
		t.Error(err)
	}
	var value any = 1
	for range DepthMax + 1 {
		value = []any{value}
	}
	if _, err := Marshal(value); err == nil {
		t.Error("too deep a value was written")
	}
}

func TestRandomBytesAreAValueOrAnError(t *testing.T) {
	type all struct {
		A int8
		B []map[string]*uint16
		C Raw
		D any
	}
	dice := rand.New(rand.NewSource(7))
	for range 200_000 {
		data := make([]byte, dice.Intn(16))
		dice.Read(data)
		var back any
		if Unmarshal(data, &back) == nil {
			if _, err := Marshal(back); err != nil && !strings.Contains(err.Error(), "twice") {
				t.Errorf("%x: %v", data, err)
			}
		}
		var typed all
		_ = Unmarshal(append([]byte{0xa4, 0x61, 'a'}, data...), &typed)
		// What is passed over is as long as what is read.
		in, other := reader{data: data}, reader{data: data}
		if _, err := in.any(); err == nil && (other.skip() != nil || other.at != in.at) {
			t.Errorf("%x: %d bytes are read, %d passed over", data, in.at, other.at)
		}
		short := reader{data: data}
		if short.skipShort() {
			other = reader{data: data}
			if other.skip() != nil || other.at != short.at {
				t.Errorf("%x is no short item of %d bytes", data, short.at)
			}
		}
	}
}

type inner struct {
	Name  string
	Delay float32
}

type outer struct {
	OrderID  string
	AirTime  int16
	Inner    inner
	List     []inner
	ByName   map[string]int
	Pointer  *uint8
	Note     string `cbor:"remark,optional"`
	Raw      Raw
	Any      any
	Bytes    []byte
	Is       bool
	Left     int `cbor:"-"`
	unlisted int
}

func TestStructsAreMapsInCanonicalOrder(t *testing.T) {
	five := uint8(5)
	value := outer{
		OrderID: "o", AirTime: -300, Inner: inner{"i", 1.5}, List: []inner{{"a", 0}, {"b", 2}}, ByName: map[string]int{"bb": 1, "c": 2},
		Pointer: &five, Raw: Raw{0x18, 0x18}, Any: []any{1.0}, Bytes: []byte("x"), Is: true,
	}
	written, err := Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var asAny any
	if err := Unmarshal(written, &asAny); err != nil {
		t.Fatal(err)
	}
	again, _ := Marshal(asAny)
	if !bytes.Equal(written, again) {
		t.Errorf("%x is not canonical: %x", written, again)
	}
	var back outer
	if err := Unmarshal(written, &back); err != nil || !reflect.DeepEqual(back, value) {
		t.Errorf("%+v (%v)", back, err)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	for _, each := range []struct {
		value    any
		expected string
	}{
		{map[string]any{"order_id": 5}, `field "order_id": found an integer, expected text`},
		{map[string]any{"list": []any{map[string]any{"name": "a", "delay": 1}, map[string]any{"name": nil}}}, `field "list[1].name": found null, expected text`},
		{map[string]any{"air_time": 40000}, `field "air_time": the integer does not fit 16 bits`},
		{map[string]any{"inner": map[string]any{"name": "x"}}, `field "inner": missing field "delay"`},
		{map[string]any{"by_name": map[string]any{"k": true}}, `field "by_name.k": found true or false, expected an integer`},
	} {
		written, _ := Marshal(each.value)
		var back outer
		if err := Unmarshal(written, &back); err == nil || err.Error() != each.expected {
			t.Errorf("%v, expected %s", err, each.expected)
		}
	}
}

func TestNamesAreSnakeCase(t *testing.T) {
	for name, expected := range map[string]string{"AirTime": "air_time", "OrderID": "order_id", "HTTPStatus": "http_status", "X2Y": "x2_y", "A": "a"} {
		if got := snake(name); got != expected {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestNumbersStandForOneAnotherWhereNothingIsLost(t *testing.T) {
	var float float64
	if err := Unmarshal([]byte{0x0a}, &float); err != nil || float != 10 {
		t.Error(err)
	}
	var whole int
	if err := Unmarshal([]byte{0xf9, 0x3c, 0x00}, &whole); err == nil {
		t.Error("a float was read as an integer")
	}
	if _, err := Marshal(struct{ F func() }{}); err == nil {
		t.Error("a function was written")
	}
}
