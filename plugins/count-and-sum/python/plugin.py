"""Minutes in the air by tail number, of flights in schema version 1: what benchmarks measure."""

from typing import NotRequired, TypedDict

from polyfold import Event, Keyed, Manifest, export


class Arrival(TypedDict):
    tailnum: NotRequired[str | None]
    air_time: int


class Total(TypedDict):
    count: int
    sum: int


@export
class CountAndSum(Keyed[Arrival, Total]):
    manifest = Manifest(
        "count-and-sum",
        "0.1.0",
        "flights and minutes in the air by tail number",
        event_types=["flight.arrived"],
    )

    def keys(self, event: Event, arrival: Arrival) -> str | None:
        return arrival.get("tailnum")

    def fold(self, total: Total | None, event: Event, arrival: Arrival, tail: str) -> Total:
        if total is None:
            return {"count": 1, "sum": arrival["air_time"]}
        total["count"] += 1
        total["sum"] += arrival["air_time"]
        return total
