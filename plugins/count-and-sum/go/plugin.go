// Minutes in the air by tail number, of flights in schema version 1: what benchmarks measure.
package main

import (
	"polyfold"
	"polyfold/projection"
)

type arrival struct {
	Tailnum *string
	AirTime uint64
}

type total struct {
	Count uint64
	Sum   uint64
}

type countAndSum struct{}

func (countAndSum) Manifest() projection.Manifest {
	return projection.Manifest{
		Name:        "count-and-sum",
		Version:     "0.1.0",
		Description: "flights and minutes in the air by tail number",
		EventTypes:  []string{"flight.arrived"},
	}
}

func (countAndSum) Keys(_ *polyfold.Event, arrival *arrival, keys *projection.Keys) error {
	if arrival.Tailnum != nil {
		keys.Add(*arrival.Tailnum)
	}
	return nil
}

func (countAndSum) Fold(total *total, _ *polyfold.Event, arrival *arrival, _ string) error {
	total.Count++
	total.Sum += arrival.AirTime
	return nil
}

var plugin = projection.Keyed(countAndSum{})

func init() { projection.Export(plugin) }

func main() {}
