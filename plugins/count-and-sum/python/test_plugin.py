"""What the benchmark's projection makes of a few flights."""

import unittest

from plugin import CountAndSum
from polyfold.testing import Harness, event


class CountAndSumTest(unittest.TestCase):
    def test_minutes_add_up_wherever_batches_are_cut(self) -> None:
        for batch_size in (1, 2, 3, 100):
            harness = Harness(CountAndSum, batch_size=batch_size)
            flights = [("N1", 60), ("N2", 30), ("N1", 45), (None, 7), ("N1", 1)]
            harness.apply([event("flight.arrived", {"tailnum": tail, "air_time": time}) for tail, time in flights])
            harness.apply([event("flight.arrived", {"air_time": 5}), event("flight.departed", {})])
            self.assertEqual(harness.scan(), {"N1": {"count": 3, "sum": 106}, "N2": {"count": 1, "sum": 30}})
            self.assertEqual(harness.entries["N1"], b'{"count":3,"sum":106}')


if __name__ == "__main__":
    unittest.main()
