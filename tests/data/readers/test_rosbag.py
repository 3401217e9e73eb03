"""ROS 1 bags: events, poses and calibrations come out as they were put in, whatever the chunks; damage is told."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, DataError, MissingPart, UnknownFormat
from trisparse.data.readers.event_poses import read_trajectory
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.events import read_events
from trisparse.data.readers.rosbag import read_rosbag_camera

from .event_encoders import HEIGHT, WIDTH, Event, Message, bag, event_array, event_lists, ros_header, some_events
from .test_prophesee import events_of

QUAT = (0.5, -0.5, 0.5, 0.5)
"""x y z w."""


def pose(ns: int, x: float, kind: str = "geometry_msgs/PoseStamped", topic: str = "/cam0/pose") -> Message:
    """A camera at (x, 2, 3)."""
    inner = b"" if kind.endswith("PoseStamped") else struct.pack("<I", 3) + b"cam"
    rest = bytes(8 * 100) if kind.endswith("Odometry") else b""
    return Message(topic, kind, ros_header(ns) + inner + struct.pack("<7d", x, 2, 3, *QUAT) + rest)


def imu(ns: int) -> Message:
    """A measurement of which only the time counts."""
    return Message("/imu", "sensor_msgs/Imu", ros_header(ns) + bytes(296))


def camera_info(model: bytes = b"plumb_bob", coefficients: tuple[float, ...] = (0.1, -0.2, 0.01, 0.02)) -> Message:
    """A calibration."""
    K = (300.0, 0, 320, 0, 310, 240, 0, 0, 1)
    data = ros_header(5) + struct.pack("<II", HEIGHT, WIDTH) + struct.pack("<I", len(model)) + model
    data += (
        struct.pack(f"<I{len(coefficients)}d", len(coefficients), *coefficients) + struct.pack("<9d", *K) + bytes(180)
    )
    return Message("/cam0/camera_info", "sensor_msgs/CameraInfo", data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of hypothesis."""
    return tmp_path_factory.mktemp("bags")


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4", "no chunks"])
@settings(max_examples=15)
@given(events=event_lists(start=1_500_000_000_000_000))
def test_what_was_put_in_comes_out(folder: Path, compression: str, events: list[Event]) -> None:
    parts = [event_array(events[:7]), imu(3), event_array([]), event_array(events[7:])]
    kind = "none" if compression == "no chunks" else compression
    (folder / "a.bag").write_bytes(bag(parts, kind, in_chunks=compression != "no chunks"))
    file = read_events(folder / "a.bag")
    assert events_of(file.stream) == events
    assert (file.stream.width, file.stream.height, file.notes) == (WIDTH, HEIGHT, ())


def test_one_topic_of_several_is_read(tmp_path: Path) -> None:
    left, right = some_events(9, seed=1), some_events(8, seed=2)
    (tmp_path / "a.bag").write_bytes(bag([event_array(left, "/left"), event_array(right, "/right")]))
    file = read_events(tmp_path / "a.bag")
    assert events_of(file.stream) == left
    assert file.notes == ("of several topics /left was read; there are also /right",)
    assert events_of(read_events(tmp_path / "a.bag", part="/right").stream) == right
    with pytest.raises(
        MissingPart, match=r"topic /up with dvs_msgs/EventArray .* holds /left \(dvs_msgs/EventArray\), /right"
    ):
        read_events(tmp_path / "a.bag", part="/up")


@pytest.mark.parametrize("kind", ["geometry_msgs/PoseStamped", "geometry_msgs/TransformStamped", "nav_msgs/Odometry"])
def test_poses_of_all_kinds_are_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.bag").write_bytes(bag([pose(10**18 + 1000 * i, i, kind) for i in range(4)]))
    trajectory = read_trajectory(tmp_path / "a.bag").trajectory
    assert trajectory.t_ns.tolist() == [10**18 + 1000 * i for i in range(4)]
    assert trajectory.centers.tolist() == [[i, 2, 3] for i in range(4)]
    assert trajectory.quats[0].tolist() == [0.5, 0.5, -0.5, 0.5]


def test_a_calibration_is_shifted_to_our_pixel_centres(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(bag([camera_info()]))
    camera = read_rosbag_camera(tmp_path / "a.bag")
    assert camera.K.tolist() == [[300, 0, 320.5], [0, 310, 240.5], [0, 0, 1]]
    assert (camera.width, camera.height, camera.model) == (WIDTH, HEIGHT, "opencv")
    assert camera.distortion.tolist() == [0.1, -0.2, 0.01, 0.02]


def test_a_lens_model_that_is_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(bag([camera_info(b"fov")]))
    with pytest.raises(UnknownFormat, match="topic /cam0/camera_info: the lens model 'fov' is not read here"):
        read_rosbag_camera(tmp_path / "a.bag")


def test_a_simulated_bag_keeps_the_poses_at_stamps_of_the_imu_and_takes_its_settings(tmp_path: Path) -> None:
    poses = [pose(1000 * i, i) for i in range(10)]
    messages = [camera_info(), *poses, *(imu(2000 * i) for i in range(5)), event_array(some_events(20, span=8))]
    (tmp_path / "esim.bag").write_bytes(bag(messages))
    (tmp_path / "esim.conf").write_text(
        "--contrast_threshold_pos=0.25\n--contrast_threshold_neg=0.3\n--refractory_period_ns=8000\n--simulate_color_events=true\n"
    )
    recording = read_recording(tmp_path / "esim.bag")
    assert recording.trajectory is not None
    assert recording.trajectory.t_ns.tolist() == [0, 2000, 4000, 6000, 8000]
    assert "5 of 10 poses without a stamp of the IMU were left out" in recording.notes
    camera = recording.posed().camera
    assert camera.thresholds is not None
    assert (camera.thresholds.positive, camera.thresholds.negative) == (0.25, 0.3)
    assert (camera.refractory_period_ns, camera.bayer_pattern) == (8000, "RGGB")
    (tmp_path / "esim.conf").write_text("--contrast_threshold_pos=much\n")
    with pytest.raises(CorruptFile, match=r"esim\.conf: settings: could not convert"):
        read_recording(tmp_path / "esim.bag")


def test_a_bag_with_events_alone_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(bag([event_array(some_events(5))]))
    recording = read_recording(tmp_path / "a.bag")
    assert recording.notes == ("the bag holds no poses", "the bag holds no calibration")
    with pytest.raises(
        MissingPart, match="without poses of the camera, and reconstruction without poses is not supported; give"
    ):
        recording.posed()


def test_a_bag_that_was_not_closed_is_read_to_there(tmp_path: Path) -> None:
    first, second = some_events(9), some_events(9, start=200_000)
    content = bag([event_array(first), event_array(second)], in_chunks=False)
    (tmp_path / "a.bag").write_bytes(content[:-20])
    file = read_events(tmp_path / "a.bag")
    assert events_of(file.stream) == first
    assert "ends within a record" in file.notes[0]


def test_a_packed_stream_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(bag([Message("/ev", "event_camera_msgs/EventPacket", ros_header(1))]))
    with pytest.raises(
        UnknownFormat, match="its events are event_camera_msgs/EventPacket, which is not read here; convert"
    ):
        read_events(tmp_path / "a.bag")


def test_an_absurd_count_of_events_takes_no_memory(tmp_path: Path) -> None:
    good = event_array(some_events(3))
    place = len(ros_header(0)) + 8
    data = good.data[:place] + struct.pack("<I", 0xFFFFFFFF) + good.data[place + 4 :]
    (tmp_path / "a.bag").write_bytes(bag([good._replace(data=data)]))
    with pytest.raises(CorruptFile, match=r"topic /dvs/events: a message of \d+ bytes, where 558\d+ are needed"):
        read_events(tmp_path / "a.bag")


def test_a_message_of_nobody_is_told(tmp_path: Path) -> None:
    content = bag([event_array(some_events(3))], in_chunks=False)
    marker = b"conn=" + struct.pack("<I", 0)
    (tmp_path / "a.bag").write_bytes(content.replace(marker, b"conn=" + struct.pack("<I", 9), 1))
    with pytest.raises(CorruptFile, match="a message of connection 0, which nothing describes"):
        read_events(tmp_path / "a.bag")


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
@given(data=st.data())
def test_damage_is_a_stream_or_an_error(folder: Path, compression: str, data: st.DataObject) -> None:
    content = bytearray(bag([event_array(some_events(6)), imu(1)], compression))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(13, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged"
    path.write_bytes(bytes(content[: data.draw(st.integers(14, len(content)))]))
    try:
        stream = read_events(path).stream
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert (np.diff(stream.t_ns) >= 0).all()


def test_poses_of_the_recording_are_in_float64(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(bag([pose(i, i / 3) for i in range(1, 4)]))
    trajectory = read_trajectory(tmp_path / "a.bag", interpolation="cubic").trajectory
    assert trajectory.interpolation == "cubic"
    assert trajectory.centers[:, 0].tolist() == [1 / 3, 2 / 3, 1.0]
    assert trajectory.centers.dtype == torch.float64
