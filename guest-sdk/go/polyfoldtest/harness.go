//go:build !wasm

// Package polyfoldtest runs a plugin natively, without WebAssembly: the state is a map in memory, and tests look into it.
package polyfoldtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"polyfold"
	"polyfold/cbor"
	"polyfold/internal/host"
	"polyfold/projection"
	"polyfold/upcaster"
)

// The ABI's limits, as a host enforces them.
const (
	eventsPerCallMax = 8192
	keyBytesMax      = 1024
	valueBytesMax    = 1 << 20
	pageMax          = 1000
	pageBytesMax     = 4 << 20
)

// Harness is a state of its own, in place of a host. Its zero value is an empty state with the parameters {}.
type Harness struct {
	// BatchSize is how many events come in one call, 8,192 if it is 0. A state must not depend on it.
	BatchSize int
	// Parameters are the projection's, JSON text.
	Parameters string
	// Envelopes are the rest of events by their sequence, for the plugin to ask for.
	Envelopes map[uint64]*polyfold.Envelope
	// Entries are the whole state, as it is stored.
	Entries map[string][]byte
	// Logs are the messages of the plugin, failed calls included.
	Logs []Logged

	versions map[string]uint64
	head     uint64
}

// Logged is a message that a plugin has logged.
type Logged struct {
	Level   host.Level
	Message string
}

// Apply applies the events that the manifest asks for, in batches. A batch that fails changes nothing, and ends it.
func (h *Harness) Apply(plugin projection.Projection, events ...polyfold.Event) error {
	manifest := plugin.Manifest()
	wants := func(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
	var wanted []polyfold.Event
	for _, event := range events {
		h.place(&event)
		if wants(manifest.EventTypes, event.Type) && wants(manifest.Categories, event.Category()) {
			if manifest.PayloadEncoding == projection.JSON {
				event.JSON, event.CBOR = JSON(event.CBOR), nil
			}
			wanted = append(wanted, event)
		}
	}
	size := h.BatchSize
	if size < 1 || size > eventsPerCallMax {
		size = eventsPerCallMax
	}
	for batch := range slices.Chunk(wanted, size) {
		before := maps.Clone(h.Entries)
		if err := host.Use(imports{h}, func() error { return plugin.Apply(batch) }); err != nil {
			h.Entries = before
			return err
		}
	}
	return nil
}

// Upcast lifts an event through every step that the upcaster has for it, as a host does.
func (h *Harness) Upcast(plugin upcaster.Upcaster, event polyfold.Event) (polyfold.Event, error) {
	h.place(&event)
	steps := plugin.Manifest().Steps
	for {
		step := slices.IndexFunc(steps, func(step upcaster.Step) bool {
			return step.EventType == event.Type && step.SchemaVersion == event.SchemaVersion
		})
		if step < 0 {
			return event, nil
		}
		err := host.Use(imports{h}, func() (err error) {
			event.CBOR, err = plugin.Upcast(&event)
			return err
		})
		if err != nil {
			return event, err
		}
		event.SchemaVersion++
		if steps[step].NewEventType != "" {
			event.Type = steps[step].NewEventType
		}
	}
}

// Get reads an entry's value, and says whether there is one.
func Get[T any](h *Harness, key string) (value T, ok bool) {
	bytes, ok := h.Entries[key]
	if ok {
		if err := cbor.Unmarshal(bytes, &value); err != nil {
			panic(fmt.Sprintf("entry %q: %v", key, err))
		}
	}
	return value, ok
}

// Scan returns the entries whose key starts with prefix, in key order, as lines of key, a space and the value's JSON.
func (h *Harness) Scan(prefix string) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(h.Entries)) {
		if strings.HasPrefix(key, prefix) {
			lines = append(lines, key+" "+JSON(h.Entries[key]))
		}
	}
	return lines
}

// place gives an event the place in log and stream that it does not have yet.
func (h *Harness) place(event *polyfold.Event) {
	if h.versions == nil {
		h.versions = map[string]uint64{}
	}
	if event.Version == 0 {
		event.Version = h.versions[event.Stream] + 1
	}
	h.versions[event.Stream] = event.Version
	if event.Sequence == 0 {
		event.Sequence = h.head + 1
	}
	h.head = event.Sequence
}

// imports is a harness as a plugin sees it.
type imports struct{ *Harness }

func (i imports) Get(key string) ([]byte, bool) {
	checkKey(key)
	value, ok := i.Entries[key]
	return slices.Clone(value), ok
}

func (i imports) Write(changes []host.Change) {
	if i.Entries == nil {
		i.Entries = map[string][]byte{}
	}
	for _, change := range changes {
		checkKey(change.Key)
		if change.IsDelete {
			delete(i.Entries, change.Key)
			continue
		}
		if len(change.Value) > valueBytesMax {
			panic(fmt.Sprintf("the value of %q has %d bytes, at most %d are allowed", change.Key, len(change.Value), valueBytesMax))
		}
		i.Entries[change.Key] = append([]byte{}, change.Value...)
	}
}

func (i imports) Scan(prefix string, after *string, limit uint32) []host.Entry {
	var page []host.Entry
	size := 0
	for _, key := range slices.Sorted(maps.Keys(i.Entries)) {
		if !strings.HasPrefix(key, prefix) || after != nil && key <= *after {
			continue
		}
		if len(page) >= min(int(limit), pageMax) || size >= pageBytesMax {
			break
		}
		page = append(page, host.Entry{Key: key, Value: slices.Clone(i.Entries[key])})
		size += len(key) + len(i.Entries[key])
	}
	return page
}

func (i imports) EnvelopeOf(sequence uint64) *host.Envelope {
	if envelope, ok := i.Envelopes[sequence]; ok {
		return envelope
	}
	if sequence == 0 || sequence > i.head {
		return nil
	}
	return &host.Envelope{ID: fmt.Sprintf("id-%d", sequence), Metadata: map[string]string{}, Tags: []string{}}
}

func (i imports) Parameters() string {
	if i.Harness.Parameters == "" {
		return "{}"
	}
	return i.Harness.Parameters
}

func (i imports) Log(level host.Level, message string) {
	i.Logs = append(i.Logs, Logged{level, message})
}

func checkKey(key string) {
	if len(key) < 1 || len(key) > keyBytesMax {
		panic(fmt.Sprintf("the key %.40q has %d bytes, 1 to %d are allowed", key, len(key), keyBytesMax))
	}
}
