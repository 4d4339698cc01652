// Package upcaster is for plugins that lift old events into a newer shape.
package upcaster

import (
	"polyfold"
	"polyfold/cbor"
)

// Upcaster is functions from an old event's payload to a newer shape.
type Upcaster interface {
	// Manifest says what this plugin is; must always answer the same.
	Manifest() Manifest
	// Upcast returns the payload that lifts this event one step. Its type and schema version tell which step.
	Upcast(event *polyfold.Event) (cbor.Raw, error)
}

// Manifest is what an upcaster says of itself.
type Manifest struct {
	// Name is 1 to 64 of a-z, 0-9 and -, starting with a letter.
	Name string
	// Version is the plugin's own, by semantic versioning.
	Version string
	// Description says in a sentence what it lifts.
	Description string
	// Steps are all that it can make.
	Steps []Step
}

// Step lifts an event type from a schema version to the next, under a new type if one is given.
type Step struct {
	EventType     string
	SchemaVersion uint32
	NewEventType  string
}
