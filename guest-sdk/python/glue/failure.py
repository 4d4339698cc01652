"""What an exception becomes: a text for the author, with file and line of the author's source."""

import linecache
import sys
import traceback
from pathlib import Path

from ..errors import Refused

_KIT = str(Path(__file__).parent.parent)


def keep_sources(project: str) -> None:
    """Reads the sources of all modules of the project while there still are files: a component has none, and its
    tracebacks would show no lines."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or not file.startswith(project):
            continue
        try:
            text = Path(file).read_text(encoding="utf-8")
        except OSError:
            continue
        # No time of change: an entry with one is thrown away when its file is not found.
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)


def explain(error: BaseException, project: str) -> str:
    """Says what went wrong, and flushes what was printed: the instance ends with this call."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if isinstance(error, Refused):
        return str(error)
    summary = "".join(traceback.format_exception_only(error)).strip()
    trace = "".join(traceback.format_exception(type(error), error, _without_kit(error)))
    return f"{summary}\n{trace}".replace(f"{project}/", "").rstrip()


def _without_kit(error: BaseException):  # type: ignore[no-untyped-def]
    """Leaves out the kit's frames up to the author's first."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_KIT):
        trace = trace.tb_next
    return trace or error.__traceback__
