"""Builds the component: `python polyfold/build.py build/NAME.wasm`, in the project's folder.

Looks for mistakes natively first, because an interpreter on this machine explains them better than one in a sandbox.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

KIT = Path(__file__).resolve().parent
PROJECT = Path.cwd()
# Packages in pure Python that the plugin uses lie here: `pip install --target vendor NAME`.
VENDOR = PROJECT / "vendor"


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python polyfold/build.py OUTPUT.wasm", file=sys.stderr)
        return 2
    kind = kind_of_plugin()
    return 1 if kind is None else componentize(kind, Path(sys.argv[1]))


def kind_of_plugin() -> str | None:
    """Imports the plugin; what is wrong with it is printed as the interpreter says it."""
    sys.dont_write_bytecode = True
    # Without this file's own folder, whose modules would hide others of their names.
    sys.path[:] = [str(PROJECT), str(VENDOR), *(path for path in sys.path if Path(path or ".").resolve() != KIT)]
    try:
        importlib.import_module("plugin")
        from polyfold.plugin import Upcaster, exported

        return "upcaster" if isinstance(exported(), Upcaster) else "projection"
    except ModuleNotFoundError as error:
        explain(error)
        print(f"\n{missing(str(error.name))}", file=sys.stderr)
    except Exception as error:
        explain(error)
    return None


def explain(error: Exception) -> None:
    """Prints the author's part of a traceback."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(str(PROJECT)):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    print(text.replace(f"{PROJECT}/", ""), end="", file=sys.stderr)


def missing(module: str) -> str:
    if module == "plugin":
        return "the plugin's source is the file plugin.py in the project's folder"
    package = module.partition(".")[0]
    return (
        f"{package} is not in this project. If it is a package in pure Python: pip install --target vendor {package}\n"
        "Packages with compiled parts cannot be used, nor what needs sockets or threads."
    )


def componentize(kind: str, output: Path) -> int:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # A copy, because the builder's sandbox follows no link out of the project.
        shutil.copytree(KIT, Path(folder) / "polyfold", ignore=shutil.ignore_patterns("tests", "templates", "__pycache__"))
        command = [
            str(Path(sys.executable).parent / "componentize-py"),
            *("-q", "-d", str(KIT / "wit"), "-w", f"{kind}-plugin", "componentize", f"polyfold.glue.{kind}"),
            *("-p", folder, "-p", str(PROJECT)),
            *(("-p", str(VENDOR)) if VENDOR.is_dir() else ()),
            *("-o", str(output)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode == 0:
        return 0
    # Behind the reason stands a backtrace of the builder's own, which says nothing to an author.
    text = done.stderr.partition("Stack backtrace:")[0]
    reason = text.rpartition("AssertionError: ")[2].partition("Caused by:")[0].strip()
    print(f"componentize-py: {reason}", file=sys.stderr)
    if reason.startswith("ModuleNotFoundError"):
        print(missing(reason.partition("'")[2].rpartition("'")[0]), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
