// Package projection is for plugins that fold events into state.
package projection

import "polyfold"

// Projection is a fold of events into state. Most projections are easier written as a Fold.
type Projection interface {
	// Manifest says what this plugin is; must always answer the same.
	Manifest() Manifest
	// Apply folds events, in order of sequence, into package state. The result must not depend on how many events come in
	// one call. An error drops all changes of the call, and its text is kept with the fault; so does a panic, with its
	// stack.
	Apply(events []polyfold.Event) error
}

// Manifest is what a projection says of itself.
type Manifest struct {
	// Name is 1 to 64 of a-z, 0-9 and -, starting with a letter.
	Name string
	// Version is the plugin's own, by semantic versioning.
	Version string
	// Description says in a sentence what it makes.
	Description string
	// EventTypes are those that it wants, as upcasters leave them; none for all.
	EventTypes []string
	// Categories are those that it wants; none for all. An event must be wanted by both lists.
	Categories []string
	// PayloadEncoding is CBOR unless JSON is asked for, which typed payloads cannot be read from.
	PayloadEncoding Encoding
	// StateEncoding says how people and exports should read values; those that the kit writes are CBOR.
	StateEncoding Encoding
	// Views are names for parts of its state.
	Views []View
}

// View is a name for the keys that start with a prefix.
type View struct{ Name, Prefix, Description string }

// Encoding is how payloads come and values are written; Text and Bytes are for values only.
type Encoding uint8

// The encodings.
const (
	CBOR Encoding = iota
	JSON
	Text
	Bytes
)
