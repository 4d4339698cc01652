"""{{name}}: lifts order.placed from schema version 1 to 2, where euros are whole cents."""

import math
from typing import Any

from polyfold import Event, Step, Upcaster, UpcasterManifest, export


@export
class OrdersV2(Upcaster):
    manifest = UpcasterManifest(
        "{{name}}",
        "0.1.0",
        "orders: cents in place of euros",
        [Step("order.placed", 1)],
    )

    def upcast(self, event: Event, order: dict[str, Any]) -> dict[str, Any]:
        euros = order.pop("euros")
        # All other fields stay as they are.
        return {**order, "cents": cents(euros)}


def cents(euros: float) -> int:
    """Rounds half away from zero, where Python's round would take the even number."""
    return int(math.copysign(math.floor(abs(euros * 100) + 0.5), euros))
