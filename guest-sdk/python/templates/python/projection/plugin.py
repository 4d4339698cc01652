"""{{name}}: what each country has ordered."""

from typing import TypedDict

from polyfold import Event, Keyed, Manifest, View, export, fail


class Order(TypedDict):
    """The payload of `order.placed`, schema version 1."""

    country: str
    euros: float


class Revenue(TypedDict):
    """What is kept for a country."""

    orders: int
    euros: float


@export
class RevenueByCountry(Keyed[Order, Revenue]):
    manifest = Manifest(
        "{{name}}",
        "0.1.0",
        "what each country has ordered",
        event_types=["order.placed"],
        views=[View("countries", "country/", "orders and euros by country")],
    )

    def keys(self, event: Event, order: Order) -> str:
        event.expect_schema_version(1, "update this plugin")
        if order["euros"] < 0:
            fail(f"{event.stream} costs {order['euros']} euros, less than nothing")
        return f"country/{order['country']}"

    def fold(self, revenue: Revenue | None, event: Event, order: Order, key: str) -> Revenue:
        revenue = revenue or {"orders": 0, "euros": 0}
        revenue["orders"] += 1
        revenue["euros"] += order["euros"]
        return revenue
