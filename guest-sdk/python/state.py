"""The projection's state: entries, ordered by key.

Reads see the writes of the same call. Keys are 1 to 1,024 bytes, values at most 1 MiB; what breaks a limit ends the
call. A host call costs some microseconds, so `get_many` and `write` beat `get` and `put` in a loop.

Values are written and read as the manifest's `state_encoding` says; the functions named `_bytes` leave them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import host
from .codec import DECODE, ENCODE

PAGE_MAX = 1000


def get(key: str) -> Any:
    """Returns the value of a key; None if there is no such entry."""
    value = host.get(key)
    return None if value is None else DECODE[host.state_encoding](value)


def get_many(keys: Sequence[str]) -> list[Any]:
    """Returns the values of many keys, in their order, by one host call; None for those without an entry."""
    decode = DECODE[host.state_encoding]
    return [None if value is None else decode(value) for value in host.get_many(list(keys))]


def put(key: str, value: Any) -> None:
    """Sets the value of a key."""
    host.put(key, ENCODE[host.state_encoding](value))


def delete(key: str) -> None:
    """Removes a key; nothing happens if there is no such entry."""
    host.delete(key)


def write(puts: Iterable[tuple[str, Any]], deletes: Iterable[str] = ()) -> None:
    """Sets many values and then removes many keys, by one host call."""
    encode = ENCODE[host.state_encoding]
    changes: list[tuple[str, bytes | None]] = [(key, encode(value)) for key, value in puts]
    changes.extend((key, None) for key in deletes)
    host.write(changes)


def scan(prefix: str = "", after: str | None = None, limit: int = PAGE_MAX) -> list[tuple[str, Any]]:
    """Returns up to `limit` entries (never more than 1,000 or 4 MiB) whose key starts with `prefix`, in key order,
    behind the key `after` if it is given. Only an empty answer means that there are no more."""
    decode = DECODE[host.state_encoding]
    return [(key, decode(value)) for key, value in host.scan(prefix, after, limit)]


def scan_all(prefix: str = "", page: int = PAGE_MAX) -> Iterator[tuple[str, Any]]:
    """Goes through all entries whose key starts with `prefix`, in key order, `page` of them a host call."""
    decode = DECODE[host.state_encoding]
    return ((key, decode(value)) for key, value in scan_all_bytes(prefix, page))


def get_bytes(key: str) -> bytes | None:
    """Returns the bytes of a key's value."""
    return host.get(key)


def get_many_bytes(keys: Sequence[str]) -> list[bytes | None]:
    """Returns the bytes of many keys' values, in their order, by one host call."""
    return host.get_many(list(keys))


def put_bytes(key: str, value: bytes) -> None:
    """Sets the bytes of a key's value."""
    host.put(key, value)


def write_bytes(changes: Sequence[tuple[str, bytes | None]]) -> None:
    """Makes many changes in their order, by one host call: a key and its new bytes, or None to remove it."""
    host.write(changes)


def scan_bytes(prefix: str = "", after: str | None = None, limit: int = PAGE_MAX) -> list[tuple[str, bytes]]:
    """Returns entries as `scan` does, their values as bytes."""
    return host.scan(prefix, after, limit)


def scan_all_bytes(prefix: str = "", page: int = PAGE_MAX) -> Iterator[tuple[str, bytes]]:
    """Goes through entries as `scan_all` does, their values as bytes."""
    after: str | None = None
    while entries := host.scan(prefix, after, page):
        yield from entries
        after = entries[-1][0]


def encode(value: Any) -> bytes:
    """Writes a value as `put` does, for `write_bytes`."""
    return ENCODE[host.state_encoding](value)
