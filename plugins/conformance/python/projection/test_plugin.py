"""What the conformance projection makes of single events; the golden trace asks for the rest."""

import math
import unittest
from typing import Any

from plugin import Conformance
from polyfold import Envelope, Refused, cbor
from polyfold.testing import Harness, Logged, event


def apply(*payloads: dict[str, Any], **options: Any) -> Harness:
    harness = Harness(Conformance, **options)
    harness.envelopes[1] = Envelope("id-1", metadata={"b": "1", "a": "2"}, tags=["t"])
    harness.apply(event("probe", payload) for payload in payloads)
    return harness


class ConformanceTest(unittest.TestCase):
    def test_echo_keeps_every_value(self) -> None:
        for value in (2**64 - 1, -(2**63), 1.0, -0.0, "\U0001f600", b"\xff", {}, {"a": {}}, [], None, True):
            harness = apply({"op": "echo", "key": "k", "value": value})
            self.assertEqual(harness.entries["echo/k"], cbor.encode(value))

    def test_sums_keep_what_they_are(self) -> None:
        one = {"op": "sum", "key": "k", "int": 2**62, "float": -0.0}
        harness = apply(one)
        self.assertEqual(harness.entries["sum/k"].hex(), cbor.encode({"count": 1, "int": 2**62, "float": -0.0}).hex())
        with self.assertRaisesRegex(Refused, "^sum/k does not fit 64 bits$"):
            harness.apply([event("probe", one)])

    def test_division_truncates(self) -> None:
        for a, b, quotient, remainder in ((7, 2, 3, 1), (-7, 2, -3, -1), (7, -2, -3, 1), (-7, -2, 3, -1)):
            harness = apply({"op": "divide", "key": "k", "a": a, "b": b})
            self.assertEqual(harness.get("divide/k"), {"quotient": quotient, "remainder": remainder})

    def test_floats_are_added_from_left_to_right(self) -> None:
        made = apply({"op": "floats", "key": "k", "values": [0.1, 0.2, 0.3, -0.0, 0.0]}).get("floats/k")
        self.assertEqual(made["sum"], 0.1 + 0.2 + 0.3)
        self.assertEqual(math.copysign(1, made["min"]), -1)
        made = apply({"op": "floats", "key": "k", "values": [0.0, -0.0]}).get("floats/k")
        self.assertEqual((math.copysign(1, made["min"]), math.copysign(1, made["max"])), (-1, 1))
        made = apply({"op": "floats", "key": "k", "values": [1.0, math.nan]}).get("floats/k")
        self.assertTrue(math.isnan(made["min"]) and math.isnan(made["max"]))

    def test_large_entries_have_the_size_that_is_asked_for(self) -> None:
        harness = apply({"op": "large", "key_bytes": 1024, "value_bytes": 2**20, "seed": 7})
        [(key, value)] = harness.entries.items()
        self.assertEqual((len(key), len(value)), (1024, 2**20))
        self.assertEqual(value[5 + 1000], (1000 * 31 + 7) % 256)

    def test_scan_many_write_and_delete(self) -> None:
        entries = [["a", 1], ["b", "x"], ["a"]]
        harness = apply(
            {"op": "write", "entries": entries},
            {"op": "many", "keys": ["a", "b", "c"]},
            {"op": "fill", "prefix": "p", "count": 25},
            {"op": "scan", "prefix": "fill/", "page": 10},
            {"op": "delete", "key": "b"},
        )
        self.assertEqual(harness.get("many/2"), {"found": 1, "bytes": 2})
        self.assertEqual(harness.get("scan/4")["entries"], 25)
        self.assertEqual(harness.scan("echo/"), {})

    def test_context_parameters_and_log(self) -> None:
        log = {"op": "log", "level": "warn", "message": "m"}
        harness = apply({"op": "context"}, {"op": "parameters"}, log, parameters={"a": 1})
        self.assertEqual(harness.get("context/1")["metadata"], {"a": "2", "b": "1"})
        self.assertEqual(harness.get("parameters"), '{"a":1}')
        self.assertEqual(harness.logs, [Logged("warn", "m")])

    def test_refusals_have_exactly_their_text(self) -> None:
        for payload, message in (
            ({"op": "fail", "message": "no"}, "no"),
            ({"op": "nonsense"}, "unknown op nonsense"),
            ({"op": "divide", "key": "k", "a": 1, "b": 0}, "division by zero"),
            ({"op": "floats", "key": "k", "values": []}, "no values"),
        ):
            with self.assertRaisesRegex(Refused, f"^{message}$"):
                apply(payload)


if __name__ == "__main__":
    unittest.main()
