"""Tests of {{name}}, without WebAssembly: `python3 -m unittest`."""

import unittest

from plugin import RevenueByCountry
from polyfold import Refused
from polyfold.testing import Harness, event


class RevenueByCountryTest(unittest.TestCase):
    def test_orders_add_up_wherever_batches_are_cut(self) -> None:
        orders = [("FR", 10), ("DE", 2.5), ("FR", 5)]
        for batch_size in (1, 2, 3):
            harness = Harness(RevenueByCountry, batch_size=batch_size)
            harness.apply(event("order.placed", {"country": country, "euros": euros}) for country, euros in orders)
            self.assertEqual(
                harness.scan("country/"),
                {"country/DE": {"orders": 1, "euros": 2.5}, "country/FR": {"orders": 2, "euros": 15}},
            )

    def test_an_order_below_nothing_is_refused(self) -> None:
        order = event("order.placed", {"country": "FR", "euros": -3}, stream="order/7")
        with self.assertRaisesRegex(Refused, "^order/7 costs -3 euros, less than nothing$"):
            Harness(RevenueByCountry).apply([order])

    def test_another_schema_version_is_refused(self) -> None:
        order = event("order.placed", {"country": "FR", "cents": 300}, schema_version=2)
        with self.assertRaisesRegex(Refused, "expected schema version 1"):
            Harness(RevenueByCountry).apply([order])


if __name__ == "__main__":
    unittest.main()
