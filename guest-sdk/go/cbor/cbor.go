// Package cbor reads and writes CBOR (RFC 8949) without dependencies: any payload is read, and what is written is the
// canonical form of section 4.2.1.
//
// Go values and CBOR:
//
//	int, uint and their sizes      integers, also where a float is wanted
//	float32, float64               floats, in the shortest form that keeps the value
//	string, []byte, bool           text, byte string, true and false
//	slice, array                   array
//	map                            map, its keys ordered by their encoding
//	struct                         map, its fields by name: see below
//	pointer                        what it points to; nil is null
//	any                            nil, bool, int64, uint64 above it, Negative below it, float64, string, []byte,
//	                               []any, map[string]any, Pairs where a key is no text, Tag, Simple
//	Raw                            the bytes of one value, whatever it is
//
// A field's name is its Go name in snake case (`AirTime` is "air_time"), or what its tag says: `cbor:"time_in_air"`, and
// `cbor:"-"` leaves it out. Every field must be there and not null, unless it is a pointer or any, or says so:
// `cbor:",optional"` reads what is absent or null as the zero value, and does not write that. Names that no field has are
// passed over.
package cbor

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// DepthMax is the nesting that is read and written, as a host bounds it.
const DepthMax = 128

// Raw is the encoding of one value, kept as it is.
type Raw []byte

// Negative is an integer below what int64 holds: -1 minus its value.
type Negative uint64

// Tag is a tagged value.
type Tag struct {
	Number uint64
	Value  any
}

// Simple is a simple value other than false, true and null; 23 is undefined.
type Simple uint8

// Pair is a key and a value of a map.
type Pair struct{ Key, Value any }

// Pairs is a map with keys that are no text.
type Pairs []Pair

// Major types, as they stand in the three high bits of an item's first byte.
const (
	majorUnsigned = iota << 5
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

const (
	initialFalse  = 0xf4
	initialTrue   = 0xf5
	initialNull   = 0xf6
	initialUndef  = 0xf7
	initialHalf   = 0xf9
	initialSingle = 0xfa
	initialDouble = 0xfb
)

var (
	errEnd        = errors.New("the value ends too early")
	errIndefinite = errors.New("indefinite lengths are not canonical")
	errText       = errors.New("text is not UTF-8")
	errDepth      = fmt.Errorf("nested more than %d levels deep", DepthMax)
)

// Unmarshal reads one value, which must be all there is, into what target points to. Text and bytes share data's memory.
func Unmarshal[T any](data []byte, target *T) error {
	return ReaderOf[T]().Read(data, target)
}

// Marshal writes a value in the canonical form.
func Marshal[T any](value T) ([]byte, error) {
	return Append(make([]byte, 0, 64), &value)
}

// Append writes a value behind what is in out.
func Append[T any](out []byte, value *T) ([]byte, error) {
	w := writer{out: out}
	err := planOf(reflect.TypeFor[T]()).write(&w, unsafe.Pointer(value))
	return w.out, err
}

// Reader reads values of one type; it is cheaper to keep one than to ask for it for each value.
type Reader[T any] struct{ plan *plan }

// ReaderOf returns the reader of a type.
func ReaderOf[T any]() Reader[T] {
	return Reader[T]{planOf(reflect.TypeFor[T]())}
}

// Read reads one value, which must be all there is. Text and bytes share data's memory.
func (r Reader[T]) Read(data []byte, target *T) error {
	// Fields that are absent must not keep what was there.
	var zero T
	*target = zero
	in := reader{data: data}
	if err := r.plan.read(&in, unsafe.Pointer(target)); err != nil {
		return err
	}
	return in.finish()
}

// fieldError says in which field something could not be read: its way from the outside, `delay.arrival`.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return fmt.Sprintf("field %q: %v", e.path, e.err) }

func (e *fieldError) Unwrap() error { return e.err }

func within(name string, err error) error {
	if inner, ok := err.(*fieldError); ok {
		if !strings.HasPrefix(inner.path, "[") {
			name += "."
		}
		return &fieldError{name + inner.path, inner.err}
	}
	return &fieldError{name, err}
}
