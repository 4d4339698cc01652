"""Where the kit meets what runs it: a component's imports, or a test's harness, are put into these names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .event import Envelope


def _absent(*_: Any) -> Any:
    raise RuntimeError("there is no host: outside of a component a plugin runs in polyfold.testing.Harness")


get: Callable[[str], bytes | None] = _absent
get_many: Callable[[list[str]], list[bytes | None]] = _absent
put: Callable[[str, bytes], None] = _absent
delete: Callable[[str], None] = _absent
# Each change is a key and its new value, or None to delete it.
write: Callable[[Sequence[tuple[str, bytes | None]]], None] = _absent
scan: Callable[[str, str | None, int], list[tuple[str, bytes]]] = _absent
envelope_of: Callable[[int], Envelope | None] = _absent
parameters: Callable[[], str] = _absent
log: Callable[[str, str], None] = _absent

# How the plugin in hand writes its state's values.
state_encoding: str = "json"
# A harness looks whether values survive being written and read; a component has no time for that.
is_checked: bool = False
