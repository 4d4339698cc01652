"""CBOR: the examples of RFC 8949, what is refused, and random values there and back."""

import math
import random
import unittest

from polyfold import cbor

# RFC 8949, appendix A, and the edges of each length.
EXAMPLES = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65535, "19ffff"),
    (65536, "1a00010000"),
    (2**53 + 1, "1b0020000000000001"),
    (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"),
    (-(2**63), "3b7fffffffffffffff"),
    (-(2**64), "3bffffffffffffffff"),
    (0.0, "f90000"),
    (-0.0, "f98000"),
    (1.0, "f93c00"),
    (1.1, "fb3ff199999999999a"),
    (65504.0, "f97bff"),
    (65505.0, "fa477fe100"),
    (100000.0, "fa47c35000"),
    (3.4028234663852886e38, "fa7f7fffff"),
    (1e300, "fb7e37e43c8800759c"),
    (5.960464477539063e-8, "f90001"),
    (2.0**-25, "fa33000000"),
    (5e-324, "fb0000000000000001"),
    (math.inf, "f97c00"),
    (-math.inf, "f9fc00"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (cbor.Simple(23), "f7"),
    (cbor.Simple(255), "f8ff"),
    (cbor.Tag(1, 1363896240), "c11a514b67b0"),
    (b"\x01\x02", "420102"),
    ("\u00fc", "62c3bc"),
    ("\U00010151", "64f0908591"),
    ([], "80"),
    ([1, [2, 3]], "8201820203"),
    ({}, "a0"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    ({"b": 1, "aa": 2, "a": 3, 10: 4, -1: 5}, "a50a04200561610361620162616102"),
    (cbor.Pairs([(1, "a"), (1.0, "b")]), "a2016161f93c006162"),
]


class CborTest(unittest.TestCase):
    def test_values_have_one_form_and_come_back_from_it(self) -> None:
        for value, expected in EXAMPLES:
            with self.subTest(value=value):
                self.assertEqual(cbor.encode(value).hex(), expected)
                back = cbor.decode(bytes.fromhex(expected))
                self.assertEqual(back, value)
                self.assertIs(type(back), type(value))
        self.assertEqual(math.copysign(1, cbor.decode(bytes.fromhex("f98000"))), -1)

    def test_every_nan_is_the_same(self) -> None:
        for form in ("f97e00", "fa7fc00001", "fbfff8000000000001"):
            self.assertEqual(cbor.encode(cbor.decode(bytes.fromhex(form))).hex(), "f97e00")

    def test_what_is_malformed_is_an_error(self) -> None:
        forms = ["", "18", "1bff", "62c3", "61ff", "5803aabb", "9bffffffffffffffff", "bbffffffffffffffff00", "a201010102",
                 "1c", "5f", "9f01ff", "ff", "f818", "fc", "0000", "f9", "fb00", "c1", "7bffffffffffffffff"]  # fmt: skip
        for form in forms:
            with self.subTest(form=form), self.assertRaises(cbor.Error):
                cbor.decode(bytes.fromhex(form))

    def test_random_bytes_are_a_value_or_an_error(self) -> None:
        dice = random.Random(7)
        for _ in range(20_000):
            try:
                cbor.decode(dice.randbytes(dice.randrange(12)))
            except cbor.Error:
                pass

    def test_nesting_has_a_bound(self) -> None:
        deep = b"\x81" * 128 + b"\x00"
        self.assertEqual(cbor.encode(cbor.decode(deep)), deep)
        for too_deep in (b"\x81" + deep, b"\xc1" * 129 + b"\x00", b"\x81" * 100_000):
            with self.assertRaisesRegex(cbor.Error, "128 levels"):
                cbor.decode(too_deep)
        value: list[object] = []
        for _ in range(128):
            value = [value]
        with self.assertRaisesRegex(cbor.Error, "128 levels"):
            cbor.encode(value)

    def test_what_has_no_form_is_an_error(self) -> None:
        for value in (2**64, -(2**64) - 1, {1, 2}, object(), cbor.Pairs([(1, 1), (1, 2)])):
            with self.subTest(value=value), self.assertRaises(cbor.Error):
                cbor.encode(value)

    def test_random_values_come_back(self) -> None:
        dice = random.Random(1)

        def value(depth: int) -> object:
            kind = dice.randrange(8 if depth else 6)
            if kind == 0:
                return dice.randrange(-(2**64), 2**64) >> dice.randrange(64)
            if kind == 1:
                return dice.choice([0.5, -0.0, 1e300, 2.0**-24, 2.0**-30, 65519.0, dice.random()])
            if kind == 2:
                return "x\u00fc\U0001f600" * dice.randrange(100)
            if kind == 3:
                return dice.randbytes(dice.randrange(300))
            if kind in (4, 5):
                return dice.choice([None, True, False])
            if kind == 6:
                return [value(depth - 1) for _ in range(dice.randrange(30))]
            return {f"k{key}": value(depth - 1) for key in range(dice.randrange(30))}

        for _ in range(500):
            made = value(3)
            written = cbor.encode(made)
            self.assertEqual(cbor.decode(written), made)
            self.assertEqual(cbor.encode(cbor.decode(written)), written)


if __name__ == "__main__":
    unittest.main()
