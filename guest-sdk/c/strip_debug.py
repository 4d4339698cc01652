"""Takes the debug sections out of a core module and leaves the functions' names, which a fault's backtrace shows.

Zig's C compiler knows only all or nothing, and the debug sections of the C library are most of a small plugin.
"""

import sys


def sections(module):
    """Yields each section of a module: its first byte, where it starts, where its content starts, and where it ends."""
    at = 8
    while at < len(module):
        start, kind = at, module[at]
        size, at = number(module, at + 1)
        yield kind, start, at, at + size
        at += size


def number(module, at):
    """Reads a number in LEB128; returns it and what stands behind it."""
    value = shift = 0
    while True:
        byte = module[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def is_debug(module, kind, content):
    if kind != 0:
        return False
    length, at = number(module, content)
    return module[at : at + length].startswith(b".debug_")


path = sys.argv[1]
with open(path, "rb") as file:
    module = file.read()
kept = [module[start:end] for kind, start, content, end in sections(module) if not is_debug(module, kind, content)]
with open(path, "wb") as file:
    file.write(module[:8] + b"".join(kept))
