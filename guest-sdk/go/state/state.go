// Package state is the projection's state: entries, ordered by key.
//
// Reads see the writes of the same call. Keys are 1 to 1,024 bytes, values at most 1 MiB; what breaks a limit ends the
// call. A host call costs a microsecond, so GetMany and Write beat Get and Put in a loop. Values are CBOR; the functions
// named Bytes leave them alone.
package state

import (
	"fmt"
	"iter"

	"polyfold/cbor"
	"polyfold/internal/host"
)

// PageMax is the most entries that one Scan returns.
const PageMax = 1000

// Change sets the value of a key, or deletes it.
type Change = host.Change

// Entry is a key and its value.
type Entry = host.Entry

// Get returns the value of a key, and whether there is such an entry.
func Get[T any](key string) (value T, ok bool, err error) {
	bytes, ok := host.Get(key)
	if ok {
		err = Read(key, bytes, &value)
	}
	return value, ok, err
}

// GetMany returns the values of many keys, in their order, by one host call; nil for those without an entry.
func GetMany[T any](keys []string) ([]*T, error) {
	values := make([]*T, len(keys))
	for i, bytes := range host.GetMany(keys) {
		if bytes == nil {
			continue
		}
		values[i] = new(T)
		if err := Read(keys[i], bytes, values[i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// Put sets the value of a key.
func Put[T any](key string, value T) error {
	change, err := Set(key, value)
	if err == nil {
		host.Put(key, change.Value)
	}
	return err
}

// Set makes the change, for Write, that sets the value of a key.
func Set[T any](key string, value T) (Change, error) {
	bytes, err := cbor.Append(make([]byte, 0, 64), &value)
	if err != nil {
		err = fmt.Errorf("cannot write the state's entry %q: %w", key, err)
	}
	return Change{Key: key, Value: bytes}, err
}

// Unset makes the change, for Write, that removes a key.
func Unset(key string) Change { return Change{Key: key, IsDelete: true} }

// Delete removes a key; nothing happens if there is no such entry.
func Delete(key string) { host.Delete(key) }

// Write makes many changes, in their order, by one host call.
func Write(changes []Change) { host.Write(changes) }

// Scan returns up to limit entries (never more than 1,000 or 4 MiB) whose key starts with prefix, in key order, behind
// the key after unless that is nil. Only an empty answer means that there are no more. Read reads a value.
func Scan(prefix string, after *string, limit uint32) []Entry { return host.Scan(prefix, after, limit) }

// All goes through the entries whose key starts with prefix, in key order, page of them a host call.
func All(prefix string, page uint32) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		var after *string
		for {
			entries := host.Scan(prefix, after, page)
			if len(entries) == 0 {
				return
			}
			for i := range entries {
				if !yield(entries[i].Key, entries[i].Value) {
					return
				}
			}
			after = &entries[len(entries)-1].Key
		}
	}
}

// Read reads the bytes of an entry's value.
func Read[T any](key string, bytes []byte, value *T) error {
	if err := cbor.Unmarshal(bytes, value); err != nil {
		return fmt.Errorf("cannot read the state's entry %q: %w", key, err)
	}
	return nil
}

// GetBytes returns the bytes of a key's value, and whether there is such an entry.
func GetBytes(key string) ([]byte, bool) { return host.Get(key) }

// GetManyBytes returns the bytes of many keys' values, in their order; nil for those without an entry.
func GetManyBytes(keys []string) [][]byte { return host.GetMany(keys) }

// PutBytes sets the bytes of a key's value.
func PutBytes(key string, value []byte) { host.Put(key, value) }
