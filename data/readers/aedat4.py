"""AEDAT4 recordings of iniVation's cameras: FlatBuffers in compressed packets; decoded without their software."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from .compressed import DamagedBlock, decompress
from .event_file import RawEvents
from .flatbuffer import FlatTable

MAGIC = b"#!AER-DAT4.0\r\n"
OLDER = (b"#!AER-DAT1.0", b"#!AER-DAT2.0", b"#!AER-DAT3.1")
_COMPRESSIONS = {0: "none", 1: "lz4", 2: "lz4", 3: "zstd", 4: "zstd"}
_EVENT = np.dtype(
    {"names": ["t", "x", "y", "on"], "formats": ["<i8", "<i2", "<i2", "?"], "offsets": [0, 8, 10, 12], "itemsize": 16}
)
_PACKET = struct.Struct("<iI")
_LARGEST_HEADER = 1 << 24
_ENTITY = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class _Stream:
    """One output of the camera, as the header describes it."""

    number: int
    kind: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class _Header:
    compression: str
    n_bytes: int
    """Where the packets begin."""
    end: int | None
    """Where they end; None where the recording was not closed."""
    streams: tuple[_Stream, ...]


def read_aedat4(path: Path, *, stream: int | None = None) -> RawEvents:
    """Events of an AEDAT4 file; times are Unix times of the computer, microseconds.

    Args:
        path: The file.
        stream: Which of several cameras' events; the first by default.

    Raises:
        MissingPart: No events.
        CorruptFile: Damaged, or a header that claims more than there is.
        BackendUnavailable: The packets are compressed, and the package for it is not installed.
    """
    data = path.read_bytes()
    header = _header(path, data)
    cameras = {s.number: s for s in header.streams if s.kind == "EVTS"}
    chosen = min(cameras, default=0) if stream is None else stream
    if cameras and chosen not in cameras:
        raise MissingPart(f"{path}: no stream {chosen} of events; there are {sorted(cameras)}")
    notes = [f"of {len(cameras)} cameras' events those of stream {chosen} were read"] if len(cameras) > 1 else []
    packets = [np.empty(0, _EVENT)]
    for place, number, block in _packets(path, data, header, notes):
        if number == chosen:
            packets.append(_events(path, place, header.compression, block))
    events = np.concatenate(packets)
    size = cameras[chosen].size if chosen in cameras else None
    return RawEvents(events["x"], events["y"], events["t"], events["on"], "AEDAT4", "us", size, notes=tuple(notes))


def _header(path: Path, data: bytes) -> _Header:
    at = len(MAGIC)
    if len(data) < at + 4:
        raise CorruptFile(path, f"byte {len(data)}", "the file ends within its header; truncated")
    (length,) = struct.unpack_from("<I", data, at)
    if length > min(len(data) - at - 4, _LARGEST_HEADER):
        raise CorruptFile(path, f"byte {at}", f"claims a header of {length} bytes, but {len(data) - at - 4} follow")
    try:
        table = FlatTable(data[at + 4 : at + 4 + length])
        compression = table.scalar(0, "i", 0)
        end = table.scalar(1, "q", -1)
        information = table.text(2)
    except (IndexError, struct.error) as error:
        raise CorruptFile(path, f"byte {at + 4}", f"the header is damaged: {error}") from error
    if table.identifier != b"IOHE" or compression not in _COMPRESSIONS:
        raise CorruptFile(
            path,
            f"byte {at + 4}",
            f"a header {table.identifier!r} of compression {compression}; expected b'IOHE', 0 to 4",
        )
    is_closed = at + 4 + length <= end <= len(data)
    return _Header(_COMPRESSIONS[compression], at + 4 + length, end if is_closed else None, _streams(path, information))


def _streams(path: Path, information: bytes) -> tuple[_Stream, ...]:
    """The outputs that the header's XML describes."""
    if _ENTITY.search(information):
        raise CorruptFile(path, "header", "its XML defines entities; expected plain nodes and attributes")
    try:
        root = ElementTree.fromstring(information)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise CorruptFile(path, "header", f"its description of the streams is no XML: {error}") from error
    found = []
    for node in root.iterfind("./node[@name='outInfo']/node"):
        number, kind = node.get("name", ""), node.findtext("./attr[@key='typeIdentifier']", "")
        width = node.findtext("./node[@name='info']/attr[@key='sizeX']", "")
        height = node.findtext("./node[@name='info']/attr[@key='sizeY']", "")
        size = (int(width), int(height)) if _is_count(width) and _is_count(height) else None
        if _is_count(number):
            found.append(_Stream(int(number), kind, size))
    return tuple(found)


def _is_count(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isdecimal() and len(text) < 7


def _packets(path: Path, data: bytes, header: _Header, notes: list[str]) -> list[tuple[int, int, bytes]]:
    """Place, stream number and content of each packet."""
    found, at, end = [], header.n_bytes, len(data) if header.end is None else header.end
    while at < end:
        if at + _PACKET.size > end:
            notes.append(f"the file ends within the head of a packet, at byte {at}; it is probably truncated")
            break
        number, length = _PACKET.unpack_from(data, at)
        at += _PACKET.size
        if length > end - at:
            notes.append(
                f"the packet at byte {at} claims {length} bytes, but {end - at} are left: it was left out; the file "
                "is probably truncated"
            )
            break
        found.append((at, number, data[at : at + length]))
        at += length
    return found


def _events(path: Path, place: int, compression: str, block: bytes) -> np.ndarray:
    try:
        content = block if compression == "none" else decompress(compression, block)
        table = FlatTable(content[4:])  # the first four bytes repeat the size
        if table.identifier != b"EVTS":
            raise CorruptFile(path, f"packet at byte {place}", f"holds {table.identifier!r}, expected events, b'EVTS'")
        return table.records(0, _EVENT)
    except (DamagedBlock, IndexError, struct.error) as error:
        raise CorruptFile(path, f"packet at byte {place}", f"{error}; damaged: copy the file again") from error


def refuse_older(path: Path, head: bytes) -> None:
    """Refuse AEDAT of versions that are not read here."""
    raise UnknownFormat(
        f"{path}: is {head[2:12].decode('ascii', 'replace')}; only AEDAT4 is read here: convert it with iniVation's "
        "DV software (open it, export as AEDAT4)"
    )
