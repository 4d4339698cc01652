"""The digest of a state and the check of a proof, by the words of host/src/state/FORMAT.md and without this program.

    state_tree.py                     computes the digests that FORMAT.md names
    state_tree.py DIGEST KEY <PROOF   checks a proof; prints the value's digest and length, or that there is none

Needs the package blake3.
"""

import re
import struct
import sys
from pathlib import Path

from blake3 import blake3

ITEMS_MAX = 32
LEVELS_MAX = 32
PROOF_BYTES_MAX = 1 << 20
CONTEXT = "polyfold 2026-11-21 state tree node 1"


def rank(level, key):
    return int.from_bytes(blake3(bytes([level]) + key).digest()[:8], "little")


def cuts(ranks, start, end):
    """The cuts among the places from `start` up to `end`, by the rule as it is written."""
    if end - start < ITEMS_MAX:
        return []
    lowest = min(range(start, end), key=lambda place: (ranks[place], place))
    return cuts(ranks, start, lowest) + [lowest] + cuts(ranks, lowest + 1, end)


def summary(encoding, items):
    digest = blake3(encoding, derive_key_context=CONTEXT).digest()
    key = items[0][0] if items else b""
    return key, digest, sum(item[2] for item in items), sum(item[3] for item in items)


def encode(level, items):
    parts = [struct.pack("<I", len(key)) + key + digest + struct.pack("<QQ", *sums) for key, digest, *sums in items]
    return bytes([level, len(items)]) + b"".join(parts)


def digest_of(entries):
    """The digest of a state, from its entries in key order."""
    items = [(key, blake3(value).digest(), 1, len(key) + len(value)) for key, value in entries]
    for level in range(LEVELS_MAX):
        bounds = [0, *cuts([rank(level, item[0]) for item in items], 1, len(items)), len(items)]
        nodes = [items[start:end] for start, end in zip(bounds, bounds[1:])]
        items = [summary(encode(level, node), node) for node in nodes]
        if len(items) == 1:
            return items[0][1].hex()
    raise ValueError("more levels than there can be")


def take(proof, length):
    if len(proof) < length:
        raise ValueError("cut off")
    return proof[:length], proof[length:]


def decode(node):
    (level, count), rest = take(node, 2)
    items = []
    for _ in range(count):
        length, rest = take(rest, 4)
        key, rest = take(rest, struct.unpack("<I", length)[0])
        digest, rest = take(rest, 32)
        sums, rest = take(rest, 16)
        key.decode()
        entries, size = struct.unpack("<QQ", sums)
        if items and items[-1][0] >= key or level == 0 and (entries != 1 or size < len(key)):
            raise ValueError("no node")
        items.append((key, digest, entries, size))
    if rest or count > ITEMS_MAX or max(sum(item[2] for item in items), sum(item[3] for item in items)) >= 1 << 64:
        raise ValueError("no node")
    return level, items


def check(root, key, proof):
    """What the state with that digest has under a key: digest and length of the value, or None."""
    if len(proof) > PROOF_BYTES_MAX:
        raise ValueError("too large")
    (count,), rest = take(proof, 1)
    expected, end = None, None
    for above in reversed(range(count)):
        length, rest = take(rest, 4)
        encoding, rest = take(rest, struct.unpack("<I", length)[0])
        level, items = decode(encoding)
        if level != above or count > LEVELS_MAX or not items and count > 1:
            raise ValueError("no way down")
        found = summary(encoding, items)
        if found[1] != root if expected is None else found != expected:
            raise ValueError(f"another node at level {level}")
        if end is not None and items[-1][0] >= end:
            raise ValueError(f"the node at level {level} reaches into its neighbour")
        at = max(sum(item[0] <= key for item in items) - 1, 0)
        expected = items[at] if items else None
        end = items[at + 1][0] if at + 1 < len(items) else end
    if rest or count == 0:
        raise ValueError("no proof")
    is_there = expected is not None and expected[0] == key
    return (expected[1].hex(), expected[3] - len(key)) if is_there else None


def check_known():
    text = (Path(__file__).parent / "../../host/src/state/FORMAT.md").read_text()
    known = re.findall(r"^\| ([0-9,]+) \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    assert len(known) == 4, known
    for number, expected in known:
        count = int(number.replace(",", ""))
        found = digest_of([(b"key/%05d" % at, b"value %d" % at) for at in range(count)])
        assert found == expected, f"{count} entries: {found}, not {expected}"
    print(f"{len(known)} digests are as FORMAT.md has them")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        check_known()
    else:
        found = check(bytes.fromhex(sys.argv[1]), sys.argv[2].encode(), sys.stdin.buffer.read())
        print("no such entry" if found is None else f"{found[0]}, {found[1]} bytes")
