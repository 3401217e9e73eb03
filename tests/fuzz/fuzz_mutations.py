"""Ways to damage a file that keep enough of its structure to reach the code behind the first check.

Each takes a file's bytes and a source of chance, and gives other bytes; one that does not fit the file gives it back as it is.
"""

from __future__ import annotations

import ast
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

LONGEST = 1 << 17
"""Bytes of a case."""

_NUMBERS: tuple[int | float, ...] = (
    *(0, 1, -1, 2, 3, 127, 128, 255, 256, 257, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, -(2**31)),
    *(2**32 - 1, 2**32, 2**40, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**19, 10**30, 10**400),
    *(0.5, -0.0, 1e-320, 1e15, 1e16, 1e38, 3.5e38, 1e300, float("nan"), float("inf"), -float("inf")),
)
_WORDS: tuple[bytes, ...] = (
    *(b"", b"nan", b"-nan", b"inf", b"-inf", b"1e400", b"1e-400", b"1e999999999", b"-0", b"0x10", b"1_0", b"1.2.3", b"+", b"-"),
    *(b"9" * 5000, b"0" * 5000 + b"1", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1b[2J"),
    *("٣".encode(), "²".encode(), b"list", b"ascii", b"../../etc/passwd", b"/dev/zero", b"CON", b"a" * 3000, b"%s%n{0}"),
)  # fmt: skip
_TYPES = (
    "<f4",
    ">f8",
    "<f2",
    "|O",
    "|V0",
    "|V9",
    "<U0",
    "<U9999999",
    "<M8[ns]",
    "|b1",
    "<c16",
    "|u1",
    "<i8",
    "|S5",
    "f",
    "",
)
_GLOBALS = (
    *("builtins eval", "posix system", "argparse Namespace", "collections OrderedDict", "collections Counter"),
    *("torch FloatStorage", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size", " "),
)
_DEPTHS = (50, 900, 1100, 20_000)


# Any bytes


def cut(data: bytes, rng: Random) -> bytes:
    """Lose the end, the beginning or the middle."""
    a, b = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    return rng.choice((data[:a], data[b:], data[:a] + data[b:]))


def change_bytes(data: bytes, rng: Random) -> bytes:
    """Change, insert or repeat a few bytes."""
    changed = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(changed))
        match rng.randrange(4):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x0A, 0x20, 0x2D, rng.randrange(256)))
            case 2:
                changed[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 4, 8))))
            case _:
                changed[at:at] = changed[at : at + rng.choice((1, 4, 16))] * rng.choice((1, 2, 100))
    return bytes(changed)


def binary_number(data: bytes, rng: Random) -> bytes:
    """Overwrite a few bytes with an integer or a float at the end of its range."""
    kind = rng.choice(("<b", "<h", "<i", "<q", ">i", "<f", "<d", ">f", ">d"))
    if len(data) < struct.calcsize(kind):
        return data
    if kind[-1] in "fd":
        value: float = rng.choice((float("nan"), float("inf"), -1e38, 1e-40, 3e38, -0.0, 1e15))
    else:
        bits = 8 * struct.calcsize(kind)
        value = rng.choice((0, -1, 1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), 2 ** (bits - 2), rng.randrange(100)))
    at = rng.randint(0, len(data) - struct.calcsize(kind))
    return data[:at] + struct.pack(kind, value) + data[at + struct.calcsize(kind) :]


# Text, and formats that begin with some


def word(data: bytes, rng: Random) -> bytes:
    """Put a number out of range, a foreign word or another word of the file in a word's place."""
    words = list(re.finditer(rb"[^\s,;\"/=:]+", data[: rng.choice((400, LONGEST))]))
    if not words:
        return data
    chosen = rng.choice(words)
    new = rng.choice((str(rng.choice(_NUMBERS)).encode(), rng.choice(_WORDS), rng.choice(words)[0]))
    return data[: chosen.start()] + new + data[chosen.end() :]


def lines(data: bytes, rng: Random) -> bytes:
    """Drop, repeat, move, lengthen or end lines otherwise."""
    parts = data.split(b"\n")
    at = rng.randrange(len(parts))
    match rng.randrange(6):
        case 0:
            del parts[at]
        case 1:
            parts[at:at] = [parts[at]] * rng.choice((1, 2, 300))
        case 2:
            parts.insert(rng.randrange(len(parts)), parts.pop(at))
        case 3:
            parts[at] = rng.choice((b" ", b",", b"\t")).join([parts[at]] * rng.choice((2, 500)))
        case 4:
            parts[at] += rng.choice((b"\r", b" ", b"\\", b"\0", b'"', b"#", b" 1", b",", b"\x0c"))
        case _:
            return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" ")))
    return b"\n".join(parts)


def encoding(data: bytes, rng: Random) -> bytes:
    """The same text in another encoding."""
    with suppress(UnicodeError):
        return data.decode().encode(rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7")))
    return data


ANY: tuple[Mutation, ...] = (cut, change_bytes, binary_number)
TEXT: tuple[Mutation, ...] = (cut, change_bytes, word, word, word, lines, lines, encoding)


# JSON


def json_value(data: bytes, rng: Random) -> bytes:
    """Replace, drop, repeat or rename one value somewhere in a document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    _change_somewhere(holder := [document], rng)
    text = json.dumps(holder[0] if holder else None, allow_nan=True, ensure_ascii=rng.random() < 0.5)
    return text.replace('"$deep"', _deep(rng)).replace('"$long"', "9" * 5000).encode("utf-8", "surrogatepass")


def _change_somewhere(holder: list[Any] | dict[str, Any], rng: Random) -> None:
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    if not keys:
        return None
    key: Any = rng.choice(list(keys))
    inner = holder[key]
    if isinstance(inner, (list, dict)) and inner and rng.random() < 0.85:
        return _change_somewhere(inner, rng)
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder[key:key] = [inner] * rng.choice((1, 2, 500))
        case 2 if isinstance(holder, dict):
            holder[rng.choice((*map(str, keys), "", "__proto__", "\ud800", "a\nb"))] = holder.pop(key)
        case 3:
            other: Any = rng.choice(list(keys))
            holder[key], holder[other] = holder[other], holder[key]
        case _:
            holder[key] = _json_atom(rng)
    return None


def _json_atom(rng: Random) -> Any:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(_NUMBERS[:-4] if rng.random() < 0.7 else _NUMBERS)
    if kind == 1:
        return rng.choice(("", "0", "-1", "x" * 5000, "\ud800", "a\nb", "\x1b[2J", "$deep", "$long", "nan", "1e999"))
    return rng.choice((None, True, False, [], {}, [[]], [1, "a"], {"a": 1}, [None] * 4, [0.5] * 16, [[0, 1], [2]]))


def _deep(rng: Random) -> str:
    depth = rng.choice(_DEPTHS)
    return rng.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth))


# Zip archives


def rewrite_zip(data: bytes, rng: Random, change: Mutation, part: str = "") -> bytes:
    """Change one entry whose name ends so, and write the archive anew, its checksums right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > 4 * LONGEST:
                return data  # a bomb; it is one already
            entries = {info.filename: archive.read(info) for info in archive.infolist()}
            methods = {info.filename: info.compress_type for info in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError, struct.error):
        return data
    names = [name for name in entries if name.endswith(part)]
    if not names:
        return data
    chosen = rng.choice(names)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            new = change(content, rng) if name == chosen else content
            archive.writestr(zipfile.ZipInfo(name), new, methods[name])
    return out.getvalue()


def zip_directory(data: bytes, rng: Random) -> bytes:
    """Lie in a zip archive's directory: sizes, offsets, flags, methods, names."""
    places = [m.start() for m in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", data)]
    if not places:
        return data
    at = rng.choice(places) + 4 + rng.randrange(42)
    return data[:at] + rng.choice((b"\0", b"\x01", b"\xff", b"\xff\xff\xff\xff", b"\x08", b"\x63")) + data[at + 1 :]


def zip_bomb(data: bytes, rng: Random) -> bytes:
    """An entry of zeros, small in the archive and large outside, behind an honest array header."""
    rows = rng.choice((10_000, 3_000_000, 9_000_000, 30_000_000))
    shape, kind = rng.choice((((rows, 3), "|u1"), ((rows // 4, 3), "<f4"), ((rows // 12, 6), "<f8")))
    header = repr({"descr": kind, "fortran_order": rng.random() < 0.5, "shape": shape})
    content = _npy(header) + bytes(shape[0] * shape[1] * int(kind[2:]))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(rng.choice(("points.npy", "colors.npy", "xyz.npy")), content)
    return out.getvalue()


# NPY


def npy_header(data: bytes, rng: Random) -> bytes:
    """Another type, shape, order or length in an array's header."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        return data
    size = struct.unpack_from("<H", data, 8)[0]
    try:
        header = ast.literal_eval(data[10 : 10 + size].decode("latin1").strip())
        shape = list(header["shape"])
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return change_bytes(data, rng)
    match rng.randrange(6):
        case 0:
            header["descr"] = rng.choice((*_TYPES, [("a", "<f4"), ("b", "|O")], [("a", "<f4", (2**31,))], None, 3))
        case 1:
            number: Any = rng.choice((*_NUMBERS[:-11], "3", None, True))
            shape[rng.randrange(len(shape)) if shape else 0 :] = [number]
            header["shape"] = tuple(shape)
        case 2:
            header["shape"] = tuple(shape + [rng.choice((0, 1, 2**32))] * rng.choice((1, 40)))
        case 3:
            header["fortran_order"] = rng.choice((True, False, 2, None))
        case 4:
            header.pop(rng.choice(list(header)))
        case _:
            return _npy("(" * rng.choice(_DEPTHS) + rng.choice(("{", "{}", "-" * 500))) + data[10 + size :]
    return _npy(repr(header)) + data[10 + size :]


def _npy(header: str) -> bytes:
    text = header.encode("latin1", "replace")[:65000] + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def npz(data: bytes, rng: Random) -> bytes:
    """The header of one array of an archive."""
    return rewrite_zip(data, rng, rng.choice((npy_header, npy_header, change_bytes, cut)))


# GLB and safetensors: a length, JSON, bytes


def glb_document(data: bytes, rng: Random) -> bytes:
    """One value of the JSON of a GLB file, its lengths made right."""
    if len(data) < 20:
        return data
    size = struct.unpack_from("<I", data, 12)[0]
    text = json_value(data[20 : 20 + size], rng)
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest


def safetensors_header(data: bytes, rng: Random) -> bytes:
    """One value of a safetensors header, or of the JSON inside its metadata, its length made right."""
    if len(data) < 8:
        return data
    size = struct.unpack_from("<Q", data)[0]
    text = data[8 : 8 + size]
    if rng.random() < 0.6:
        with suppress(ValueError, RecursionError, TypeError, AttributeError, KeyError):
            header = json.loads(text)
            (name,) = header["__metadata__"]
            inner = json_value(header["__metadata__"][name].encode(), rng)
            header["__metadata__"][name] = inner.decode("utf-8", "replace")
            text = json.dumps(header).encode()
    else:
        text = json_value(text, rng)
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


# Pickles of PyTorch


def pickle_step(data: bytes, rng: Random) -> bytes:
    """Another global, number or instruction in a pickle."""
    match rng.randrange(4):
        case 0:
            found = list(re.finditer(rb"c([^\n]+)\n([^\n]+)\n", data))
            if not found:
                return data
            chosen = rng.choice(found)
            new = rng.choice(_GLOBALS).encode().replace(b" ", b"\n")
            return data[: chosen.start()] + b"c" + new + b"\n" + data[chosen.end() :]
        case 1:
            numbers = list(re.finditer(rb"J....|K.|M..", data, re.DOTALL))
            if not numbers:
                return data
            chosen = rng.choice(numbers)
            value = rng.choice((0, 1, -1, 2, 255, 65536, 2**31 - 1, -(2**31)))
            return data[: chosen.start()] + b"J" + struct.pack("<i", value) + data[chosen.end() :]
        case 2:
            at = rng.randint(2, max(2, len(data)))
            step = rng.choice(
                (b"]", b"}", b"(", b")", b"N", b"R", b"b", b"Q", b"0", b"a", b"s", b"\x85", b"t", b"K\x01", b".")
            )
            return data[:at] + step * rng.choice((1, 1, 3, 2000)) + data[at:]
        case _:
            return change_bytes(data, rng)


def checkpoint_pickle(data: bytes, rng: Random) -> bytes:
    """A step of the pickle in a PyTorch file, the zip archive around it made right."""
    return rewrite_zip(data, rng, pickle_step, "data.pkl")


def checkpoint_tensor(data: bytes, rng: Random) -> bytes:
    """Bytes of a tensor in a PyTorch file, likewise."""
    return rewrite_zip(data, rng, rng.choice((cut, change_bytes, binary_number)))
