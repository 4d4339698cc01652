// The conformance upcaster: what every language must lift alike.
package main

import (
	"polyfold"
	"polyfold/cbor"
	"polyfold/upcaster"
)

type conformanceV2 struct{}

func (conformanceV2) Manifest() upcaster.Manifest {
	return upcaster.Manifest{
		Name:        "conformance-v2",
		Version:     "1.0.0",
		Description: "what every language must lift alike",
		Steps: []upcaster.Step{
			{EventType: "sample", SchemaVersion: 1},
			{EventType: "sample", SchemaVersion: 2},
			{EventType: "specimen", SchemaVersion: 1, NewEventType: "sample"},
		},
	}
}

func (conformanceV2) Upcast(event *polyfold.Event) (cbor.Raw, error) {
	fields := upcaster.FieldsOf(event)
	if fields.Has("fail") {
		return nil, polyfold.Fail("%s", upcaster.Take[string](fields, "fail"))
	}
	if event.SchemaVersion == 2 {
		to3(fields)
		return fields.Payload()
	}
	to2(fields)
	if event.Type == "specimen" {
		fields.Put("was", "specimen")
	}
	return fields.Payload()
}

func to2(fields *upcaster.Fields) {
	fields.Rename("int", "integer")
	if fields.Has("float") {
		fields.Put("measure", struct{ Value cbor.Raw }{upcaster.Take[cbor.Raw](fields, "float")})
	}
	fields.Put("lifted", 1)
}

func to3(fields *upcaster.Fields) {
	if fields.Has("text") {
		fields.Put("texts", []cbor.Raw{upcaster.Take[cbor.Raw](fields, "text")})
	}
	fields.Put("lifted", 2)
}

func init() { upcaster.Export(conformanceV2{}) }

// main is never called; Go wants one.
func main() {}
