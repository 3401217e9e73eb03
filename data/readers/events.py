"""Events out of whatever file they lie in, told by its content, not its name."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from . import aedat4, event_h5, rosbag_file
from .event_file import EventFile, RawEvents, TimeUnit
from .event_folder import is_event_folder, read_event_folder
from .event_npz import read_event_npz
from .event_text import looks_like_events, read_event_text
from .event_tidy import tidy
from .prophesee import is_prophesee, read_prophesee
from .rosbag import read_rosbag_events

_FORMATS = (
    "Prophesee RAW (EVT2, EVT3) or DAT, AEDAT4, HDF5 (TUM-VIE, EDS, DSEC, MVSEC, E2VID), a ROS 1 bag, NPZ, NPY, lines of "
    "t x y p, or a folder that `trisparse events convert` made"
)
_HEAD = 1 << 16
_ELSEWHERE = {
    b"SQLite format 3": "a ROS 2 bag (or another SQLite database); convert it to a ROS 1 bag with `rosbags-convert`",
    b"\x89MCAP": "an MCAP file of ROS 2; convert it to a ROS 1 bag with `rosbags-convert`",
    b"Event Stream": "an ES file; convert it to AEDAT4 or RAW with `faery`",
}


def read_events(
    path: str | PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    unit: TimeUnit | None = None,
    part: str | None = None,
) -> EventFile:
    """Read the events of a file of any known format.

    Args:
        path: The file, or a folder of mapped columns.
        size: Width and height of the sensor, where the file does not say or is wrong.
        unit: Unit of the times, where the file does not say or is wrong.
        part: Which of several sensors: a topic (bag), a group (HDF5), the number of a stream (AEDAT4).

    Raises:
        MissingPart: No such file, no events in it, or not the part asked for.
        UnknownFormat: The content is of no format that is read here.
        CorruptFile: The file is damaged or contradicts itself.
        UnsafeFile: It holds Python objects, or leads into other files.
        BackendUnavailable: The package that the format needs is not installed.
    """
    path = Path(path)
    if path.is_dir():
        if not is_event_folder(path):
            raise MissingPart(f"{path}: a folder without events.json; expected a file: {_FORMATS}")
        return EventFile(read_event_folder(path), "mapped columns")
    if not path.exists():
        raise MissingPart(f"{path}: no such file; expected {_FORMATS}")
    return tidy(path, _read(path, part), size=size, unit=unit)


def _read(path: Path, part: str | None) -> RawEvents:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise CorruptFile(path, "byte 0", f"the file is empty; expected {_FORMATS}")
    if head.startswith(aedat4.MAGIC):
        return aedat4.read_aedat4(path, stream=_stream_number(path, part))
    if head.startswith(aedat4.OLDER):
        aedat4.refuse_older(path, head)
    if head.startswith(event_h5.MAGIC):
        return event_h5.read_event_h5(path, group=part)
    if head.startswith(rosbag_file.MAGIC):
        return read_rosbag_events(path, topic=part)
    if head.startswith((b"PK", b"\x93NUMPY")):
        return read_event_npz(path)
    for magic, found in _ELSEWHERE.items():
        if head.startswith(magic):
            raise UnknownFormat(f"{path}: is {found}")
    if is_prophesee(head):
        return read_prophesee(path)
    if looks_like_events(head):
        return read_event_text(path)
    raise UnknownFormat(
        f"{path}: begins with {head[:16]!r}, as no recording does that is read here; expected {_FORMATS}"
    )


def _stream_number(path: Path, part: str | None) -> int | None:
    if part is not None and not (part.isascii() and part.isdecimal()):
        raise MissingPart(f"{path}: no stream {part!r}; those of AEDAT4 have numbers")
    return None if part is None else int(part)
