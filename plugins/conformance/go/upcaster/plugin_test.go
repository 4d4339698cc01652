package main

import (
	"testing"

	"polyfold/polyfoldtest"
)

func TestEachKindTakesItsSteps(t *testing.T) {
	for _, each := range []struct{ eventType, old, lifted string }{
		{
			"sample",
			`{"int":18446744073709551615,"float":1.5,"text":"x","other":[1]}`,
			`{"integer":18446744073709551615,"lifted":2,"measure":{"value":1.5},"other":[1],"texts":["x"]}`,
		},
		{"specimen", `{}`, `{"lifted":2,"was":"specimen"}`},
	} {
		event, err := new(polyfoldtest.Harness).Upcast(conformanceV2{}, polyfoldtest.Event(each.eventType, each.old))
		if err != nil {
			t.Fatal(err)
		}
		if got := polyfoldtest.JSON(event.CBOR); got != each.lifted || event.Type != "sample" || event.SchemaVersion != 3 {
			t.Error(got, event.Type, event.SchemaVersion)
		}
	}
}

func TestAPayloadCanRefuse(t *testing.T) {
	_, err := new(polyfoldtest.Harness).Upcast(conformanceV2{}, polyfoldtest.Event("sample", `{"fail":"no"}`))
	if err == nil || err.Error() != "no" {
		t.Error(err)
	}
}
