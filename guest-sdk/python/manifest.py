"""What a plugin says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PayloadEncoding = Literal["json", "cbor"]
StateEncoding = Literal["json", "cbor", "text", "bytes"]


@dataclass(frozen=True)
class View:
    """A name for the entries whose key starts with a prefix."""

    name: str
    prefix: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """A projection: its name (`a`-`z`, `0`-`9`, `-`), a semantic version, a sentence, and what it wants to see.

    No event types or no categories means all of them. JSON payloads are read by the interpreter's own parser, three
    times faster than CBOR; but byte strings come as base64url text in them, and NaN as None.
    """

    name: str
    version: str
    description: str
    event_types: Sequence[str] = ()
    categories: Sequence[str] = ()
    payload_encoding: PayloadEncoding = "json"
    state_encoding: StateEncoding = "json"
    views: Sequence[View] = ()


@dataclass(frozen=True)
class Step:
    """Lifts an event type from a schema version to the next, under a new type if one is given."""

    event_type: str
    schema_version: int
    new_event_type: str | None = None


@dataclass(frozen=True)
class UpcasterManifest:
    """An upcaster: a name, a semantic version, a sentence, and every step it can make.

    Payloads are CBOR unless JSON is asked for, because JSON has no byte strings: fields that the upcaster has never
    heard of would not stay what they are.
    """

    name: str
    version: str
    description: str
    steps: Sequence[Step]
    payload_encoding: PayloadEncoding = "cbor"
