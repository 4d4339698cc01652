package main

import (
	"testing"

	"polyfold/polyfoldtest"
)

func TestEurosBecomeCentsAndAllElseStays(t *testing.T) {
	for euros, cents := range map[string]string{"9.5": "950", "10": "1000", "0.125": "13", "-0.125": "-13"} {
		old := polyfoldtest.Event("order.placed", `{"country":"FR","euros":`+euros+`,"note":[1.0]}`)
		lifted, err := new(polyfoldtest.Harness).Upcast(plugin, old)
		if err != nil {
			t.Fatal(err)
		}
		expected := `{"cents":` + cents + `,"country":"FR","note":[1]}`
		if got := polyfoldtest.JSON(lifted.CBOR); got != expected || lifted.SchemaVersion != 2 {
			t.Errorf("%s euros: %s", euros, got)
		}
	}
}

func TestAnOrderWithoutEurosIsRefused(t *testing.T) {
	_, err := new(polyfoldtest.Harness).Upcast(plugin, polyfoldtest.Event("order.placed", `{"country":"FR"}`))
	if err == nil || err.Error() != `order.placed, schema version 1: missing field "euros"` {
		t.Error(err)
	}
}
