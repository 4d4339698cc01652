"""What the conformance upcaster makes of single events; the golden trace asks for the rest."""

import unittest

from plugin import ConformanceV2
from polyfold import Refused
from polyfold.testing import Harness, event


class ConformanceV2Test(unittest.TestCase):
    def test_a_sample_takes_both_steps(self) -> None:
        payload = {"int": 2**64 - 1, "float": 1.0, "text": "x", "other": b"\xff"}
        lifted = Harness(ConformanceV2).upcast(event("sample", payload))
        self.assertEqual(lifted.schema_version, 3)
        expected = {"integer": 2**64 - 1, "measure": {"value": 1.0}, "texts": ["x"], "other": b"\xff", "lifted": 2}
        self.assertEqual(lifted.data(), expected)
        self.assertIs(type(lifted.data()["measure"]["value"]), float)

    def test_a_specimen_becomes_a_sample(self) -> None:
        lifted = Harness(ConformanceV2).upcast(event("specimen", {}))
        self.assertEqual((lifted.event_type, lifted.schema_version), ("sample", 3))
        self.assertEqual(lifted.data(), {"lifted": 2, "was": "specimen"})

    def test_a_payload_can_refuse(self) -> None:
        with self.assertRaisesRegex(Refused, "^no$"):
            Harness(ConformanceV2).upcast(event("sample", {"fail": "no"}, schema_version=2))


if __name__ == "__main__":
    unittest.main()
