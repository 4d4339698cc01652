"""CBOR (RFC 8949) without dependencies: reads any payload, writes the canonical form of section 4.2.1.

| CBOR | Python |
|---|---|
| integer, float, text, byte string | int, float, str, bytes |
| array | list (tuples are written as arrays, too) |
| map | dict; `Pairs` if a key is neither text nor bytes nor an integer, because 1, 1.0 and True are one key of a dict |
| true, false, null | True, False, None |
| tag, other simple value | `Tag`, `Simple` |
"""

from __future__ import annotations

from math import isnan
from struct import Struct, error as StructError
from typing import Any, NamedTuple

# Nesting that is still read and written, as a host bounds it.
DEPTH_MAX = 128


class Error(ValueError):
    """Why bytes are no CBOR, or a value cannot be written as such."""


class Tag(NamedTuple):
    """A tagged value."""

    number: int
    value: Any


class Simple(NamedTuple):
    """A simple value other than false, true and null; 23 is undefined."""

    number: int


class Pairs(list[tuple[Any, Any]]):
    """A map with keys that a dict cannot hold apart: a list of keys and values."""


_half, _single, _double = Struct(">e"), Struct(">f"), Struct(">d")
_u16, _u32, _u64 = Struct(">H"), Struct(">I"), Struct(">Q")


def decode(data: bytes) -> Any:
    """Reads one value, which must be all there is."""
    try:
        value, end = _read(data, 0, DEPTH_MAX)
    except (IndexError, StructError):
        raise Error("the value ends too early") from None
    except UnicodeDecodeError:
        raise Error("text is not UTF-8") from None
    if end != len(data):
        raise Error(f"{len(data) - end} bytes stand behind the value")
    return value


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    head = data[at]
    at += 1
    kind = head >> 5
    number = head & 31
    if kind == 7:
        return _read_simple(data, at, number)
    if number > 23:
        number, at = _read_number(data, at, number)
    if kind == 0:
        return number, at
    if kind == 3:
        end = at + number
        if end > len(data):
            raise IndexError
        return data[at:end].decode(), end
    if kind == 1:
        return -1 - number, at
    if kind == 2:
        end = at + number
        if end > len(data):
            raise IndexError
        return data[at:end], end
    if depth == 0:
        raise Error(f"nested more than {DEPTH_MAX} levels deep")
    depth -= 1
    if kind == 5:
        return _read_map(data, at, number, depth)
    if kind == 4:
        items = []
        for _ in range(number):
            item, at = _read(data, at, depth)
            items.append(item)
        return items, at
    item, at = _read(data, at, depth)
    return Tag(number, item), at


def _read_map(data: bytes, at: int, length: int, depth: int) -> tuple[Any, int]:
    pairs = Pairs()
    is_plain = True
    for _ in range(length):
        key, at = _read(data, at, depth)
        value, at = _read(data, at, depth)
        pairs.append((key, value))
        if type(key) is not str:
            is_plain = is_plain and type(key) in (int, bytes)
    if not is_plain:
        return pairs, at
    mapping = dict(pairs)
    if len(mapping) != length:
        raise Error("a key stands twice in one map")
    return mapping, at


def _read_number(data: bytes, at: int, size: int) -> tuple[int, int]:
    if size == 24:
        return data[at], at + 1
    if size == 25:
        return _u16.unpack_from(data, at)[0], at + 2
    if size == 26:
        return _u32.unpack_from(data, at)[0], at + 4
    if size == 27:
        return _u64.unpack_from(data, at)[0], at + 8
    raise Error("indefinite lengths are not canonical")


def _read_simple(data: bytes, at: int, number: int) -> tuple[Any, int]:
    if number == 20:
        return False, at
    if number == 21:
        return True, at
    if number == 22:
        return None, at
    if number == 25:
        return _half.unpack_from(data, at)[0], at + 2
    if number == 26:
        return _single.unpack_from(data, at)[0], at + 4
    if number == 27:
        return _double.unpack_from(data, at)[0], at + 8
    if number == 24:
        if data[at] < 32:
            raise Error("a simple value below 32 stands in two bytes")
        return Simple(data[at]), at + 1
    if number > 27:
        raise Error("indefinite lengths are not canonical")
    return Simple(number), at


def encode(value: Any) -> bytes:
    """Writes a value in the canonical form."""
    out = bytearray()
    _write(out, value, DEPTH_MAX)
    return bytes(out)


def _write(out: bytearray, value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        text = value.encode()
        _write_head(out, 0x60, len(text))
        out += text
    elif kind is int:
        _write_int(out, value)
    elif kind is float:
        out += _float(value)
    elif value is None:
        out.append(0xF6)
    elif kind is bool:
        out.append(0xF5 if value else 0xF4)
    elif kind is bytes:
        _write_head(out, 0x40, len(value))
        out += value
    elif depth == 0:
        raise Error(f"nested more than {DEPTH_MAX} levels deep")
    elif kind is dict:
        _write_map(out, value.items(), depth - 1)
    elif kind is Pairs:
        _write_map(out, value, depth - 1)
    elif kind is list or kind is tuple:
        _write_head(out, 0x80, len(value))
        for item in value:
            _write(out, item, depth - 1)
    elif kind is Tag:
        _write_head(out, 0xC0, value.number)
        _write(out, value.value, depth - 1)
    elif kind is Simple:
        _write_simple(out, value.number)
    else:
        _write(out, _plain(value), depth)


def _plain(value: Any) -> Any:
    # bool and None cannot be subclassed; what comes here is a subclass such as an IntEnum or a defaultdict.
    for kind in (str, int, float, bytes, dict, list, tuple):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    # A set has no order that two builds share.
    raise Error(f"{type(value).__name__} has no form in CBOR")


def _write_head(out: bytearray, major: int, number: int) -> None:
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out.append(major | 24)
        out.append(number)
    elif number < 0x10000:
        out.append(major | 25)
        out += _u16.pack(number)
    elif number < 0x100000000:
        out.append(major | 26)
        out += _u32.pack(number)
    else:
        out.append(major | 27)
        out += _u64.pack(number)


def _write_int(out: bytearray, value: int) -> None:
    if not -0x10000000000000000 <= value < 0x10000000000000000:
        raise Error(f"the integer {value} does not fit 64 bits")
    if value >= 0:
        _write_head(out, 0x00, value)
    else:
        _write_head(out, 0x20, -1 - value)


def _write_map(out: bytearray, pairs: Any, depth: int) -> None:
    entries = []
    for key, value in pairs:
        written = bytearray()
        _write(written, key, depth)
        entries.append((bytes(written), value))
    entries.sort(key=_first)
    _write_head(out, 0xA0, len(entries))
    last = b""
    for key, value in entries:
        if key == last:
            raise Error("a key stands twice in one map")
        last = key
        out += key
        _write(out, value, depth)


def _first(pair: tuple[bytes, Any]) -> bytes:
    return pair[0]


def _write_simple(out: bytearray, number: int) -> None:
    if number < 24:
        out.append(0xE0 | number)
    else:
        out.append(0xF8)
        out.append(number)


def _float(value: float) -> bytes:
    """The shortest of three widths that keeps the value; every NaN is the same."""
    if isnan(value):
        return b"\xf9\x7e\x00"
    for head, width in ((b"\xf9", _half), (b"\xfa", _single)):
        try:
            short = width.pack(value)
        # Too large for this width: Python says so instead of making it infinite.
        except OverflowError:
            continue
        if width.unpack(short)[0] == value:
            return head + short
    return b"\xfb" + _double.pack(value)
