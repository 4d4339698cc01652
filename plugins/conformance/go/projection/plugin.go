// The conformance projection: what every language must make of the same events.
package main

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"polyfold"
	"polyfold/cbor"
	"polyfold/projection"
	"polyfold/state"
)

type conformance struct{}

func (conformance) Manifest() projection.Manifest {
	return projection.Manifest{
		Name:        "conformance",
		Version:     "1.0.0",
		Description: "what every language must make of the same events",
		EventTypes:  []string{"probe"},
		Views:       []projection.View{{Name: "echoes", Prefix: "echo/", Description: "values as they came"}},
	}
}

func (conformance) Apply(events []polyfold.Event) error {
	for i := range events {
		probe, err := polyfold.Payload[struct{ Op string }](&events[i])
		if err != nil {
			return err
		}
		step, ok := steps[probe.Op]
		if !ok {
			return polyfold.Fail("unknown op %s", probe.Op)
		}
		if err := step(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

var steps = map[string]func(*polyfold.Event) error{
	"echo":       reading(echo),
	"delete":     reading(remove),
	"sum":        reading(sum),
	"divide":     reading(divide),
	"floats":     reading(floats),
	"text":       reading(text),
	"large":      reading(large),
	"fill":       reading(fill),
	"scan":       reading(scan),
	"many":       reading(many),
	"write":      reading(write),
	"context":    reading(context),
	"parameters": reading(parameters),
	"log":        reading(log),
	"fail":       reading(fail),
}

// reading makes a step of a function that wants the payload.
func reading[P any](step func(*polyfold.Event, *P) error) func(*polyfold.Event) error {
	return func(event *polyfold.Event) error {
		payload, err := polyfold.Payload[P](event)
		if err != nil {
			return err
		}
		return step(event, &payload)
	}
}

type echoed struct {
	Key   string
	Value cbor.Raw
}

func echo(_ *polyfold.Event, p *echoed) error {
	state.PutBytes("echo/"+p.Key, p.Value)
	return nil
}

func remove(_ *polyfold.Event, p *struct{ Key string }) error {
	state.Delete("echo/" + p.Key)
	return nil
}

type added struct {
	Key   string
	Int   any
	Float float64
}

type total struct {
	Count uint64
	Int   int64
	Float float64
}

func sum(_ *polyfold.Event, p *added) error {
	key := "sum/" + p.Key
	before, ok, err := state.Get[total](key)
	if err != nil {
		return err
	}
	after := total{Count: before.Count + 1, Float: p.Float}
	if ok {
		after.Float = before.Float + p.Float
	}
	// As 128 bits, because what is added may be larger than the sum.
	high, low, err := wide(p.Int)
	if err != nil {
		return err
	}
	low, carry := bits.Add64(low, uint64(before.Int), 0)
	high, _ = bits.Add64(high, uint64(before.Int>>63), carry)
	after.Int = int64(low)
	if high != uint64(after.Int>>63) {
		return polyfold.Fail("%s does not fit 64 bits", key)
	}
	return state.Put(key, after)
}

// wide makes 128 bits of any integer that CBOR has.
func wide(value any) (high, low uint64, err error) {
	switch value := value.(type) {
	case int64:
		return uint64(value >> 63), uint64(value), nil
	case uint64:
		return 0, value, nil
	case cbor.Negative:
		return math.MaxUint64, ^uint64(value), nil
	}
	return 0, 0, fmt.Errorf("int is %T", value)
}

type divided struct {
	Key  string
	A, B int64
}

type quotient struct{ Quotient, Remainder any }

func divide(_ *polyfold.Event, p *divided) error {
	if p.B == 0 {
		return polyfold.Fail("division by zero")
	}
	if p.A == math.MinInt64 && p.B == -1 {
		// The one quotient that does not fit; Go makes -2^63 of it.
		return state.Put("divide/"+p.Key, quotient{uint64(1) << 63, 0})
	}
	return state.Put("divide/"+p.Key, quotient{p.A / p.B, p.A % p.B})
}

type listed struct {
	Key    string
	Values []float64
}

type numbers struct{ Sum, Mean, Min, Max, Root float64 }

func floats(_ *polyfold.Event, p *listed) error {
	if len(p.Values) == 0 {
		return polyfold.Fail("no values")
	}
	first := p.Values[0]
	made := numbers{Sum: first, Min: first, Max: first, Root: math.Sqrt(math.Abs(first))}
	for _, value := range p.Values[1:] {
		made.Sum += value
		// Go's min and max know NaN and the sign of zero.
		made.Min, made.Max = min(made.Min, value), max(made.Max, value)
	}
	made.Mean = made.Sum / float64(len(p.Values))
	return state.Put("floats/"+p.Key, made)
}

type lengths struct{ Bytes, CodePoints int }

func text(_ *polyfold.Event, p *struct{ Value string }) error {
	return state.Put("text/"+p.Value, lengths{len(p.Value), utf8.RuneCountInString(p.Value)})
}

type sizes struct{ KeyBytes, ValueBytes, Seed int }

func large(_ *polyfold.Event, p *sizes) error {
	const prefix = "large/"
	// A head of five bytes stands before the content.
	content := make([]byte, p.ValueBytes-5)
	for i := range content {
		content[i] = byte(i*31 + p.Seed)
	}
	return state.Put(prefix+strings.Repeat("k", p.KeyBytes-len(prefix)), content)
}

type filled struct {
	Prefix string
	Count  int
}

func fill(_ *polyfold.Event, p *filled) error {
	changes := make([]state.Change, p.Count)
	for i := range changes {
		var err error
		if changes[i], err = state.Set(fmt.Sprintf("fill/%s/%05d", p.Prefix, i), i); err != nil {
			return err
		}
	}
	state.Write(changes)
	return nil
}

type scanned struct {
	Prefix string
	Page   uint32
}

type seen struct {
	Entries, Bytes uint64
	Hash           uint32
}

func scan(event *polyfold.Event, p *scanned) error {
	made := seen{Hash: 0x811c9dc5}
	for key, value := range state.All(p.Prefix, p.Page) {
		made.Entries++
		made.Bytes += uint64(len(key) + len(value))
		made.Hash = fnv(fnv(made.Hash, []byte(key)), value)
	}
	return state.Put(fmt.Sprintf("scan/%d", event.Sequence), made)
}

// fnv goes on with a hash, FNV-1a in 32 bits.
func fnv(hash uint32, bytes []byte) uint32 {
	for _, b := range bytes {
		hash = (hash ^ uint32(b)) * 0x01000193
	}
	return hash
}

type found struct{ Found, Bytes int }

func many(event *polyfold.Event, p *struct{ Keys []string }) error {
	keys := make([]string, len(p.Keys))
	for i, key := range p.Keys {
		keys[i] = "echo/" + key
	}
	var made found
	for _, value := range state.GetManyBytes(keys) {
		if value != nil {
			made.Found++
			made.Bytes += len(value)
		}
	}
	return state.Put(fmt.Sprintf("many/%d", event.Sequence), made)
}

func write(_ *polyfold.Event, p *struct{ Entries [][]cbor.Raw }) error {
	var changes []state.Change
	for _, entry := range p.Entries {
		var key string
		if len(entry) == 0 {
			return polyfold.Fail("an entry has no key")
		}
		if err := cbor.Unmarshal(entry[0], &key); err != nil {
			return err
		}
		change := state.Unset("echo/" + key)
		if len(entry) > 1 {
			change = state.Change{Key: change.Key, Value: entry[1]}
		}
		changes = append(changes, change)
	}
	state.Write(changes)
	return nil
}

type surroundings struct {
	ID            string
	Actor         *string
	OccurredAt    *int64
	CausationID   *string
	CorrelationID *string
	Metadata      map[string]string
	Tags          []string
	Sequence      uint64
	Stream        string
	Version       uint64
	EventType     string
	SchemaVersion uint32
	RecordedAt    uint64
}

func context(event *polyfold.Event, _ *struct{}) error {
	envelope := polyfold.EnvelopeOf(event.Sequence)
	return state.Put(fmt.Sprintf("context/%d", event.Sequence), surroundings{
		ID:            envelope.ID,
		Actor:         envelope.Actor,
		OccurredAt:    envelope.OccurredAt,
		CausationID:   envelope.CausationID,
		CorrelationID: envelope.CorrelationID,
		Metadata:      envelope.Metadata,
		Tags:          envelope.Tags,
		Sequence:      event.Sequence,
		Stream:        event.Stream,
		Version:       event.Version,
		EventType:     event.Type,
		SchemaVersion: event.SchemaVersion,
		RecordedAt:    event.RecordedAt,
	})
}

func parameters(*polyfold.Event, *struct{}) error {
	return state.Put("parameters", polyfold.Parameters())
}

type message struct{ Level, Message string }

func log(_ *polyfold.Event, p *message) error {
	level := slices.Index([]string{"trace", "debug", "info", "warn", "error"}, p.Level)
	if level < 0 {
		return polyfold.Fail("unknown level %s", p.Level)
	}
	polyfold.Log(polyfold.Level(level), "%s", p.Message)
	return nil
}

func fail(_ *polyfold.Event, p *struct{ Message string }) error {
	return polyfold.Fail("%s", p.Message)
}

func init() { projection.Export(conformance{}) }

// main is never called; Go wants one.
func main() {}
