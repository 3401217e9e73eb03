"""Messages of ROS 1 bags (format 2.0), without ROS."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CorruptFile, MissingPart
from .compressed import DamagedBlock, decompress

MAGIC = b"#ROSBAG V2.0\n"
_UINT = struct.Struct("<I")
_MESSAGE, _CHUNK, _CONNECTION = b"\x02", b"\x05", b"\x07"
_COMPRESSIONS = {b"none": "none", b"bz2": "bz2", b"lz4": "lz4"}
_LARGEST_RECORD_HEADER = 1 << 20

Buffer = bytes | mmap.mmap


@dataclass(frozen=True)
class Connection:
    """One publisher's topic."""

    topic: str
    type: str
    """As "dvs_msgs/EventArray"."""


class Bag:
    """A bag, read from the front without its index, so that one that was not closed is read too.

    ``notes`` says what was left out, once all messages were asked for.

    Raises:
        MissingPart: No such file, or nothing in it.
        CorruptFile: Not a bag of format 2.0.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingPart(f"{path}: no such file; expected a ROS 1 bag")
        self.path = path
        self.connections: dict[int, Connection] = {}
        self.notes: list[str] = []
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            if head != MAGIC:
                raise CorruptFile(path, "byte 0", f"begins with {head!r}, expected {MAGIC!r}")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def messages(self, types: Collection[str], topic: str | None = None) -> Iterator[tuple[Connection, bytes]]:
        """Serialised messages of some types, perhaps of one topic only, in the order of the file.

        Raises:
            CorruptFile: A record that contradicts itself.
            BackendUnavailable: Compressed with LZ4, and its package is not installed.
        """
        self.notes.clear()
        for fields, start, end in self._records(self._data, len(MAGIC), "", is_file=True):
            if fields.get("op") == _CHUNK:
                block, place = self._chunk(fields, start, end)
                inner = self._records(
                    block, start if block is self._data else 0, place, until=end if block is self._data else None
                )
                yield from self._wanted(block, inner, types, topic, place)
            else:
                yield from self._wanted(self._data, iter([(fields, start, end)]), types, topic, f"byte {start}")

    def _wanted(
        self,
        data: Buffer,
        records: Iterator[tuple[dict[str, bytes], int, int]],
        types: Collection[str],
        topic: str | None,
        place: str,
    ) -> Iterator[tuple[Connection, bytes]]:
        for fields, start, end in records:
            op = fields.get("op")
            if op not in (_MESSAGE, _CONNECTION):
                continue
            number = fields.get("conn", b"")
            if len(number) != 4:
                raise CorruptFile(self.path, place, "a record without the number of its connection; damaged")
            (key,) = _UINT.unpack(number)
            if op == _CONNECTION:
                self.connections[key] = self._connection(fields, data[start:end], place)
                continue
            connection = self.connections.get(key)
            if connection is None:
                raise CorruptFile(self.path, place, f"a message of connection {key}, which nothing describes; damaged")
            if connection.type in types and topic in (None, connection.topic):
                yield connection, data[start:end]

    def _connection(self, fields: dict[str, bytes], data: bytes, place: str) -> Connection:
        described = _fields(data)
        if described is None or "type" not in described:
            raise CorruptFile(self.path, place, "a connection without the type of its messages; damaged")
        topic = fields.get("topic", described.get("topic", b""))
        return Connection(topic.decode("utf-8", "replace"), described["type"].decode("utf-8", "replace"))

    def _chunk(self, fields: dict[str, bytes], start: int, end: int) -> tuple[Buffer, str]:
        name = fields.get("compression", b"none")
        if name not in _COMPRESSIONS:
            raise CorruptFile(
                self.path, f"chunk at byte {start}", f"compressed as {name!r:.40}, expected none, bz2 or lz4"
            )
        if name == b"none":
            return self._data, f"chunk at byte {start}"
        try:
            return decompress(_COMPRESSIONS[name], self._data[start:end]), f"chunk at byte {start}"
        except DamagedBlock as error:
            raise CorruptFile(self.path, f"chunk at byte {start}", f"{error}; copy the file again") from error

    def _records(
        self, data: Buffer, at: int, place: str, *, until: int | None = None, is_file: bool = False
    ) -> Iterator[tuple[dict[str, bytes], int, int]]:
        """Header fields of each record, and where its data lie. A bag may end within a record; a chunk may not."""
        size = len(data) if until is None else until
        while at < size:
            where = place or f"byte {at}"
            head_end = _length_at(data, at, size)
            data_end = None if head_end is None else _length_at(data, head_end, size)
            if head_end is None or data_end is None:
                if not is_file:
                    raise CorruptFile(self.path, where, f"a record at byte {at} reaches beyond the end; damaged")
                self.notes.append(
                    f"the bag ends within a record, at byte {at}: truncated, or not closed; the rest was left out"
                )
                return
            if head_end - at > _LARGEST_RECORD_HEADER or (fields := _fields(data[at + 4 : head_end])) is None:
                raise CorruptFile(self.path, where, f"the header of the record at byte {at} is damaged")
            yield fields, head_end + 4, data_end
            at = data_end


def _length_at(data: Buffer, at: int, size: int) -> int | None:
    """Where a block ends that begins with its length; None beyond the end."""
    if at + 4 > size:
        return None
    end = at + 4 + _UINT.unpack(data[at : at + 4])[0]
    return end if end <= size else None


def _fields(header: bytes) -> dict[str, bytes] | None:
    """Fields ``name=value``, each after its length; None if damaged."""
    found, at = {}, 0
    while at < len(header):
        end = _length_at(header, at, len(header))
        if end is None:
            return None
        name, equals, value = header[at + 4 : end].partition(b"=")
        if not equals or not name.isascii():
            return None
        found[name.decode()] = value
        at = end
    return found
