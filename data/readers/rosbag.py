"""Events, poses and calibrations out of ROS 1 bags, without ROS."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from ..event_camera import EventCamera
from .calibrated_camera import camera_of
from .event_file import RawEvents
from .pose_tidy import RawPoses
from .rosbag_file import Bag, Connection

EVENT_TYPES = ("dvs_msgs/EventArray", "prophesee_event_msgs/EventArray")
"""Both have the same fields in the same order."""
POSE_TYPES = ("geometry_msgs/PoseStamped", "geometry_msgs/TransformStamped", "nav_msgs/Odometry")
_PACKED = "event_camera_msgs/EventPacket"
_EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("sec", "<u4"), ("nsec", "<u4"), ("polarity", "u1")])
_UINT = struct.Struct("<I")
_HEADER = struct.Struct("<III")
_POSE = struct.Struct("<7d")


class _Message:
    """A serialised message, read from the front."""

    def __init__(self, path: Path, connection: Connection, data: bytes) -> None:
        self._path, self._connection, self._data, self._at = path, connection, data, 0

    def take(self, form: struct.Struct) -> tuple:
        return form.unpack(self.bytes(form.size))

    def bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise CorruptFile(
                self._path,
                f"topic {self._connection.topic}",
                f"a message of {len(self._data)} bytes, where {self._at + count} are needed; damaged, or no "
                f"{self._connection.type}",
            )
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self) -> bytes:
        return self.bytes(self.count(1))

    def count(self, itemsize: int) -> int:
        """How many items follow; checked against the message before memory is taken."""
        (count,) = self.take(_UINT)
        if count * itemsize > len(self._data) - self._at:
            self.bytes(count * itemsize)  # the error
        return count

    def stamp_ns(self) -> int:
        """The header's time; the header is passed."""
        _, seconds, rest = self.take(_HEADER)
        self.text()
        return seconds * 1_000_000_000 + rest


def read_rosbag_events(path: Path, *, topic: str | None = None) -> RawEvents:
    """Events of a bag: of one topic, by default the first that has any.

    Raises:
        MissingPart: No messages with events.
        UnknownFormat: The events are packed in a way that is not read here.
        CorruptFile: Damaged.
        BackendUnavailable: Compressed with LZ4, and its package is not installed.
    """
    bag, size, parts, chosen = Bag(path), (0, 0), [], topic
    for connection, data in bag.messages(EVENT_TYPES, topic):
        chosen = chosen or connection.topic
        if connection.topic != chosen:
            continue
        message = _Message(path, connection, data)
        message.stamp_ns()
        height, width = *message.take(_UINT), *message.take(_UINT)
        size = (max(size[0], width), max(size[1], height))
        count = message.count(_EVENT.itemsize)
        parts.append(np.frombuffer(message.bytes(count * _EVENT.itemsize), _EVENT))
    if chosen is None or not parts:
        raise _no_messages(bag, EVENT_TYPES, topic)
    events = np.concatenate(parts)
    t_ns = events["sec"].astype(np.int64) * 1_000_000_000 + events["nsec"]
    notes = (*bag.notes, *_others(bag, EVENT_TYPES, chosen))
    return RawEvents(
        events["x"], events["y"], t_ns, events["polarity"], "ROS bag", "ns", size if min(size) else None, notes=notes
    )


def read_rosbag_poses(path: Path, *, topic: str | None = None) -> RawPoses:
    """Poses of a bag: of one topic, by default the first that has any. They are taken as those of the camera.

    Raises:
        MissingPart: No messages with poses.
        CorruptFile: Damaged.
    """
    bag, rows, times, chosen = Bag(path), [], [], topic
    for connection, data in bag.messages(POSE_TYPES, topic):
        chosen = chosen or connection.topic
        if connection.topic != chosen:
            continue
        message = _Message(path, connection, data)
        times.append(message.stamp_ns())
        if connection.type != POSE_TYPES[0]:
            message.text()  # the name of the other frame
        rows.append(message.take(_POSE))
    if chosen is None or not rows:
        raise _no_messages(bag, POSE_TYPES, topic)
    table = np.array(rows)
    notes = (*bag.notes, *_others(bag, POSE_TYPES, chosen))
    return RawPoses(np.array(times, np.int64), table[:, :3], table[:, [6, 3, 4, 5]], f"poses of {chosen}", notes)


def read_rosbag_camera(path: Path, *, topic: str | None = None) -> EventCamera:
    """The camera's calibration in a bag: its first message of that kind.

    Raises:
        MissingPart: No calibration.
        CorruptFile: Damaged.
    """
    bag, kind = Bag(path), "sensor_msgs/CameraInfo"
    for connection, data in bag.messages((kind,), topic):
        message = _Message(path, connection, data)
        message.stamp_ns()
        height, width = *message.take(_UINT), *message.take(_UINT)
        model = message.text().decode("ascii", "replace")
        coefficients = np.frombuffer(message.bytes(8 * message.count(8)), "<f8")
        K = np.frombuffer(message.bytes(72), "<f8").reshape(3, 3)
        return camera_of(
            path, f"topic {connection.topic}", torch.from_numpy(K.copy()), (width, height), model, coefficients
        )
    raise _no_messages(bag, (kind,), topic)


def read_rosbag_stamps(path: Path, kind: str) -> np.ndarray:
    """Header times of all messages of a type, nanoseconds."""
    return np.array([_Message(path, c, data).stamp_ns() for c, data in Bag(path).messages((kind,))], np.int64)


def _no_messages(bag: Bag, types: tuple[str, ...], topic: str | None) -> MissingPart | UnknownFormat:
    held = sorted({f"{connection.topic} ({connection.type})" for connection in bag.connections.values()})
    shown = ", ".join(held[:20]) or "nothing"
    if types == EVENT_TYPES and any(connection.type == _PACKED for connection in bag.connections.values()):
        return UnknownFormat(
            f"{bag.path}: its events are {_PACKED}, which is not read here; convert them to dvs_msgs/EventArray, or "
            "take the RAW file of the camera"
        )
    wanted = f"topic {topic} with " if topic else ""
    return MissingPart(f"{bag.path}: no messages of {wanted}{' or '.join(types)}; the bag holds {shown}")


def _others(bag: Bag, types: tuple[str, ...], chosen: str) -> tuple[str, ...]:
    others = sorted({c.topic for c in bag.connections.values() if c.type in types and c.topic != chosen})
    return (f"of several topics {chosen} was read; there are also {', '.join(others)}",) if others else ()
