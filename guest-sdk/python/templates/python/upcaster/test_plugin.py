"""Tests of {{name}}, without WebAssembly: `python3 -m unittest`."""

import unittest

from plugin import OrdersV2, cents
from polyfold.testing import Harness, event


class OrdersV2Test(unittest.TestCase):
    def test_euros_become_cents_and_all_else_stays(self) -> None:
        old = event("order.placed", {"country": "FR", "euros": 9.5, "note": b"\xff"})
        new = Harness(OrdersV2).upcast(old)
        self.assertEqual(new.schema_version, 2)
        self.assertEqual(new.data(), {"country": "FR", "cents": 950, "note": b"\xff"})

    def test_half_a_cent_is_rounded_away_from_zero(self) -> None:
        self.assertEqual([cents(euros) for euros in (0.125, -0.125, 10, 0.124)], [13, -13, 1000, 12])


if __name__ == "__main__":
    unittest.main()
