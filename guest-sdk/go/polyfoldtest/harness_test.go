package polyfoldtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"polyfold"
	"polyfold/projection"
	"polyfold/state"
)

// balances moves what is paid between two accounts; an account at zero has no entry.
type balances struct{}

type paid struct {
	From, To string
	Amount   int64
}

type balance struct{ Amount, Payments int64 }

func (balances) Manifest() projection.Manifest {
	return projection.Manifest{Name: "balances", Version: "1.0.0", Description: "what each account holds"}
}

func (balances) Keys(_ *polyfold.Event, paid *paid, keys *projection.Keys) error {
	keys.Add("account/", paid.From)
	keys.Add("account/", paid.To)
	return nil
}

func (balances) Fold(balance *balance, _ *polyfold.Event, paid *paid, key string) error {
	balance.Payments++
	if strings.HasSuffix(key, paid.From) {
		balance.Amount -= paid.Amount
	} else {
		balance.Amount += paid.Amount
	}
	return nil
}

func (balances) Keep(balance *balance) bool { return balance.Amount != 0 }

func pay(from, to string, amount int) polyfold.Event {
	return Event("paid", fmt.Sprintf(`{"from":%q,"to":%q,"amount":%d}`, from, to, amount))
}

func payments() []polyfold.Event {
	names := []string{"ann", "bob", "cid", "dan"}
	events := make([]polyfold.Event, 200)
	for i := range events {
		events[i] = pay(names[i%3], names[(i*7+1)%4], i%5)
	}
	return events
}

func TestWhereBatchesAreCutDoesNotMatter(t *testing.T) {
	plugin := projection.Keyed(balances{})
	var whole Harness
	if err := whole.Apply(plugin, payments()...); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 2, 3, 7, 199} {
		cut := Harness{BatchSize: size}
		if err := cut.Apply(plugin, payments()...); err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(cut.Entries, whole.Entries, slices.Equal) {
			t.Errorf("batches of %d: %v", size, cut.Scan(""))
		}
	}
}

func TestAValueNotWorthKeepingHasNoEntryAndStartsAfresh(t *testing.T) {
	plugin := projection.Keyed(balances{})
	var harness Harness
	if err := harness.Apply(plugin, pay("ann", "bob", 5), pay("bob", "ann", 5)); err != nil || len(harness.Entries) > 0 {
		t.Error(err, harness.Scan(""))
	}
	_ = harness.Apply(plugin, pay("ann", "bob", 5))
	if got, _ := Get[balance](&harness, "account/bob"); got != (balance{5, 1}) {
		t.Error(got)
	}
}

func TestABatchWithAnUnreadableEventChangesNothing(t *testing.T) {
	var harness Harness
	err := harness.Apply(projection.Keyed(balances{}), pay("ann", "bob", 5), Event("paid", `{"from":"ann","to":"bob","amount":"5"}`))
	expected := `paid, schema version 1: cannot read the payload: field "amount": found text, expected an integer`
	if err == nil || err.Error() != expected || len(harness.Entries) > 0 {
		t.Error(err)
	}
}

// everything uses all that a projection has.
type everything struct{}

func (everything) Manifest() projection.Manifest {
	return projection.Manifest{Name: "everything", Version: "1.0.0", Description: "uses all there is", Categories: []string{"test"}}
}

func (everything) Apply(events []polyfold.Event) error {
	for i := range events {
		event := &events[i]
		if err := event.ExpectSchemaVersion(1, "update this plugin"); err != nil {
			return err
		}
		state.PutBytes(fmt.Sprintf("e/%03d", event.Sequence), event.CBOR)
		polyfold.Log(polyfold.LevelInfo, "%s %s", event.Category(), event.StreamName())
		if err := state.Put("last", []string{polyfold.EnvelopeOf(event.Sequence).ID, polyfold.Parameters()}); err != nil {
			return err
		}
		state.Write([]state.Change{state.Unset("e/002")})
	}
	pages := 0
	for range state.All("e/", 1) {
		pages++
	}
	return state.Put("pages", pages)
}

func TestStateContextAndLog(t *testing.T) {
	harness := Harness{BatchSize: 2, Envelopes: map[uint64]*polyfold.Envelope{3: {ID: "order-3"}}}
	events := Events("{\"stream\":\"test/1\",\"type\":\"x\",\"data\":{\"a\":1.0}}\n\n{\"stream\":\"test/1\",\"type\":\"x\"}\n{\"stream\":\"test/2\",\"type\":\"x\"}")
	other := Event("x", "null")
	other.Stream = "other/1"
	if err := harness.Apply(everything{}, append(events, other)...); err != nil {
		t.Fatal(err)
	}
	expected := []string{`e/001 {"a":1}`, `e/003 null`, `last ["order-3","{}"]`, "pages 2"}
	if got := harness.Scan(""); !slices.Equal(got, expected) {
		t.Error(got)
	}
	if len(harness.Logs) != 3 || harness.Logs[0].Message != "test 1" {
		t.Error(harness.Logs)
	}
	late := Event("x", "null")
	late.SchemaVersion = 2
	if err := harness.Apply(everything{}, late); err == nil || err.Error() != "x, schema version 2: expected schema version 1: update this plugin" {
		t.Error(err)
	}
}
