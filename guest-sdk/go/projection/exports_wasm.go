package projection

// The component's exports, by the names of the canonical ABI.

import (
	"polyfold"
	"polyfold/internal/host"
)

var exported Projection

// Export makes a projection the one that this component is. Call it in main's init: nothing calls main itself.
func Export(projection Projection) { exported = projection }

//go:wasmexport polyfold:plugin/projection@0.1.0#describe
func exportDescribe() uint32 {
	if exported == nil {
		panic("main's init must call Export")
	}
	manifest := exported.Manifest()
	views := host.NewAnswer()
	for _, view := range manifest.Views {
		views.Text(view.Name).Text(view.Prefix).Text(view.Description)
	}
	answer := host.NewAnswer().Text(manifest.Name).Text(manifest.Version).Text(manifest.Description)
	answer.Texts(manifest.EventTypes).Texts(manifest.Categories)
	// Two bytes, one behind the other.
	answer.Word(uint32(manifest.PayloadEncoding) | uint32(manifest.StateEncoding)<<8)
	return answer.List(views, len(manifest.Views)).Address()
}

//go:wasmexport polyfold:plugin/projection@0.1.0#apply
func exportApply(at, length uint32) uint32 {
	passed := host.Events(at, length)
	events := make([]polyfold.Event, len(passed))
	for i := range passed {
		events[i] = eventOf(&passed[i])
	}
	err := host.Guard(func() error { return exported.Apply(events) })
	if err != nil {
		return host.NewAnswer().Word(1).Text(err.Error()).Address()
	}
	return host.NewAnswer().Word(0).Word(0).Word(0).Address()
}

func eventOf(passed *host.Event) polyfold.Event {
	return polyfold.Event{
		Sequence:      passed.Sequence,
		Stream:        passed.Stream(),
		Version:       passed.Version,
		Type:          passed.Type(),
		SchemaVersion: passed.SchemaVersion,
		RecordedAt:    passed.RecordedAt,
		CBOR:          passed.CBOR(),
		JSON:          passed.JSON(),
	}
}
