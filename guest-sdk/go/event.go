package polyfold

import (
	"errors"
	"fmt"
	"strings"

	"polyfold/cbor"
)

// Event is an immutable fact, as a plugin sees it. What it leaves out is in EnvelopeOf.
type Event struct {
	// Sequence is the event's position in the log: 1, 2, 3 and so on.
	Sequence uint64
	// Stream is category/name.
	Stream string
	// Version is the event's position in its stream.
	Version uint64
	// Type says what happened.
	Type string
	// SchemaVersion is the version of the payload's shape; see ExpectSchemaVersion.
	SchemaVersion uint32
	// RecordedAt is when the log took it, in microseconds since 1970.
	RecordedAt uint64
	// CBOR is the payload, unless the manifest asks for JSON.
	CBOR cbor.Raw
	// JSON is the payload, if the manifest asks for it.
	JSON string
}

// Payload reads an event's payload. An error names the event's type, its schema version and the field.
func Payload[T any](event *Event) (T, error) {
	var payload T
	err := ReadPayload(event, cbor.ReaderOf[T](), &payload)
	return payload, err
}

// ReadPayload reads an event's payload by a reader that is kept for many of them.
func ReadPayload[T any](event *Event, reader cbor.Reader[T], payload *T) error {
	if event.CBOR == nil {
		return event.Fault(errors.New("the payload is JSON, as the manifest asks: read it from event.JSON"))
	}
	if err := reader.Read(event.CBOR, payload); err != nil {
		return event.Fault(fmt.Errorf("cannot read the payload: %w", err))
	}
	return nil
}

// Category is the part of the stream's name before the first slash.
func (e *Event) Category() string {
	category, _, _ := strings.Cut(e.Stream, "/")
	return category
}

// StreamName is the part of the stream's name behind the first slash.
func (e *Event) StreamName() string {
	_, name, _ := strings.Cut(e.Stream, "/")
	return name
}

// ExpectSchemaVersion refuses an event of another schema version, telling the way out, for example which upcaster to
// install. A projection that does not ask goes on after an upcaster is installed, and reads the new shape as the old one.
func (e *Event) ExpectSchemaVersion(version uint32, wayOut string) error {
	if e.SchemaVersion == version {
		return nil
	}
	return e.Fault(fmt.Errorf("expected schema version %d: %s", version, wayOut))
}

// Fault makes an error about this event: its type and schema version, then what err says.
func (e *Event) Fault(err error) error {
	return fmt.Errorf("%s, schema version %d: %w", e.Type, e.SchemaVersion, err)
}
