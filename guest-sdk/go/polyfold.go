// Package polyfold is the kit for plugins of polyfold in Go: projections (package projection) and upcasters (package
// upcaster), as WebAssembly components. Package polyfoldtest runs them natively, in `go test`.
package polyfold

import (
	"fmt"

	"polyfold/internal/host"
)

// Fail makes the error that refuses the event in hand with exactly this message, made as by fmt.Sprintf. It is for the
// projection's owner: say what is wrong and what to do.
func Fail(format string, arguments ...any) error {
	if len(arguments) == 0 {
		return refused(format)
	}
	return refused(fmt.Sprintf(format, arguments...))
}

type refused string

func (r refused) Error() string { return string(r) }

// Envelope is the fields of an event that Event leaves out. OccurredAt is in microseconds since 1970.
type Envelope = host.Envelope

// EnvelopeOf returns the rest of an event of this call (id, actor, times, causes, metadata, tags); nil for any other
// sequence. An upcaster has none.
func EnvelopeOf(sequence uint64) *Envelope { return host.EnvelopeOf(sequence) }

// Parameters returns the projection's parameters, a JSON object as its owner gave it, `{}` if none were given. Read them
// by encoding/json, which makes a component 2 MB larger.
func Parameters() string { return host.Parameters() }

// Level is how much a message matters.
type Level = host.Level

// The levels, the least first.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Log writes a message for the plugin's author, made as by fmt.Sprintf and shown with a fault of the same call. What is
// longer than 4 KiB is cut, and after 100 messages in one call the rest is dropped and counted.
func Log(level Level, format string, arguments ...any) {
	if len(arguments) > 0 {
		format = fmt.Sprintf(format, arguments...)
	}
	host.Log(level, format)
}
