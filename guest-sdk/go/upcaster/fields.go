package upcaster

import (
	"fmt"
	"slices"

	"polyfold"
	"polyfold/cbor"
)

// Fields are the fields of a payload that is a map with text for keys: to take out, put in and rename.
//
// Those that nobody touches stay as they are, bit by bit, also those that the upcaster has never heard of. The first
// error is kept, and Payload returns it, so that a step needs to look for one only once.
type Fields struct {
	event  *polyfold.Event
	fields map[string]cbor.Raw
	err    error
}

// FieldsOf reads the fields of an event's payload.
func FieldsOf(event *polyfold.Event) *Fields {
	fields, err := polyfold.Payload[map[string]cbor.Raw](event)
	return &Fields{event, fields, err}
}

// Has says whether there is such a field.
func (f *Fields) Has(name string) bool {
	_, ok := f.fields[name]
	return ok
}

// Take takes a field out, which must be there.
func Take[T any](f *Fields, name string) T {
	var value T
	raw, ok := f.fields[name]
	if !ok {
		f.fail(fmt.Errorf("missing field %q", name))
		return value
	}
	delete(f.fields, name)
	if err := cbor.Unmarshal(raw, &value); err != nil {
		f.fail(fmt.Errorf("field %q: %w", name, err))
	}
	return value
}

// Put sets a field.
func (f *Fields) Put(name string, value any) {
	raw, err := cbor.Marshal(value)
	if err != nil {
		f.fail(fmt.Errorf("field %q: %w", name, err))
		return
	}
	if f.fields != nil {
		f.fields[name] = raw
	}
}

// Rename gives a field another name, if it is there, replacing what had that name.
func (f *Fields) Rename(name, newName string) {
	if raw, ok := f.fields[name]; ok {
		delete(f.fields, name)
		f.fields[newName] = raw
	}
}

// Payload makes the payload, its fields in canonical order, or returns the first error.
func (f *Fields) Payload() (cbor.Raw, error) {
	if f.err != nil {
		return nil, f.err
	}
	return cbor.Marshal(f.fields)
}

// Names are the names of the fields, in the order of their letters.
func (f *Fields) Names() []string {
	names := make([]string, 0, len(f.fields))
	for name := range f.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f *Fields) fail(err error) {
	if f.err == nil {
		f.err = f.event.Fault(err)
	}
}
