"""The keyed fold: batch cuts, values not worth keeping, and mistakes an author can make."""

import unittest
from typing import Any

from polyfold import Event, Keyed, Manifest, Refused, fail
from polyfold.testing import Harness, event

NAMES = ("ann", "bob", "cid", "dan")


class Balances(Keyed[dict[str, Any], dict[str, int]]):
    """`paid` moves an amount between two accounts; an account at zero has no entry."""

    manifest = Manifest("balances", "1.0.0", "what each account holds")

    def keys(self, event: Event, paid: dict[str, Any]) -> list[str]:
        if paid["amount"] < 0:
            fail(f"{event.stream} pays {paid['amount']}")
        return [f"account/{paid['from']}", f"account/{paid['to']}"]

    def fold(self, balance: dict[str, int] | None, event: Event, paid: dict[str, Any], key: str) -> dict[str, int]:
        balance = balance or {"amount": 0, "payments": 0}
        balance["amount"] += -paid["amount"] if key.endswith(paid["from"]) else paid["amount"]
        balance["payments"] += 1
        return balance

    def keep(self, balance: dict[str, int]) -> bool:
        return balance["amount"] != 0


class BalancesInCbor(Balances):
    manifest = Manifest("balances", "1.0.0", "the same", payload_encoding="cbor", state_encoding="cbor")


def payments() -> list[Event]:
    return [
        event("paid", {"from": NAMES[i % 3], "to": NAMES[(i * 7 + 1) % 4], "amount": i % 5}) for i in range(200)
    ]


class KeyedTest(unittest.TestCase):
    def test_where_batches_are_cut_does_not_matter(self) -> None:
        for plugin in (Balances, BalancesInCbor):
            whole = Harness(plugin)
            whole.apply(payments())
            for size in (1, 2, 3, 7, 199):
                cut = Harness(plugin, batch_size=size)
                cut.apply(payments())
                self.assertEqual(cut.entries, whole.entries, f"batches of {size}")

    def test_a_value_not_worth_keeping_has_no_entry_and_starts_afresh(self) -> None:
        harness = Harness(Balances)
        there = event("paid", {"from": "ann", "to": "bob", "amount": 5})
        back = event("paid", {"from": "bob", "to": "ann", "amount": 5})
        harness.apply([there, back])
        self.assertEqual(harness.entries, {})
        harness.apply([there])
        self.assertEqual(harness.get("account/bob"), {"amount": 5, "payments": 1})

    def test_a_batch_that_fails_changes_nothing(self) -> None:
        harness = Harness(Balances)
        good = event("paid", {"from": "ann", "to": "bob", "amount": 5})
        bad = event("paid", {"from": "ann", "to": "bob", "amount": -5})
        with self.assertRaisesRegex(Refused, "^test/1 pays -5$"):
            harness.apply([good, bad])
        with self.assertRaises(KeyError):
            harness.apply([good, event("paid", {})])
        self.assertEqual(harness.entries, {})

    def test_a_fold_that_returns_nothing_is_told_so(self) -> None:
        class Forgetful(Balances):
            def fold(self, balance: Any, event: Event, paid: Any, key: str) -> Any:
                return None

        with self.assertRaisesRegex(TypeError, "Forgetful.fold returned None for the key 'account/ann'"):
            Harness(Forgetful).apply(payments())

    def test_a_value_that_json_would_change_is_named(self) -> None:
        class Numbered(Balances):
            def fold(self, balance: Any, event: Event, paid: Any, key: str) -> Any:
                return {"amount": 1, 7: 1}

        with self.assertRaisesRegex(TypeError, "the value of 'account/ann' is .* and comes back from the state as"):
            Harness(Numbered).apply(payments())


if __name__ == "__main__":
    unittest.main()
