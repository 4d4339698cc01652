"""The conformance projection: what every language must make of the same events."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from polyfold import Event, Manifest, Projection, View, context, export, fail, log, state

Payload = dict[str, Any]


@export
class Conformance(Projection):
    manifest = Manifest(
        "conformance",
        "1.0.0",
        "what every language must make of the same events",
        event_types=["probe"],
        payload_encoding="cbor",
        state_encoding="cbor",
        views=[View("echoes", "echo/", "values as they came")],
    )

    def apply(self, events: Sequence[Event]) -> None:
        for event in events:
            payload = event.data()
            op = payload["op"]
            step = STEPS.get(op)
            if step is None:
                fail(f"unknown op {op}")
            step(event, payload)


def echo(event: Event, payload: Payload) -> None:
    state.put(f"echo/{payload['key']}", payload["value"])


def delete(event: Event, payload: Payload) -> None:
    state.delete(f"echo/{payload['key']}")


def add(event: Event, payload: Payload) -> None:
    key = f"sum/{payload['key']}"
    total = state.get(key)
    if total is None:
        total = {"count": 1, "int": payload["int"], "float": payload["float"]}
    else:
        total["count"] += 1
        total["int"] += payload["int"]
        total["float"] += payload["float"]
    if not -(2**63) <= total["int"] < 2**63:
        fail(f"{key} does not fit 64 bits")
    state.put(key, total)


def divide(event: Event, payload: Payload) -> None:
    a, b = payload["a"], payload["b"]
    if b == 0:
        fail("division by zero")
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    state.put(f"divide/{payload['key']}", {"quotient": quotient, "remainder": a - quotient * b})


def floats(event: Event, payload: Payload) -> None:
    values = payload["values"]
    if not values:
        fail("no values")
    total, least, most = values[0], values[0], values[0]
    # Python's own sum, min and max: the first is compensated, the others take what comes first of NaN and of two zeros.
    for value in values[1:]:
        total += value
        least, most = lower(least, value), -lower(-most, -value)
    entry = {"sum": total, "mean": total / len(values), "min": least, "max": most, "root": math.sqrt(abs(values[0]))}
    state.put(f"floats/{payload['key']}", entry)


def lower(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b:
        return a if math.copysign(1.0, a) < 0 else b
    return min(a, b)


def text(event: Event, payload: Payload) -> None:
    value = payload["value"]
    state.put(f"text/{value}", {"bytes": len(value.encode()), "code_points": len(value)})


def large(event: Event, payload: Payload) -> None:
    key = "large/".ljust(payload["key_bytes"], "k")
    seed = payload["seed"]
    # A head of five bytes stands before the content.
    size = payload["value_bytes"] - 5
    turn = bytes((i * 31 + seed) % 256 for i in range(256))
    state.put(key, (turn * (size // 256 + 1))[:size])


def fill(event: Event, payload: Payload) -> None:
    prefix = payload["prefix"]
    state.write((f"fill/{prefix}/{index:05}", index) for index in range(payload["count"]))


def scan(event: Event, payload: Payload) -> None:
    entries, size, digest = 0, 0, 0x811C9DC5
    for key, value in state.scan_all_bytes(payload["prefix"], payload["page"]):
        entries += 1
        both = key.encode() + value
        size += len(both)
        for byte in both:
            digest = (digest ^ byte) * 0x01000193 & 0xFFFFFFFF
    state.put(f"scan/{event.sequence}", {"entries": entries, "bytes": size, "hash": digest})


def many(event: Event, payload: Payload) -> None:
    found = [value for value in state.get_many_bytes([f"echo/{key}" for key in payload["keys"]]) if value is not None]
    state.put(f"many/{event.sequence}", {"found": len(found), "bytes": sum(map(len, found))})


def write(event: Event, payload: Payload) -> None:
    changes = []
    for key, *value in payload["entries"]:
        changes.append((f"echo/{key}", state.encode(value[0]) if value else None))
    state.write_bytes(changes)


def surroundings(event: Event, payload: Payload) -> None:
    envelope = context.envelope_of(event.sequence)
    assert envelope is not None, "an event of this call has an envelope"
    entry = {
        "id": envelope.id,
        "actor": envelope.actor,
        "occurred_at": envelope.occurred_at,
        "causation_id": envelope.causation_id,
        "correlation_id": envelope.correlation_id,
        "metadata": envelope.metadata,
        "tags": envelope.tags,
        "sequence": event.sequence,
        "stream": event.stream,
        "version": event.version,
        "event_type": event.event_type,
        "schema_version": event.schema_version,
        "recorded_at": event.recorded_at,
    }
    state.put(f"context/{event.sequence}", entry)


def parameters(event: Event, payload: Payload) -> None:
    state.put("parameters", context.parameters_json())


def write_log(event: Event, payload: Payload) -> None:
    levels = {"trace": log.trace, "debug": log.debug, "info": log.info, "warn": log.warn, "error": log.error}
    levels[payload["level"]](payload["message"])


def refuse(event: Event, payload: Payload) -> None:
    fail(payload["message"])


STEPS: dict[str, Callable[[Event, Payload], None]] = {
    "echo": echo,
    "delete": delete,
    "sum": add,
    "divide": divide,
    "floats": floats,
    "text": text,
    "large": large,
    "fill": fill,
    "scan": scan,
    "many": many,
    "write": write,
    "context": surroundings,
    "parameters": parameters,
    "log": write_log,
    "fail": refuse,
}
