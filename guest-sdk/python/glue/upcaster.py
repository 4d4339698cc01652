"""The exports of a component that is an upcaster."""

from componentize_py_types import Err
from wit_world.exports import upcaster as wit
from wit_world.imports.types import Payload_Cbor, Payload_Json, PayloadEncoding

from .. import cbor
from ..codec import to_json
from . import imports as _imports  # noqa: F401
from .author import plugin, project
from .failure import explain

_manifest = plugin.manifest
_is_json = _manifest.payload_encoding == "json"

_described = wit.Manifest(
    _manifest.name,
    _manifest.version,
    _manifest.description,
    [wit.Step(step.event_type, step.schema_version, step.new_event_type) for step in _manifest.steps],
    PayloadEncoding[_manifest.payload_encoding.upper()],
)


class Upcaster:
    """Named after the interface, as componentize-py wants it."""

    def describe(self):  # type: ignore[no-untyped-def]
        return _described

    def upcast(self, events):  # type: ignore[no-untyped-def]
        try:
            return [_payload(plugin.upcast(event, event.data())) for event in events]
        except BaseException as error:
            raise Err(explain(error, project)) from None


def _payload(value):  # type: ignore[no-untyped-def]
    return Payload_Json(to_json(value)) if _is_json else Payload_Cbor(cbor.encode(value))
