"""Keyed fold: an event names keys, and is folded into the value of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from . import cbor, host
from .codec import DECODE, ENCODE
from .event import Event
from .plugin import Projection

P = TypeVar("P")
V = TypeVar("V")


class Keyed(Projection, Generic[P, V]):
    """A projection whose events each belong to some keys and are folded into the values of these.

    P is the payload's type and V the values', for type checkers: mostly each a `TypedDict`. A batch is folded in
    memory: one host call reads the values of all its keys, one writes those that changed. The result does not depend
    on where batches are cut, as long as a value that is written and read again is the same value: in JSON, the keys of
    a dict are text, and there are lists but no tuples. `testing.Harness` looks whether that is so.
    """

    def keys(self, event: Event, payload: P) -> Iterable[str] | str | None:
        """Names the keys that the event belongs to: one, several or none."""
        raise NotImplementedError(f"{type(self).__name__} has no keys")

    def fold(self, value: V | None, event: Event, payload: P, key: str) -> V:
        """Returns the value of one of the event's keys after the event; before it is None if there is no entry."""
        raise NotImplementedError(f"{type(self).__name__} has no fold")

    def keep(self, value: V) -> bool:
        """Says whether a value is worth an entry; where it is not, the key has none, and starts from None again."""
        return True

    def apply(self, events: Sequence[Event]) -> None:
        work, names = self._gather(events)
        if not names:
            return
        stored = host.get_many(names)
        values = dict(zip(names, _decode_all(stored)))
        self._fold(work, values)
        changes = _changes(names, stored, values)
        if changes:
            host.write(changes)

    def _gather(self, events: Sequence[Event]) -> tuple[list[tuple[Event, P, Any]], list[str]]:
        """Returns each event with its payload and its keys, and all keys in the order in which they first come."""
        keys_of = self.keys
        work: list[tuple[Event, P, Any]] = []
        # A dict, because a set would put them into an order that differs between two builds.
        names: dict[str, None] = {}
        for event, payload in zip(events, _payloads(events)):
            keys = keys_of(event, payload)
            if keys is None:
                continue
            if isinstance(keys, str):
                names[keys] = None
                work.append((event, payload, (keys,)))
                continue
            keys = tuple(keys)
            for key in keys:
                names[key] = None
            work.append((event, payload, keys))
        return work, list(names)

    def _fold(self, work: list[tuple[Event, P, Any]], values: dict[str, Any]) -> None:
        """Folds the events into the values; None stands for no entry."""
        fold, keep = self.fold, self.keep
        keeps_all = type(self).keep is Keyed.keep
        for event, payload, keys in work:
            for key in keys:
                value = fold(values[key], event, payload, key)
                if value is None:
                    raise TypeError(f"{type(self).__name__}.fold returned None for the key {key!r}: return the value")
                # If the batch ended here the entry would be deleted, so what follows must start afresh, too.
                values[key] = value if keeps_all or keep(value) else None


def _payloads(events: Sequence[Event]) -> list[Any]:
    values = [event.payload.value for event in events]
    if values and isinstance(values[0], str):
        # One call of the parser for all of them: its set-up costs more than a small payload.
        return json.loads(f"[{','.join(values)}]")  # type: ignore[arg-type]
    return [cbor.decode(value) for value in values]  # type: ignore[arg-type]


def _decode_all(stored: list[bytes | None]) -> list[Any]:
    decode = DECODE[host.state_encoding]
    if host.state_encoding == "json":
        texts = b",".join([value or b"null" for value in stored])
        return json.loads(b"[%b]" % texts)
    return [None if value is None else decode(value) for value in stored]


def _changes(names: list[str], stored: list[bytes | None], values: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    """Lists what differs from the state."""
    encode = ENCODE[host.state_encoding]
    changes: list[tuple[str, bytes | None]] = []
    for key, old in zip(names, stored):
        value = values[key]
        new = None if value is None else encode(value)
        if host.is_checked and new is not None:
            _check_survives(key, value, new)
        if new != old:
            changes.append((key, new))
    return changes


def _check_survives(key: str, value: Any, written: bytes) -> None:
    read = DECODE[host.state_encoding](written)
    if ENCODE[host.state_encoding](read) != written or read != value:
        raise TypeError(f"the value of {key!r} is {value!r}, and comes back from the state as {read!r}")
