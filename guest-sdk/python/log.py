"""Messages for the plugin's author, shown with a fault of the same call.

What is longer than 4 KiB is cut, and after 100 messages in one call the rest is dropped and counted.
"""

from . import host


def trace(message: str) -> None:
    host.log("trace", message)


def debug(message: str) -> None:
    host.log("debug", message)


def info(message: str) -> None:
    host.log("info", message)


def warn(message: str) -> None:
    host.log("warn", message)


def error(message: str) -> None:
    host.log("error", message)
