package cbor

// The bytes that are written: heads, floats in their shortest form, values of any kind.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"unsafe"
)

type writer struct {
	out   []byte
	depth int
}

func (w *writer) enter() error {
	if w.depth == DepthMax {
		return errDepth
	}
	w.depth++
	return nil
}

func (w *writer) head(major byte, number uint64) {
	switch {
	case number < 24:
		w.out = append(w.out, major|byte(number))
	case number < 1<<8:
		w.out = append(w.out, major|24, byte(number))
	case number < 1<<16:
		w.out = binary.BigEndian.AppendUint16(append(w.out, major|25), uint16(number))
	case number < 1<<32:
		w.out = binary.BigEndian.AppendUint32(append(w.out, major|26), uint32(number))
	default:
		w.out = binary.BigEndian.AppendUint64(append(w.out, major|27), number)
	}
}

func (w *writer) int(value int64) {
	if value < 0 {
		w.head(majorNegative, uint64(-1-value))
	} else {
		w.head(majorUnsigned, uint64(value))
	}
}

func (w *writer) text(value string) {
	w.head(majorText, uint64(len(value)))
	w.out = append(w.out, value...)
}

func (w *writer) bytes(value []byte) {
	w.head(majorBytes, uint64(len(value)))
	w.out = append(w.out, value...)
}

func (w *writer) bool(value bool) {
	if value {
		w.out = append(w.out, initialTrue)
	} else {
		w.out = append(w.out, initialFalse)
	}
}

// float writes the shortest of three widths that keeps the value; every NaN is the same.
func (w *writer) float(value float64) {
	if value != value {
		w.out = append(w.out, initialHalf, 0x7e, 0x00)
		return
	}
	single := float32(value)
	if float64(single) != value {
		w.out = binary.BigEndian.AppendUint64(append(w.out, initialDouble), math.Float64bits(value))
		return
	}
	if half, ok := toHalf(math.Float32bits(single)); ok {
		w.out = binary.BigEndian.AppendUint16(append(w.out, initialHalf), half)
		return
	}
	w.out = binary.BigEndian.AppendUint32(append(w.out, initialSingle), math.Float32bits(single))
}

// toHalf returns the half precision float of exactly the value of these single precision bits, if there is one.
func toHalf(bits uint32) (uint16, bool) {
	sign := uint16(bits >> 16 & 0x8000)
	exponent, fraction := int(bits>>23&0xff)-127, bits&0x7fffff
	switch {
	case bits&0x7fffffff == 0:
		return sign, true
	case exponent == 128 && fraction == 0:
		return sign | 0x7c00, true
	case exponent >= -14 && exponent <= 15 && fraction&0x1fff == 0:
		return sign | uint16(exponent+15)<<10 | uint16(fraction>>13), true
	case exponent >= -24 && exponent < -14:
		whole, shift := fraction|0x800000, uint(-1-exponent)
		if whole&(1<<shift-1) == 0 {
			return sign | uint16(whole>>shift), true
		}
	}
	return 0, false
}

// any writes a value by its own type.
func (w *writer) any(value any) error {
	switch value := value.(type) {
	case nil:
		w.out = append(w.out, initialNull)
	case bool:
		w.bool(value)
	case int:
		w.int(int64(value))
	case int64:
		w.int(value)
	case uint64:
		w.head(majorUnsigned, value)
	case Negative:
		w.head(majorNegative, uint64(value))
	case float64:
		w.float(value)
	case string:
		w.text(value)
	case []byte:
		w.bytes(value)
	case Raw:
		w.out = append(w.out, value...)
	case Simple:
		w.head(majorSimple, uint64(value))
	case Tag:
		w.head(majorTag, value.Number)
		return w.nested(func() error { return w.any(value.Value) })
	case Pairs:
		return w.nested(func() error { return w.pairs(value) })
	default:
		return w.reflected(value)
	}
	return nil
}

func (w *writer) nested(write func() error) error {
	if err := w.enter(); err != nil {
		return err
	}
	defer func() { w.depth-- }()
	return write()
}

func (w *writer) pairs(pairs Pairs) error {
	entries := make([]entry, len(pairs))
	for i, pair := range pairs {
		var err error
		entries[i], err = w.entry(func(w *writer) error { return w.any(pair.Key) }, func(w *writer) error { return w.any(pair.Value) })
		if err != nil {
			return err
		}
	}
	return w.entries(entries)
}

// reflected writes a value of any other type, for which there is a plan.
func (w *writer) reflected(value any) error {
	held := reflect.New(reflect.TypeOf(value))
	held.Elem().Set(reflect.ValueOf(value))
	return planOf(held.Type().Elem()).write(w, unsafe.Pointer(held.Pointer()))
}

// entry is a key and a value of a map, both written.
type entry struct{ key, value []byte }

func (w *writer) entry(key, value func(*writer) error) (entry, error) {
	inner := writer{depth: w.depth}
	if err := key(&inner); err != nil {
		return entry{}, err
	}
	length := len(inner.out)
	if err := value(&inner); err != nil {
		return entry{}, err
	}
	return entry{inner.out[:length], inner.out[length:]}, nil
}

// entries writes a map.
func (w *writer) entries(entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	w.head(majorMap, uint64(len(entries)))
	for i, entry := range entries {
		if i > 0 && bytes.Equal(entries[i-1].key, entry.key) {
			return errors.New("a key stands twice in one map")
		}
		w.out = append(append(w.out, entry.key...), entry.value...)
	}
	return nil
}

func unsupported(t reflect.Type) error { return fmt.Errorf("%v has no form in CBOR", t) }
