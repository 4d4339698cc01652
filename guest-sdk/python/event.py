"""An event as a plugin sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from . import cbor
from .errors import Refused


@dataclass(slots=True)
class Payload:
    """A payload as the host passes it: bytes are CBOR, text is JSON."""

    value: bytes | str


@dataclass(slots=True)
class Event:
    """An immutable fact. What it leaves out (id, actor, times, causes, metadata, tags) is in `context.envelope_of`."""

    sequence: int
    stream: str
    version: int
    event_type: str
    schema_version: int
    recorded_at: int
    payload: Payload

    def data(self) -> Any:
        """Reads the payload, anew at each call."""
        value = self.payload.value
        return json.loads(value) if isinstance(value, str) else cbor.decode(value)

    @property
    def category(self) -> str:
        """The part of the stream's name before the first `/`."""
        return self.stream.partition("/")[0]

    @property
    def stream_name(self) -> str:
        """The part of the stream's name behind the first `/`."""
        return self.stream.partition("/")[2]

    def expect_schema_version(self, version: int, way_out: str) -> None:
        """Refuses an event of another schema version, telling `way_out`, for example which upcaster to install."""
        if self.schema_version != version:
            raise self.fault(f"expected schema version {version}: {way_out}")

    def fault(self, message: str) -> Refused:
        """Makes an error about this event, to be raised: its type and schema version, then the message."""
        return Refused(f"{self.event_type}, schema version {self.schema_version}: {message}")


@dataclass(slots=True)
class Envelope:
    """The fields of an event that `Event` leaves out. `occurred_at` is in microseconds since 1970."""

    id: str
    occurred_at: int | None = None
    actor: str | None = None
    causation_id: str | None = None
    correlation_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
