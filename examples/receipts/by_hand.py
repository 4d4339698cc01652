"""Checks a receipt, or a proof of an entry or an event, with none of polyfold's code.

    python3 by_hand.py DOCUMENT.json|DOCUMENT.cbor [PUBLIC KEY]

Needs the packages blake3, cbor2 and cryptography. Ends with what differs, or prints what holds.
"""

import base64
import json
import struct
import sys

import cbor2
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(holds, what):
    if not holds:
        sys.exit(f"refused: {what}")
    print(f"holds: {what}")


def signature(document):
    message = b"polyfold receipt v1\n" + cbor2.dumps(document["receipt"], canonical=True)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["key"]))
    try:
        key.verify(bytes.fromhex(document["signature"]), message)
    except InvalidSignature:
        return False
    return True


def identity(receipt):
    order = ["plugin", "abi", "upcasters", "parameters", "fuel_per_event", "memory_bytes", "limits", "on_fault"]
    deployment = {name: receipt["deployment"][name] for name in order}
    text = json.dumps(deployment, separators=(",", ":"), ensure_ascii=False)
    return blake3(b"polyfold identity v1\n" + text.encode()).hexdigest()


def event_root(event, size):
    """The root to which the path leads; none if it cannot be a path there."""
    node = blake3(b"\0" + bytes.fromhex(event["payload_digest"]) + base64.b64decode(event["envelope"])).digest()
    index, last = event["sequence"] - 1, size - 1
    for beside in map(bytes.fromhex, event["path"]):
        if last == 0:
            return None
        if index % 2 == 1 or index == last:
            node = blake3(b"\1" + beside + node).digest()
            while index % 2 == 0 and index != 0:
                index, last = index // 2, last // 2
        else:
            node = blake3(b"\1" + node + beside).digest()
        index, last = index // 2, last // 2
    return node.hex() if last == 0 else None


def node_digest(encoding):
    return blake3(encoding, derive_key_context="polyfold 2026-11-21 state tree node 1").digest()


def items(encoding):
    """A node's level and its items: key, digest, entries and bytes."""
    level, count, at, found = encoding[0], encoding[1], 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", encoding, at)
        key = encoding[at + 4 : at + 4 + length]
        key.decode()
        digest, entries, size = struct.unpack_from("<32sQQ", encoding, at + 4 + length)
        found.append((key, digest, entries, size))
        at += 4 + length + 48
    assert at == len(encoding) and found == sorted(found) and len({item[0] for item in found}) == len(found)
    assert level > 0 or all(entries == 1 and size >= len(key) for key, _, entries, size in found)
    return level, found


def proved(path, root, key):
    """What the state with that root has under the key: digest and length of the value, or none."""
    nodes, at = [], 1
    for _ in range(path[0]):
        (length,) = struct.unpack_from("<I", path, at)
        nodes.append(path[at + 4 : at + 4 + length])
        at += 4 + length
    assert at == len(path) and node_digest(nodes[0]) == root, "the path begins with another root"
    said, end = None, None
    for depth, encoding in enumerate(nodes):
        level, found = items(encoding)
        assert level == len(nodes) - 1 - depth
        if said is not None:
            sums = (sum(item[2] for item in found), sum(item[3] for item in found))
            assert (found[0][0], node_digest(encoding), *sums) == said, "a node is not the one that is named above it"
            assert end is None or found[-1][0] < end, "a node reaches into its neighbour"
        place = max(sum(item[0] <= key for item in found) - 1, 0)
        end = found[place + 1][0] if place + 1 < len(found) else end
        said = found[place] if found else None
    if said is None or said[0] != key:
        return None
    return said[1].hex(), said[3] - len(key)


def main():
    with open(sys.argv[1], "rb") as file:
        text = file.read()
    document = json.loads(text) if text.lstrip().startswith(b"{") else cbor2.loads(text)
    receipt = document["receipt"]
    check(signature(document), f"the signature of {document['key']}")
    if len(sys.argv) > 2:
        check(document["key"] == sys.argv[2], "that is the key expected")
    if receipt["kind"] == "state":
        check(identity(receipt) == receipt["identity"], f"the identity {receipt['identity']}")
    if entry := document.get("entry"):
        value, expected = entry["value"], None
        if value is not None:
            value = value["text"].encode() if "text" in value else base64.b64decode(value["base64"])
            expected = (blake3(value).hexdigest(), len(value))
        root = bytes.fromhex(receipt["state_digest"])
        check(proved(base64.b64decode(entry["path"]), root, entry["key"].encode()) == expected, f"entry {entry['key']}")
    if event := document.get("event"):
        if "payload" in event:
            payload = blake3(base64.b64decode(event["payload"])).hexdigest()
            check(payload == event["payload_digest"], "the payload's digest")
        check(event_root(event, receipt["sequence"]) == receipt["event_root"], f"event {event['sequence']}")


main()
