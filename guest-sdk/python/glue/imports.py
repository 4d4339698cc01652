"""Puts the component's imports into the kit's places for them."""

from wit_world.imports import logging, types

from .. import host
from ..event import Envelope, Event

_LEVELS = {level.name.lower(): level for level in logging.Level}

# The generated class gets the kit's methods, so that no event has to be made twice.
for _name in ("data", "category", "stream_name", "expect_schema_version", "fault"):
    setattr(types.Event, _name, Event.__dict__[_name])


def _log(level: str, message: str) -> None:
    logging.log(_LEVELS[level], message)


host.log = _log


def connect_projection(state_encoding: str) -> None:
    """An upcaster imports neither state nor context."""
    from wit_world.imports import context, state

    def write(changes):  # type: ignore[no-untyped-def]
        state.write([Change(key, value) for key, value in changes])

    def scan(prefix, after, limit):  # type: ignore[no-untyped-def]
        return [(entry.key, entry.value) for entry in state.scan(prefix, after, limit)]

    def envelope_of(sequence: int) -> Envelope | None:
        envelope = context.envelope_of(sequence)
        if envelope is None:
            return None
        return Envelope(
            envelope.id,
            envelope.occurred_at,
            envelope.actor,
            envelope.causation_id,
            envelope.correlation_id,
            dict(envelope.metadata),
            list(envelope.tags),
        )

    Change = state.Change
    host.get, host.get_many, host.put, host.delete = state.get, state.get_many, state.put, state.delete
    host.write, host.scan = write, scan
    host.envelope_of, host.parameters = envelope_of, context.parameters
    host.state_encoding = state_encoding
