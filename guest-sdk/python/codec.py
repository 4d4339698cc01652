"""Values to and from the bytes of a payload or an entry, in each encoding that a manifest can name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import cbor

# NaN and the infinities are no JSON: they are an error rather than a text that nobody else can read.
_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _encoder() -> Callable[[Any], str]:
    """Makes the interpreter's compiled encoder once instead of once a value, which halves the cost of a small one."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _json.encode
    escaped = json.encoder.encode_basestring
    encode = make(None, _json.default, escaped, None, ":", ",", False, False, False)
    return lambda value: "".join(encode(value, 0))


to_json = _encoder()


def _json_bytes(value: Any) -> bytes:
    return to_json(value).encode()


def _text_bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"the state's encoding is text, and this is {type(value).__name__}")
    return value.encode()


def _own_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"the state's encoding is bytes, and this is {type(value).__name__}")
    return value


def _same(value: bytes) -> bytes:
    return value


ENCODE: dict[str, Callable[[Any], bytes]] = {
    "json": _json_bytes,
    "cbor": cbor.encode,
    "text": _text_bytes,
    "bytes": _own_bytes,
}

DECODE: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "cbor": cbor.decode,
    "text": bytes.decode,
    "bytes": _same,
}
