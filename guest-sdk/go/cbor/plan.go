package cbor

// How a Go type is read and written, found once by reflection and then followed by offsets.

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"unsafe"
)

// plan reads into and writes from memory that holds a value of its type.
type plan struct {
	read  func(*reader, unsafe.Pointer) error
	write func(*writer, unsafe.Pointer) error
}

// Finished plans by type, and those that are being made: types may hold themselves.
var (
	plans    sync.Map
	making   = map[reflect.Type]*plan{}
	makingBy sync.Mutex
)

func planOf(t reflect.Type) *plan {
	if found, ok := plans.Load(t); ok {
		return found.(*plan)
	}
	makingBy.Lock()
	defer makingBy.Unlock()
	made := planWithin(t)
	for each, plan := range making {
		plans.Store(each, plan)
	}
	clear(making)
	return made
}

// planWithin returns the plan of a type while the plan of another that holds it is made.
func planWithin(t reflect.Type) *plan {
	if found, ok := plans.Load(t); ok {
		return found.(*plan)
	}
	if found, ok := making[t]; ok {
		return found
	}
	made := &plan{}
	making[t] = made
	*made = makePlan(t)
	return made
}

func makePlan(t reflect.Type) plan {
	switch t {
	case reflect.TypeFor[Raw]():
		return plan{readRaw, writeRaw}
	case reflect.TypeFor[any]():
		return plan{readAny, writeAny}
	case reflect.TypeFor[Tag](), reflect.TypeFor[Pairs](), reflect.TypeFor[Simple](), reflect.TypeFor[Negative]():
		return asAny(t)
	}
	switch t.Kind() {
	case reflect.Bool:
		return plan{readBool, func(w *writer, p unsafe.Pointer) error { w.bool(*(*bool)(p)); return nil }}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intPlan(t)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintPlan(t)
	case reflect.Float64:
		return plan{readFloat64, func(w *writer, p unsafe.Pointer) error { w.float(*(*float64)(p)); return nil }}
	case reflect.Float32:
		return plan{readFloat32, func(w *writer, p unsafe.Pointer) error { w.float(float64(*(*float32)(p))); return nil }}
	case reflect.String:
		return plan{readString, func(w *writer, p unsafe.Pointer) error { w.text(*(*string)(p)); return nil }}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return plan{readBytes, func(w *writer, p unsafe.Pointer) error { w.bytes(*(*[]byte)(p)); return nil }}
		}
		return slicePlan(t)
	case reflect.Map:
		return mapPlan(t)
	case reflect.Pointer:
		return pointerPlan(t)
	case reflect.Struct:
		return structPlan(t)
	}
	return plan{
		func(*reader, unsafe.Pointer) error { return unsupported(t) },
		func(*writer, unsafe.Pointer) error { return unsupported(t) },
	}
}

func readRaw(r *reader, p unsafe.Pointer) (err error) {
	*(*Raw)(p), err = r.raw()
	return err
}

func writeRaw(w *writer, p unsafe.Pointer) error {
	if raw := *(*Raw)(p); raw != nil {
		w.out = append(w.out, raw...)
	} else {
		w.out = append(w.out, initialNull)
	}
	return nil
}

func readAny(r *reader, p unsafe.Pointer) (err error) {
	*(*any)(p), err = r.any()
	return err
}

func writeAny(w *writer, p unsafe.Pointer) error { return w.any(*(*any)(p)) }

// asAny reads one of this package's own types, which are what any holds.
func asAny(t reflect.Type) plan {
	read := func(r *reader, p unsafe.Pointer) error {
		value, err := r.any()
		if err != nil {
			return err
		}
		if reflect.TypeOf(value) != t {
			return fmt.Errorf("found %T, expected %v", value, t)
		}
		reflect.NewAt(t, p).Elem().Set(reflect.ValueOf(value))
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error { return w.any(reflect.NewAt(t, p).Elem().Interface()) }
	return plan{read, write}
}

func readBool(r *reader, p unsafe.Pointer) error {
	initial, _, err := r.head()
	if err != nil {
		return err
	}
	if initial != initialFalse && initial != initialTrue {
		return mismatch(initial, "true or false")
	}
	*(*bool)(p) = initial == initialTrue
	return nil
}

func readString(r *reader, p unsafe.Pointer) error {
	initial, length, err := r.head()
	if err != nil {
		return err
	}
	if initial&0xe0 != majorText {
		return mismatch(initial, "text")
	}
	*(*string)(p), err = r.text(length)
	return err
}

func readBytes(r *reader, p unsafe.Pointer) error {
	initial, length, err := r.head()
	if err != nil {
		return err
	}
	if initial&0xe0 != majorBytes {
		return mismatch(initial, "a byte string")
	}
	*(*[]byte)(p), err = r.take(length)
	return err
}

// number reads a float, or a whole number where a float is wanted: a payload born as JSON holds 10 and 10.5.
func (r *reader) number() (float64, error) {
	initial, number, err := r.head()
	if err != nil {
		return 0, err
	}
	switch initial & 0xe0 {
	case majorUnsigned:
		return float64(number), nil
	case majorNegative:
		return -1 - float64(number), nil
	}
	value, ok := float(initial, number)
	if !ok {
		return 0, mismatch(initial, "a number")
	}
	return value, nil
}

func readFloat64(r *reader, p unsafe.Pointer) (err error) {
	*(*float64)(p), err = r.number()
	return err
}

func readFloat32(r *reader, p unsafe.Pointer) error {
	value, err := r.number()
	*(*float32)(p) = float32(value)
	return err
}

func (r *reader) int(bits int) (int64, error) {
	initial, number, err := r.head()
	if err != nil {
		return 0, err
	}
	major := initial & 0xe0
	if major > majorNegative {
		return 0, mismatch(initial, "an integer")
	}
	if number > math.MaxInt64>>(64-bits) {
		return 0, fmt.Errorf("the integer does not fit %d bits", bits)
	}
	if major == majorNegative {
		return -1 - int64(number), nil
	}
	return int64(number), nil
}

func intPlan(t reflect.Type) plan {
	bits := t.Bits()
	read := func(r *reader, p unsafe.Pointer) error {
		value, err := r.int(bits)
		if err != nil {
			return err
		}
		switch bits {
		case 8:
			*(*int8)(p) = int8(value)
		case 16:
			*(*int16)(p) = int16(value)
		case 32:
			*(*int32)(p) = int32(value)
		default:
			*(*int64)(p) = value
		}
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error {
		switch bits {
		case 8:
			w.int(int64(*(*int8)(p)))
		case 16:
			w.int(int64(*(*int16)(p)))
		case 32:
			w.int(int64(*(*int32)(p)))
		default:
			w.int(*(*int64)(p))
		}
		return nil
	}
	return plan{read, write}
}

func uintPlan(t reflect.Type) plan {
	bits := t.Bits()
	read := func(r *reader, p unsafe.Pointer) error {
		initial, value, err := r.head()
		if err != nil {
			return err
		}
		if initial&0xe0 != majorUnsigned {
			return mismatch(initial, "an integer, not negative")
		}
		if value > math.MaxUint64>>(64-bits) {
			return fmt.Errorf("the integer does not fit %d bits", bits)
		}
		switch bits {
		case 8:
			*(*uint8)(p) = uint8(value)
		case 16:
			*(*uint16)(p) = uint16(value)
		case 32:
			*(*uint32)(p) = uint32(value)
		default:
			*(*uint64)(p) = value
		}
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error {
		switch bits {
		case 8:
			w.head(majorUnsigned, uint64(*(*uint8)(p)))
		case 16:
			w.head(majorUnsigned, uint64(*(*uint16)(p)))
		case 32:
			w.head(majorUnsigned, uint64(*(*uint32)(p)))
		default:
			w.head(majorUnsigned, *(*uint64)(p))
		}
		return nil
	}
	return plan{read, write}
}
