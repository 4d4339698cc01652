package cbor

// Plans of slices, maps and pointers.

import (
	"fmt"
	"reflect"
	"unsafe"
)

func slicePlan(t reflect.Type) plan {
	item := planWithin(t.Elem())
	size := t.Elem().Size()
	read := func(r *reader, p unsafe.Pointer) error {
		length, err := r.open(majorArray, "an array")
		if err != nil {
			return err
		}
		made := reflect.MakeSlice(t, length, length)
		start := made.UnsafePointer()
		for i := range length {
			if err := item.read(r, unsafe.Add(start, uintptr(i)*size)); err != nil {
				return within(fmt.Sprintf("[%d]", i), err)
			}
		}
		r.depth--
		reflect.NewAt(t, p).Elem().Set(made)
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error {
		value := reflect.NewAt(t, p).Elem()
		w.head(majorArray, uint64(value.Len()))
		if err := w.enter(); err != nil {
			return err
		}
		start := value.UnsafePointer()
		for i := range value.Len() {
			if err := item.write(w, unsafe.Add(start, uintptr(i)*size)); err != nil {
				return err
			}
		}
		w.depth--
		return nil
	}
	return plan{read, write}
}

func mapPlan(t reflect.Type) plan {
	key, item := planWithin(t.Key()), planWithin(t.Elem())
	read := func(r *reader, p unsafe.Pointer) error {
		length, err := r.open(majorMap, "a map")
		if err != nil {
			return err
		}
		made := reflect.MakeMapWithSize(t, length)
		for range length {
			k, v := reflect.New(t.Key()), reflect.New(t.Elem())
			if err := key.read(r, k.UnsafePointer()); err != nil {
				return err
			}
			if err := item.read(r, v.UnsafePointer()); err != nil {
				return within(fmt.Sprint(k.Elem()), err)
			}
			made.SetMapIndex(k.Elem(), v.Elem())
		}
		r.depth--
		reflect.NewAt(t, p).Elem().Set(made)
		return nil
	}
	write := func(w *writer, p unsafe.Pointer) error {
		value := reflect.NewAt(t, p).Elem()
		if err := w.enter(); err != nil {
			return err
		}
		entries := make([]entry, 0, value.Len())
		// Go's order of a map differs between two runs; the entries are ordered before they are written.
		for each := value.MapRange(); each.Next(); {
			k, v := reflect.New(t.Key()), reflect.New(t.Elem())
			k.Elem().Set(each.Key())
			v.Elem().Set(each.Value())
			made, err := w.entry(
				func(w *writer) error { return key.write(w, k.UnsafePointer()) },
				func(w *writer) error { return item.write(w, v.UnsafePointer()) },
			)
			if err != nil {
				return err
			}
			entries = append(entries, made)
		}
		w.depth--
		return w.entries(entries)
	}
	return plan{read, write}
}

func pointerPlan(t reflect.Type) plan {
	item := planWithin(t.Elem())
	read := func(r *reader, p unsafe.Pointer) error {
		if r.isNull() {
			r.at++
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		made := reflect.New(t.Elem()).UnsafePointer()
		*(*unsafe.Pointer)(p) = made
		return item.read(r, made)
	}
	write := func(w *writer, p unsafe.Pointer) error {
		pointed := *(*unsafe.Pointer)(p)
		if pointed == nil {
			w.out = append(w.out, initialNull)
			return nil
		}
		return item.write(w, pointed)
	}
	return plan{read, write}
}
