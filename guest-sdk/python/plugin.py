"""The kinds of plugin, and which one this component is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from .event import Event
from .manifest import Manifest, UpcasterManifest


class Projection:
    """A fold of events into state. Most projections are easier written as a `Keyed`."""

    manifest: Manifest

    def apply(self, events: Sequence[Event]) -> None:
        """Folds events, in order of sequence, into `state`.

        The result must not depend on how many events come in one call. An exception drops all changes of the call.
        """
        raise NotImplementedError(f"{type(self).__name__} has no apply")


class Upcaster:
    """Functions from an old event's payload to a newer shape."""

    manifest: UpcasterManifest

    def upcast(self, event: Event, payload: Any) -> Any:
        """Returns the payload that lifts this event one step. Its type and schema version tell which step."""
        raise NotImplementedError(f"{type(self).__name__} has no upcast")


Plugin = TypeVar("Plugin", bound=type[Projection] | type[Upcaster])

_exported: list[type[Projection] | type[Upcaster]] = []


def export(plugin: Plugin) -> Plugin:
    """Makes a class the plugin that this component is; exactly one class has this decorator."""
    _exported.append(plugin)
    return plugin


def exported() -> Projection | Upcaster:
    """Makes the one plugin that was exported."""
    if len(_exported) != 1:
        names = ", ".join(plugin.__name__ for plugin in _exported) or "none has"
        raise TypeError(f"exactly one class must have @polyfold.export above it: {names}")
    plugin = _exported[0]
    kind = next((kind for kind in (Projection, Upcaster) if issubclass(plugin, kind)), None)
    if kind is None:
        raise TypeError(f"{plugin.__name__} must be a Keyed, a Projection or an Upcaster")
    manifest = Manifest if kind is Projection else UpcasterManifest
    if not isinstance(getattr(plugin, "manifest", None), manifest):
        raise TypeError(f"{plugin.__name__} needs `manifest = {manifest.__name__}(...)`")
    return plugin()
