// Lifts order.placed from schema version 1 to 2, where euros are whole cents: an upcaster for polyfold.
package main

import (
	"math"

	"polyfold"
	"polyfold/cbor"
	"polyfold/upcaster"
)

type ordersV2 struct{}

func (ordersV2) Manifest() upcaster.Manifest {
	return upcaster.Manifest{
		Name:        "{{name}}",
		Version:     "0.1.0",
		Description: "orders: cents in place of euros",
		Steps:       []upcaster.Step{{EventType: "order.placed", SchemaVersion: 1}},
	}
}

func (ordersV2) Upcast(event *polyfold.Event) (cbor.Raw, error) {
	fields := upcaster.FieldsOf(event)
	euros := upcaster.Take[float64](fields, "euros")
	// Rounds half away from zero.
	fields.Put("cents", int64(math.Round(euros*100)))
	// All other fields stay as they are, bit by bit.
	return fields.Payload()
}

var plugin = ordersV2{}

func init() { upcaster.Export(plugin) }

// main is never called; Go wants one.
func main() {}
