"""Runs a plugin natively, without WebAssembly: the state is a dict in memory, and tests look into it.

    harness = Harness(Revenue, batch_size=2)
    harness.apply([event("order.placed", {"country": "FR", "euros": 10})])
    assert harness.get("country/FR") == {"orders": 1, "euros": 10}
"""

from __future__ import annotations

import base64
import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from . import cbor, codec, host
from .event import Envelope, Event, Payload
from .plugin import Projection, Upcaster

# The ABI's limits, as a host enforces them.
EVENTS_PER_CALL_MAX = 8192
KEY_BYTES_MAX = 1024
VALUE_BYTES_MAX = 1024 * 1024
PAGE_MAX = 1000
PAGE_BYTES_MAX = 4 * 1024 * 1024


@dataclass
class Logged:
    """A message that a plugin has logged."""

    level: str
    message: str


def event(
    event_type: str,
    payload: Any = None,
    *,
    stream: str = "test/1",
    schema_version: int = 1,
    sequence: int = 0,
    version: int = 0,
    recorded_at: int = 0,
) -> Event:
    """Makes an event. The harness gives it the next sequence and version unless they are given here."""
    return Event(sequence, stream, version, event_type, schema_version, recorded_at, Payload(cbor.encode(payload)))


def events(lines: str) -> list[Event]:
    """Reads events as the command line exports them: a JSON object a line with stream, type, schema_version and data."""
    made = []
    for line in lines.splitlines():
        if line.strip():
            read = json.loads(line)
            version = read.get("schema_version", 1)
            made.append(event(read["type"], read.get("data"), stream=read["stream"], schema_version=version))
    return made


class Harness:
    """A plugin with a state of its own, in place of a host.

    An exception of the plugin comes out of `apply` and `upcast` as it is; the batch that it ends changes nothing.
    """

    def __init__(
        self,
        plugin: type[Projection] | type[Upcaster],
        *,
        batch_size: int = EVENTS_PER_CALL_MAX,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.plugin = plugin()
        self.batch_size = max(1, min(batch_size, EVENTS_PER_CALL_MAX))
        self.parameters = json.dumps(parameters or {}, separators=(",", ":"), ensure_ascii=False)
        self.entries: dict[str, bytes] = {}
        """The whole state, as it is stored."""
        self.envelopes: dict[int, Envelope] = {}
        """The rest of an event by its sequence, for the plugin to ask for."""
        self.logs: list[Logged] = []
        """What the plugin has logged, failed calls included."""
        self._versions: dict[str, int] = {}
        self._head = 0

    def apply(self, events: Iterable[Event]) -> None:
        """Applies the events that the manifest asks for, in batches."""
        plugin = self.plugin
        assert isinstance(plugin, Projection), "an upcaster has upcast"
        manifest = plugin.manifest
        placed = [self._place(event, manifest.payload_encoding) for event in events]
        wanted = [
            event
            for event in placed
            if event.event_type in (manifest.event_types or [event.event_type])
            and event.category in (manifest.categories or [event.category])
        ]
        for start in range(0, len(wanted), self.batch_size):
            with self._call(manifest.state_encoding):
                plugin.apply(wanted[start : start + self.batch_size])

    def upcast(self, event: Event) -> Event:
        """Lifts an event through every step that the upcaster has for it, as a host does."""
        plugin = self.plugin
        assert isinstance(plugin, Upcaster), "a projection has apply"
        manifest = plugin.manifest
        event = self._place(event, manifest.payload_encoding)
        steps = {(step.event_type, step.schema_version): step for step in manifest.steps}
        while step := steps.get((event.event_type, event.schema_version)):
            with self._call("cbor"):
                lifted = plugin.upcast(event, event.data())
            written = codec.to_json(lifted) if manifest.payload_encoding == "json" else cbor.encode(lifted)
            event = replace(
                event,
                payload=Payload(written),
                schema_version=event.schema_version + 1,
                event_type=step.new_event_type or event.event_type,
            )
        return event

    def get(self, key: str) -> Any:
        """Reads an entry's value; None if there is none."""
        value = self.entries.get(key)
        return None if value is None else self._decode(value)

    def scan(self, prefix: str = "") -> dict[str, Any]:
        """Reads all entries whose key starts with `prefix`, in key order."""
        return {key: self._decode(self.entries[key]) for key in self._sorted_keys() if key.startswith(prefix)}

    def _decode(self, value: bytes) -> Any:
        assert isinstance(self.plugin, Projection), "an upcaster has no state"
        return codec.DECODE[self.plugin.manifest.state_encoding](value)

    def _place(self, event: Event, encoding: str) -> Event:
        """Gives an event the place in log and stream that it does not have yet, and the payload's encoding."""
        version = event.version or self._versions.get(event.stream, 0) + 1
        self._versions[event.stream] = version
        self._head = event.sequence or self._head + 1
        value = event.payload.value
        if encoding == "json" and isinstance(value, bytes):
            value = as_json(cbor.decode(value))
        return replace(event, sequence=self._head, version=version, payload=Payload(value))

    @contextmanager
    def _call(self, state_encoding: str) -> Iterator[None]:
        """Puts this harness into the places of a host. What a call that fails has changed is taken back."""
        before = dict(self.entries)
        mine: dict[str, Any] = {
            "get": self._get,
            "get_many": lambda keys: [self._get(key) for key in keys],
            "put": self._change,
            "delete": lambda key: self._change(key, None),
            "write": lambda changes: [self._change(key, value) for key, value in changes] and None,
            "scan": self._scan,
            "envelope_of": self._envelope_of,
            "parameters": lambda: self.parameters,
            "log": lambda level, message: self.logs.append(Logged(level, message)),
            "state_encoding": state_encoding,
            "is_checked": True,
        }
        others = {name: getattr(host, name) for name in mine}
        _set(host, mine)
        try:
            yield
        except BaseException:
            self.entries = before
            raise
        finally:
            _set(host, others)

    def _envelope_of(self, sequence: int) -> Envelope | None:
        return self.envelopes.get(sequence) or (Envelope(f"id-{sequence}") if 0 < sequence <= self._head else None)

    def _get(self, key: str) -> bytes | None:
        _check_key(key)
        return self.entries.get(key)

    def _change(self, key: str, value: bytes | None) -> None:
        _check_key(key)
        if value is None:
            self.entries.pop(key, None)
            return
        if not isinstance(value, bytes):
            raise TypeError(f"the value of {key!r} must be bytes, not {type(value).__name__}")
        if len(value) > VALUE_BYTES_MAX:
            raise ValueError(f"the value of {key!r} has {len(value)} bytes, at most {VALUE_BYTES_MAX} are allowed")
        self.entries[key] = value

    def _scan(self, prefix: str, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        keys = self._sorted_keys()
        start = 0 if after is None else bisect_right(keys, after.encode(), key=str.encode)
        page: list[tuple[str, bytes]] = []
        size = 0
        for key in keys[start:]:
            if len(page) >= min(limit, PAGE_MAX) or size >= PAGE_BYTES_MAX:
                break
            if key.startswith(prefix):
                page.append((key, self.entries[key]))
                size += len(key.encode()) + len(self.entries[key])
        return page

    def _sorted_keys(self) -> list[str]:
        return sorted(self.entries, key=str.encode)


def _set(module: Any, values: dict[str, Callable[..., Any]]) -> None:
    for name, value in values.items():
        setattr(module, name, value)


def _check_key(key: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, not {type(key).__name__}")
    if not 1 <= len(key.encode()) <= KEY_BYTES_MAX:
        raise ValueError(f"the key {key[:40]!r} has {len(key.encode())} bytes, 1 to {KEY_BYTES_MAX} are allowed")


def as_json(value: Any) -> str:
    """Writes a payload as JSON text the way a host does, by RFC 8949, section 6.1."""
    return codec.to_json(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, cbor.Tag):
        return _plain(value.value)
    if isinstance(value, cbor.Simple):
        return None
    if isinstance(value, (dict, cbor.Pairs)):
        pairs = value.items() if isinstance(value, dict) else value
        ordered = sorted(pairs, key=lambda pair: cbor.encode(pair[0]))
        return {key if isinstance(key, str) else as_json(key): _plain(item) for key, item in ordered}
    return [_plain(item) for item in value] if isinstance(value, list) else value
