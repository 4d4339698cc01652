"""Prints what became of the golden traces in each language: `table.py REPORTS PLUGINS`, both folders."""

import json
import pathlib
import sys

ORDER = ["rust", "c", "zig", "assemblyscript", "go", "javascript", "typescript", "python"]


def rows(reports: pathlib.Path, plugins: pathlib.Path, kind: str):
    for language in ORDER:
        file = reports / f"{kind}-{language}.json"
        if not file.exists() or not file.read_text().strip():
            continue
        said = json.loads(file.read_text())
        size = (plugins / f"{language}-{kind}.wasm").stat().st_size
        yield language, said, size


def main() -> int:
    reports, plugins = map(pathlib.Path, sys.argv[1:])
    digests = set()
    for kind in ["projection", "upcaster"]:
        print(f"\n| {kind} | digest | same | cuts | fuel an event | size |")
        print("|---|---|---|---:|---:|---:|")
        for language, said, size in rows(reports, plugins, kind):
            digests.add((kind, said["digest"]))
            same = "yes" if said["same"] else "NO"
            fuel = f"{said['fuel_per_event']:,}" if said["fuel_per_event"] is not None else ""
            print(f"| {language} | {said['digest'][:16]} | {same} | {said['cuts']} | {fuel} | {size / 1024:,.1f} KiB |")
    kinds = {kind for kind, _ in digests}
    if not kinds:
        print("no plugin was tried", file=sys.stderr)
    return 0 if kinds and len(digests) == len(kinds) else 1


sys.exit(main())
