"""Changes one byte of what run.sh hands over, as somebody does who wants to deceive, or a disk that fails."""

import base64
import json
import pathlib
import sys


def flip_last(data):
    """Flips a bit of the last byte."""
    return data[:-1] + bytes([data[-1] ^ 1])


def value_of(document):
    value = document["entry"]["value"]
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


def entry(source, target):
    document = json.loads(pathlib.Path(source).read_text())
    document["entry"]["value"] = {"base64": base64.b64encode(flip_last(value_of(document))).decode()}
    pathlib.Path(target).write_text(json.dumps(document))


def state_digest(source, target):
    document = json.loads(pathlib.Path(source).read_text())
    digest = document["receipt"]["state_digest"]
    document["receipt"]["state_digest"] = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    pathlib.Path(target).write_text(json.dumps(document))


def state_file(proof, folder):
    value = value_of(json.loads(pathlib.Path(proof).read_text()))
    (file,) = pathlib.Path(folder).glob("*.redb")
    # Pages of earlier commits may still have it.
    file.write_bytes(file.read_bytes().replace(value, flip_last(value)))


def log(proof, file):
    envelope = base64.b64decode(json.loads(pathlib.Path(proof).read_text())["event"]["envelope"])
    # The last block is not compressed, and there may be copies of it from earlier commits.
    path = pathlib.Path(file)
    data = path.read_bytes()
    assert envelope in data
    path.write_bytes(data.replace(envelope, flip_last(envelope)))


def plugin(receipt, folder, target):
    digest = json.loads(pathlib.Path(receipt).read_text())["receipt"]["deployment"]["plugin"]
    file = pathlib.Path(folder) / f"{digest}.wasm"
    changed = flip_last(file.read_bytes())
    file.write_bytes(changed)
    pathlib.Path(target).write_bytes(changed)
    print(digest)


CHANGES = {"entry": entry, "state-digest": state_digest, "state-file": state_file, "log": log, "plugin": plugin}
CHANGES[sys.argv[1]](*sys.argv[2:])
