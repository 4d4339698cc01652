"""How a plugin refuses an event."""

from typing import NoReturn


class Refused(Exception):
    """Refuses an event with exactly this message; any other exception is shown with its traceback."""


def fail(message: str) -> NoReturn:
    """Refuses the event in hand. The message is for the projection's owner: say what is wrong and what to do."""
    raise Refused(message)
