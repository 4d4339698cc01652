package upcaster

// The component's exports, by the names of the canonical ABI.

import (
	"polyfold"
	"polyfold/internal/host"
)

var exported Upcaster

// Export makes an upcaster the one that this component is. Call it in main's init: nothing calls main itself.
func Export(upcaster Upcaster) { exported = upcaster }

//go:wasmexport polyfold:plugin/upcaster@0.1.0#describe
func exportDescribe() uint32 {
	if exported == nil {
		panic("main's init must call Export")
	}
	manifest := exported.Manifest()
	steps := host.NewAnswer()
	for _, step := range manifest.Steps {
		steps.Text(step.EventType).Word(step.SchemaVersion)
		if step.NewEventType == "" {
			steps.Word(0).Word(0).Word(0)
		} else {
			steps.Word(1).Text(step.NewEventType)
		}
	}
	answer := host.NewAnswer().Text(manifest.Name).Text(manifest.Version).Text(manifest.Description)
	// Payloads are CBOR: JSON would not leave unknown fields what they are.
	return answer.List(steps, len(manifest.Steps)).Word(0).Address()
}

//go:wasmexport polyfold:plugin/upcaster@0.1.0#upcast
func exportUpcast(at, length uint32) uint32 {
	passed := host.Events(at, length)
	payloads := host.NewAnswer()
	err := host.Guard(func() error {
		for i := range passed {
			event := eventOf(&passed[i])
			payload, err := exported.Upcast(&event)
			if err != nil {
				return err
			}
			payloads.Word(0).Text(string(payload))
		}
		return nil
	})
	if err != nil {
		return host.NewAnswer().Word(1).Text(err.Error()).Address()
	}
	return host.NewAnswer().Word(0).List(payloads, len(passed)).Address()
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
	}
}
