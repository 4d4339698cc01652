"""What surrounds the call in hand."""

from __future__ import annotations

import json
from typing import Any

from . import host
from .event import Envelope


def envelope_of(sequence: int) -> Envelope | None:
    """Returns the rest of an event of this call (id, actor, causes, metadata, tags); None for any other sequence."""
    return host.envelope_of(sequence)


def parameters() -> dict[str, Any]:
    """Returns the projection's parameters as its owner gave them, an empty dict if none were given."""
    return json.loads(host.parameters())


def parameters_json() -> str:
    """Returns the projection's parameters as JSON text, `{}` if none were given."""
    return host.parameters()
