"""polyfold's kit for Python: projections and upcasters as WebAssembly components.

A plugin imports this package alone, and runs without WebAssembly too: see `polyfold.testing`.
"""

from . import cbor, context, log, state
from .errors import Refused, fail
from .event import Envelope, Event
from .keyed import Keyed
from .manifest import Manifest, Step, UpcasterManifest, View
from .plugin import Projection, Upcaster, export

__all__ = [
    "Envelope",
    "Event",
    "Keyed",
    "Manifest",
    "Projection",
    "Refused",
    "Step",
    "Upcaster",
    "UpcasterManifest",
    "View",
    "cbor",
    "context",
    "export",
    "fail",
    "log",
    "state",
]
