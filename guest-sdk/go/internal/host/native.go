//go:build !wasm

package host

// Imports is what a harness offers to a plugin that runs natively.
type Imports interface {
	Get(key string) ([]byte, bool)
	Write(changes []Change)
	Scan(prefix string, after *string, limit uint32) []Entry
	EnvelopeOf(sequence uint64) *Envelope
	Parameters() string
	Log(level Level, message string)
}

var current Imports

// Use puts a harness in place of a host while call runs.
func Use(imports Imports, call func() error) error {
	before := current
	current = imports
	defer func() { current = before }()
	return call()
}

func imports() Imports {
	if current == nil {
		panic("there is no host: outside of a component a plugin runs in polyfoldtest.Harness")
	}
	return current
}

// Get returns the value of a key.
func Get(key string) ([]byte, bool) { return imports().Get(key) }

// GetMany returns the values of many keys; nil for those without an entry.
func GetMany(keys []string) [][]byte {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if value, ok := imports().Get(key); ok {
			values[i] = append([]byte{}, value...)
		}
	}
	return values
}

// Put sets the value of a key.
func Put(key string, value []byte) { imports().Write([]Change{{Key: key, Value: value}}) }

// Delete removes a key.
func Delete(key string) { imports().Write([]Change{{Key: key, IsDelete: true}}) }

// Write makes many changes, in their order.
func Write(changes []Change) { imports().Write(changes) }

// Scan returns a page of entries.
func Scan(prefix string, after *string, limit uint32) []Entry {
	return imports().Scan(prefix, after, limit)
}

// EnvelopeOf returns the rest of an event of this call.
func EnvelopeOf(sequence uint64) *Envelope { return imports().EnvelopeOf(sequence) }

// Parameters returns the projection's parameters.
func Parameters() string { return imports().Parameters() }

// Log writes a message.
func Log(level Level, message string) { imports().Log(level, message) }
