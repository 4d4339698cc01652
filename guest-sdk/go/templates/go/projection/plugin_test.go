package main

import (
	"slices"
	"testing"

	"polyfold/polyfoldtest"
)

func TestOrdersAddUpWhereverBatchesAreCut(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		harness := polyfoldtest.Harness{BatchSize: size}
		err := harness.Apply(plugin,
			polyfoldtest.Event("order.placed", `{"country":"FR","euros":10}`),
			polyfoldtest.Event("order.placed", `{"country":"DE","euros":2.5}`),
			polyfoldtest.Event("order.placed", `{"country":"FR","euros":5}`),
		)
		if err != nil {
			t.Fatal(err)
		}
		expected := []string{`country/DE {"euros":2.5,"orders":1}`, `country/FR {"euros":15,"orders":2}`}
		if got := harness.Scan("country/"); !slices.Equal(got, expected) {
			t.Errorf("batches of %d: %v", size, got)
		}
	}
}

func TestAnOrderBelowNothingIsRefused(t *testing.T) {
	order := polyfoldtest.Event("order.placed", `{"country":"FR","euros":-3}`)
	order.Stream = "order/7"
	err := new(polyfoldtest.Harness).Apply(plugin, order)
	if err == nil || err.Error() != "order/7 costs -3 euros, less than nothing" {
		t.Error(err)
	}
}

func TestAnotherSchemaVersionIsRefused(t *testing.T) {
	order := polyfoldtest.Event("order.placed", `{"country":"FR","euros":3}`)
	order.SchemaVersion = 2
	if new(polyfoldtest.Harness).Apply(plugin, order) == nil {
		t.Error("it was not refused")
	}
}
