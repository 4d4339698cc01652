// What each country has ordered: a projection for polyfold.
package main

import (
	"polyfold"
	"polyfold/projection"
)

// order is the payload of order.placed, schema version 1.
type order struct {
	Country string
	Euros   float64
}

// revenue is what is kept for a country.
type revenue struct {
	Orders uint64
	Euros  float64
}

type revenueByCountry struct{}

func (revenueByCountry) Manifest() projection.Manifest {
	return projection.Manifest{
		Name:        "{{name}}",
		Version:     "0.1.0",
		Description: "what each country has ordered",
		EventTypes:  []string{"order.placed"},
		Views:       []projection.View{{Name: "countries", Prefix: "country/", Description: "orders and euros by country"}},
	}
}

func (revenueByCountry) Keys(event *polyfold.Event, order *order, keys *projection.Keys) error {
	if err := event.ExpectSchemaVersion(1, "update this plugin"); err != nil {
		return err
	}
	if order.Euros < 0 {
		return polyfold.Fail("%s costs %v euros, less than nothing", event.Stream, order.Euros)
	}
	keys.Add("country/", order.Country)
	return nil
}

func (revenueByCountry) Fold(revenue *revenue, _ *polyfold.Event, order *order, _ string) error {
	revenue.Orders++
	revenue.Euros += order.Euros
	return nil
}

var plugin = projection.Keyed(revenueByCountry{})

func init() { projection.Export(plugin) }

// main is never called; Go wants one.
func main() {}
