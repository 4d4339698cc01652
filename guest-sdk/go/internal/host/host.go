// Package host is where the kit meets what runs it: a component's imports, or a test's harness.
package host

// Change sets the value of a key, or deletes it.
type Change struct {
	Key      string
	Value    []byte
	IsDelete bool
}

// Entry is a key and its value.
type Entry struct {
	Key   string
	Value []byte
}

// Envelope is what an event leaves out; see polyfold.Envelope.
type Envelope struct {
	ID            string
	OccurredAt    *int64
	Actor         *string
	CausationID   *string
	CorrelationID *string
	Metadata      map[string]string
	Tags          []string
}

// Level is how much a message matters: trace, debug, info, warn, error.
type Level uint8
