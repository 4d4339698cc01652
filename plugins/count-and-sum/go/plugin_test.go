package main

import (
	"slices"
	"testing"

	"polyfold/polyfoldtest"
)

func TestMinutesAddUpWhereverBatchesAreCut(t *testing.T) {
	for _, size := range []int{1, 2, 3, 100} {
		harness := polyfoldtest.Harness{BatchSize: size}
		err := harness.Apply(plugin,
			polyfoldtest.Event("flight.arrived", `{"tailnum":"N1","air_time":60,"carrier":"UA"}`),
			polyfoldtest.Event("flight.arrived", `{"tailnum":"N2","air_time":30}`),
			polyfoldtest.Event("flight.arrived", `{"tailnum":null,"air_time":7}`),
			polyfoldtest.Event("flight.departed", `{}`),
			polyfoldtest.Event("flight.arrived", `{"air_time":5}`),
			polyfoldtest.Event("flight.arrived", `{"tailnum":"N1","air_time":45}`),
		)
		if err != nil {
			t.Fatal(err)
		}
		expected := []string{`N1 {"count":2,"sum":105}`, `N2 {"count":1,"sum":30}`}
		if got := harness.Scan(""); !slices.Equal(got, expected) {
			t.Errorf("batches of %d: %v", size, got)
		}
	}
}
