"""The exports of a component that is a projection."""

from componentize_py_types import Err
from wit_world.exports import projection as wit
from wit_world.imports.types import PayloadEncoding

from .author import plugin, project
from .failure import explain
from .imports import connect_projection

_manifest = plugin.manifest
connect_projection(_manifest.state_encoding)

_described = wit.Manifest(
    _manifest.name,
    _manifest.version,
    _manifest.description,
    list(_manifest.event_types),
    list(_manifest.categories),
    PayloadEncoding[_manifest.payload_encoding.upper()],
    wit.StateEncoding[_manifest.state_encoding.upper()],
    [wit.View(view.name, view.prefix, view.description) for view in _manifest.views],
)


class Projection:
    """Named after the interface, as componentize-py wants it."""

    def describe(self):  # type: ignore[no-untyped-def]
        return _described

    def apply(self, events):  # type: ignore[no-untyped-def]
        try:
            plugin.apply(events)
        except BaseException as error:
            raise Err(explain(error, project)) from None
