package cbor

// Plans of structs: their fields in the order in which canonical CBOR has them.

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unsafe"
)

type field struct {
	name string
	// The name as a key, written.
	key    []byte
	offset uintptr
	plan   *plan
	kind   reflect.Type
	// Whether it may be absent or null, and whether it is left out when it is zero.
	isOptional, isOmitted bool
}

func structPlan(t reflect.Type) plan {
	fields := fieldsOf(t)
	lengths := uint32(0)
	for i := range fields {
		lengths |= 1 << min(len(fields[i].name), 31)
	}
	read := func(r *reader, p unsafe.Pointer) error {
		length, err := r.open(majorMap, "a map")
		if err != nil {
			return err
		}
		// Canonical maps have their keys in the order of the fields, so the next key is mostly the next field's.
		next := 0
		var seen uint64
		for range length {
			name, err := r.name()
			if err != nil {
				return err
			}
			// Most names are those of no field, and most of these have a length of none.
			index := -1
			if len(name) > 31 || lengths&(1<<len(name)) != 0 {
				index = find(fields, name, next)
			}
			if index < 0 {
				if !r.skipShort() {
					err = r.skip()
				}
				if err != nil {
					return err
				}
				continue
			}
			next = index + 1
			seen |= 1 << index
			f := &fields[index]
			if f.isOmitted && r.isNull() {
				r.at++
				continue
			}
			if err := f.plan.read(r, unsafe.Add(p, f.offset)); err != nil {
				return within(f.name, err)
			}
		}
		r.depth--
		if seen != 1<<len(fields)-1 {
			return missing(fields, seen)
		}
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error {
		if err := w.enter(); err != nil {
			return err
		}
		length := len(fields)
		for i := range fields {
			if fields[i].isLeftOut(p) {
				length--
			}
		}
		w.head(majorMap, uint64(length))
		for i := range fields {
			f := &fields[i]
			if f.isLeftOut(p) {
				continue
			}
			w.out = append(w.out, f.key...)
			if err := f.plan.write(w, unsafe.Add(p, f.offset)); err != nil {
				return within(f.name, err)
			}
		}
		w.depth--
		return nil
	}
	if len(fields) > 63 {
		err := fmt.Errorf("%v has more than 63 fields", t)
		return plan{func(*reader, unsafe.Pointer) error { return err }, func(*writer, unsafe.Pointer) error { return err }}
	}
	return plan{read, write}
}

// name takes a map's key without looking whether it is UTF-8: it is only compared.
func (r *reader) name() ([]byte, error) {
	if r.at < len(r.data) {
		start := r.at + 1
		end := start + int(r.data[r.at]) - majorText
		// Nearly all names are short.
		if end >= start && end < start+24 && end <= len(r.data) {
			r.at = end
			return r.data[start:end], nil
		}
	}
	initial, length, err := r.head()
	if err != nil {
		return nil, err
	}
	if initial&0xe0 != majorText {
		return nil, mismatch(initial, "a field's name")
	}
	return r.take(length)
}

func find(fields []field, name []byte, next int) int {
	for i := next; i < len(fields); i++ {
		if fields[i].name == string(name) {
			return i
		}
	}
	for i := range min(next, len(fields)) {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

func missing(fields []field, seen uint64) error {
	for i := range fields {
		if seen&(1<<i) == 0 && !fields[i].isOptional {
			return fmt.Errorf("missing field %q", fields[i].name)
		}
	}
	return nil
}

func (f *field) isLeftOut(p unsafe.Pointer) bool {
	return f.isOmitted && reflect.NewAt(f.kind, unsafe.Add(p, f.offset)).Elem().IsZero()
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		each := t.Field(i)
		tag, options, _ := strings.Cut(each.Tag.Get("cbor"), ",")
		if !each.IsExported() || tag == "-" {
			continue
		}
		if tag == "" {
			tag = snake(each.Name)
		}
		w := writer{}
		w.text(tag)
		inner, isOptional := planWithin(each.Type), options == "optional"
		fields = append(fields, field{tag, w.out, each.Offset, inner, each.Type, isOptional || takesNull(each.Type), isOptional})
	}
	slices.SortFunc(fields, func(a, b field) int { return bytes.Compare(a.key, b.key) })
	return fields
}

func takesNull(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || t == reflect.TypeFor[Raw]()
}

// snake writes a Go name in snake case: AirTime is air_time, OrderID is order_id.
func snake(name string) string {
	letters := []rune(name)
	var out strings.Builder
	for i, letter := range letters {
		isStart := i > 0 && unicode.IsUpper(letter) &&
			(unicode.IsLower(letters[i-1]) || unicode.IsDigit(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if isStart {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(letter))
	}
	return out.String()
}
