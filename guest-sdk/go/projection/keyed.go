package projection

import (
	"bytes"
	"fmt"

	"polyfold"
	"polyfold/cbor"
	"polyfold/internal/host"
)

// Fold is a projection whose events each belong to some keys and are folded into the values of these. P is what is read
// from an event's payload, V what is kept for a key; a key's first event is folded into the zero V.
//
// A batch is folded in memory: one host call reads the values of all its keys, one writes those that changed. The result
// does not depend on where batches are cut, as long as a value that is written and read again is the same value: leave no
// field out.
type Fold[P, V any] interface {
	// Manifest says what this plugin is; must always answer the same.
	Manifest() Manifest
	// Keys names the keys that the event belongs to: none, one or more.
	Keys(event *polyfold.Event, payload *P, keys *Keys) error
	// Fold folds the event into the value of one of its keys.
	Fold(value *V, event *polyfold.Event, payload *P, key string) error
}

// Keeper is a Fold that says whether a value is worth an entry. Where it is not, the key has none, and starts from the
// zero value again.
type Keeper[V any] interface {
	Keep(value *V) bool
}

// Keys are the keys of one event.
type Keys struct {
	text []byte
	ends []int
}

// Add adds the key that these parts make, one behind the other.
func (k *Keys) Add(parts ...string) {
	for _, part := range parts {
		k.text = append(k.text, part...)
	}
	k.ends = append(k.ends, len(k.text))
}

// Keyed makes the projection that a Fold is.
func Keyed[P, V any](fold Fold[P, V]) Projection { return keyed[P, V]{fold} }

type keyed[P, V any] struct{ fold Fold[P, V] }

func (k keyed[P, V]) Manifest() Manifest { return k.fold.Manifest() }

func (k keyed[P, V]) Apply(events []polyfold.Event) error {
	batch := batch[P, V]{fold: k.fold, places: map[string]int{}}
	if keeper, ok := k.fold.(Keeper[V]); ok {
		batch.keep = keeper.Keep
	}
	if err := batch.gather(events); err != nil {
		return err
	}
	if len(batch.keys) == 0 {
		return nil
	}
	stored := host.GetMany(batch.keys)
	if err := batch.foldAll(events, stored); err != nil {
		return err
	}
	changes, err := batch.changes(stored)
	if err == nil && len(changes) > 0 {
		host.Write(changes)
	}
	return err
}

// batch is the events of one call, with their payloads and keys.
type batch[P, V any] struct {
	fold Fold[P, V]
	keep func(*V) bool
	// The batch's distinct keys, in the order in which they first come, and the place of each in that order.
	keys   []string
	places map[string]int
	values []V

	payloads []P
	// The keys of all events, one event's behind another's, as places; and where each event's end.
	eventPlaces []int
	eventEnds   []int
}

func (b *batch[P, V]) gather(events []polyfold.Event) error {
	b.payloads = make([]P, len(events))
	b.eventPlaces = make([]int, 0, len(events))
	b.eventEnds = make([]int, len(events))
	reader := cbor.ReaderOf[P]()
	var keys Keys
	for i := range events {
		event := &events[i]
		if err := polyfold.ReadPayload(event, reader, &b.payloads[i]); err != nil {
			return err
		}
		keys.text, keys.ends = keys.text[:0], keys.ends[:0]
		if err := b.fold.Keys(event, &b.payloads[i], &keys); err != nil {
			return err
		}
		start := 0
		for _, end := range keys.ends {
			b.eventPlaces = append(b.eventPlaces, b.place(keys.text[start:end]))
			start = end
		}
		b.eventEnds[i] = len(b.eventPlaces)
	}
	return nil
}

// place returns the key's place, a new one if it has none.
func (b *batch[P, V]) place(key []byte) int {
	if place, ok := b.places[string(key)]; ok {
		return place
	}
	place := len(b.keys)
	name := string(key)
	b.keys = append(b.keys, name)
	b.places[name] = place
	return place
}

// foldAll makes the values of the keys after all events.
func (b *batch[P, V]) foldAll(events []polyfold.Event, stored [][]byte) error {
	b.values = make([]V, len(b.keys))
	reader := cbor.ReaderOf[V]()
	for i, bytes := range stored {
		if bytes == nil {
			continue
		}
		if err := reader.Read(bytes, &b.values[i]); err != nil {
			return fmt.Errorf("cannot read the state's entry %q: %w", b.keys[i], err)
		}
	}
	start := 0
	for i := range events {
		for _, place := range b.eventPlaces[start:b.eventEnds[i]] {
			value := &b.values[place]
			if err := b.fold.Fold(value, &events[i], &b.payloads[i], b.keys[place]); err != nil {
				return err
			}
			// If the batch ended here the entry would be deleted, so what follows must start afresh, too.
			if b.keep != nil && !b.keep(value) {
				var zero V
				*value = zero
			}
		}
		start = b.eventEnds[i]
	}
	return nil
}

// changes lists what differs from the state.
func (b *batch[P, V]) changes(stored [][]byte) ([]host.Change, error) {
	changes := make([]host.Change, 0, len(b.keys))
	var block []byte
	for i, old := range stored {
		if b.keep != nil && !b.keep(&b.values[i]) {
			if old != nil {
				changes = append(changes, host.Change{Key: b.keys[i], IsDelete: true})
			}
			continue
		}
		start := len(block)
		var err error
		if block, err = cbor.Append(block, &b.values[i]); err != nil {
			return nil, fmt.Errorf("cannot write the state's entry %q: %w", b.keys[i], err)
		}
		// What an earlier change points to stays where it is when the block grows: it is copied, not moved.
		if written := block[start:len(block):len(block)]; old == nil || !bytes.Equal(written, old) {
			changes = append(changes, host.Change{Key: b.keys[i], Value: written})
		}
	}
	return changes, nil
}
