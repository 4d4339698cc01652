"""The harness: state, context, log, parameters and upcasters as a host has them."""

import unittest
from collections.abc import Sequence
from typing import Any

from polyfold import Envelope, Event, Manifest, Projection, Refused, Step, Upcaster, UpcasterManifest, context, log, state
from polyfold.cbor import Tag
from polyfold.testing import Harness, event, events


class Everything(Projection):
    manifest = Manifest("everything", "1.0.0", "uses all there is", categories=["test"])

    def apply(self, events: Sequence[Event]) -> None:
        for event in events:
            event.expect_schema_version(1, "update this plugin")
            state.put(f"e/{event.sequence:03}", event.data())
            log.info(f"{event.category} {event.stream_name}")
            envelope = context.envelope_of(event.sequence)
            assert envelope is not None
            state.write([("last", [envelope.id, context.parameters()])], deletes=["e/002"])


class Lifts(Upcaster):
    manifest = UpcasterManifest("lifts", "1.0.0", "two steps", [Step("a", 1), Step("a", 2, "b")])

    def upcast(self, event: Event, payload: Any) -> Any:
        return {**payload, f"by{event.schema_version}": 1.0}


class HarnessTest(unittest.TestCase):
    def test_state_context_and_log(self) -> None:
        harness = Harness(Everything, batch_size=2, parameters={"a": 1})
        harness.envelopes[3] = Envelope("order-3")
        harness.apply([event("x", {"n": n}) for n in (2**63, 1.5, b"\xff")] + [event("x", stream="other/1")])
        self.assertEqual(harness.scan("e/"), {"e/001": {"n": 2**63}, "e/003": {"n": "_w"}})
        self.assertEqual(harness.get("last"), ["order-3", {"a": 1}])
        self.assertEqual([logged.message for logged in harness.logs], ["test 1"] * 3)
        with self.assertRaisesRegex(Refused, "^x, schema version 2: expected schema version 1: update this plugin$"):
            harness.apply([event("x", schema_version=2)])

    def test_pages_follow_one_another(self) -> None:
        class Scans(Everything):
            def apply(self, events: Sequence[Event]) -> None:
                keys = [f"k{n}" for n in range(25)] + ["l"]
                state.write((key, 1) for key in keys)
                in_order = sorted(keys[:-1])
                assert [key for key, _ in state.scan_all("k", page=10)] == in_order
                assert [key for key, _ in state.scan("k", after="k5")] == ["k6", "k7", "k8", "k9"]
                assert state.get_many(["k1", "none"]) == [1, None]

        Harness(Scans).apply([event("x")])

    def test_events_are_read_from_exported_lines(self) -> None:
        harness = Harness(Everything)
        harness.apply(events('{"stream":"test/9","type":"x","data":{"a":1.0}}\n\n{"stream":"test/9","type":"y"}'))
        self.assertEqual(harness.entries["e/001"], b'{"a":1.0}')

    def test_an_upcaster_makes_every_step_and_leaves_other_fields_alone(self) -> None:
        payload = {"bytes": b"\x00", "tag": Tag(9, 1.0), "int": 2**64 - 1}
        lifted = Harness(Lifts).upcast(event("a", payload))
        self.assertEqual((lifted.event_type, lifted.schema_version), ("b", 3))
        self.assertEqual(lifted.data(), {**payload, "by1": 1.0, "by2": 1.0})

    def test_without_a_host_the_way_out_is_named(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "polyfold.testing.Harness"):
            state.get("x")


if __name__ == "__main__":
    unittest.main()
