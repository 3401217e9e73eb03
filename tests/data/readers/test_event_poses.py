"""Poses of event cameras: orders of quaternions, units, and what is repaired or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from trisparse.core.errors import CorruptFile, DataError, MissingPart, UnknownFormat
from trisparse.data.quaternions import to_matrix
from trisparse.data.readers.event_poses import read_trajectory
from trisparse.data.readers.event_recordings import read_recording

TURN = Rotation.from_euler("xyz", [10, -20, 30], degrees=True)
Q = TURN.as_quat()
"""x y z w."""


def write(folder: Path, text: str) -> Path:
    """A file of poses."""
    (folder / "poses.txt").write_text(text)
    return folder / "poses.txt"


def lines(times: list[Any], quat: str = f"{Q[0]} {Q[1]} {Q[2]} {Q[3]}") -> str:
    """Poses at (i, 2, -3)."""
    return "".join(f"{t} {i} 2 -3 {quat}\n" for i, t in enumerate(times))


def test_lines_of_text_are_poses_world_from_camera_x_y_z_w(tmp_path: Path) -> None:
    file = read_trajectory(write(tmp_path, "# t px py pz qx qy qz qw\n" + lines(["0.022291582", "0.031785369", "0.5"])))
    assert file.trajectory.t_ns.tolist() == [22291582, 31785369, 500_000_000]
    assert file.trajectory.centers.tolist() == [[0, 2, -3], [1, 2, -3], [2, 2, -3]]
    torch.testing.assert_close(to_matrix(file.trajectory.quats[0]), torch.from_numpy(TURN.as_matrix()))
    assert file.notes == ()


def test_a_header_may_put_w_first(tmp_path: Path) -> None:
    header = "#timestamp [ns], p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z []\n"
    text = header + lines([10**18, 10**18 + 5_000_000], f"{Q[3]} {Q[0]} {Q[1]} {Q[2]}").replace(" ", ",")
    file = read_trajectory(write(tmp_path, text))
    assert file.trajectory.t_ns.tolist() == [10**18, 10**18 + 5_000_000]
    torch.testing.assert_close(to_matrix(file.trajectory.quats[0]), torch.from_numpy(TURN.as_matrix()))


def test_rotation_vectors_of_the_simulator_are_read(tmp_path: Path) -> None:
    v = TURN.as_rotvec()
    text = "timestamp_ns, x, y, z, rx, ry, rz\n" + lines([0, 1_000_000], f"{v[0]} {v[1]} {v[2]}").replace(" ", ",")
    file = read_trajectory(write(tmp_path, text))
    assert file.trajectory.t_ns.tolist() == [0, 1_000_000]
    torch.testing.assert_close(to_matrix(file.trajectory.quats[1]), torch.from_numpy(TURN.as_matrix()))


@pytest.mark.parametrize(
    ("unit", "step"), [("us", 8333), ("ns", 8_333_333), ("ms", 10), ("ns", 1_000_000), ("us", 50_000)]
)
def test_the_unit_of_whole_times_is_guessed_from_their_rate_and_said(tmp_path: Path, unit: Any, step: int) -> None:
    start = {"ms": 0, "us": 10**12, "ns": 10**15}[unit]
    path = write(tmp_path, lines([start + i * step for i in range(20)]))
    guessed, told = read_trajectory(path), read_trajectory(path, unit=unit)
    assert torch.equal(guessed.trajectory.t_ns, told.trajectory.t_ns)
    assert f"times of poses were taken as {unit}, which gives" in guessed.notes[0]
    assert told.notes == ()


def test_poses_out_of_order_or_twice_are_repaired_and_counted(tmp_path: Path) -> None:
    file = read_trajectory(write(tmp_path, lines(["0.1", "0.3", "0.2", "0.2", "0.4", "0.1"])))
    assert file.trajectory.centers[:, 0].tolist() == [0, 2, 1, 4]
    assert file.notes == (
        "times of poses ran back 2 times; they were sorted",
        "2 of 6 poses have the time of the one before them and were left out",
    )


def test_quaternions_that_are_not_unit_are_normalised_and_told(tmp_path: Path) -> None:
    file = read_trajectory(write(tmp_path, lines(["0.1", "0.2"], f"{2 * Q[0]} {2 * Q[1]} {2 * Q[2]} {2 * Q[3]}")))
    torch.testing.assert_close(to_matrix(file.trajectory.quats[0]), torch.from_numpy(TURN.as_matrix()))
    assert file.notes == ("2 of 2 quaternions missed unit length, by up to 1, and were normalised",)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (lines(["0.1"]), MissingPart, "1 poses of different times; expected at least 2"),
        (lines(["0.1", "0.1"]), MissingPart, "1 poses of different times"),
        (
            lines(["0.1", "0.2"], "0 0 0 0"),
            CorruptFile,
            "pose 0: its quaternion has the length 0, which is no rotation",
        ),
        (lines(["0.1", "0.2"], "0 0 0"), CorruptFile, None),
        (lines(["0.1", "0.2"], "1 0 0 0 9"), CorruptFile, "line 1: 9 numbers, expected poses, a line each"),
        (lines(["0.1", "0.2"], "1 0 0 nan"), CorruptFile, "line 1: holds something that is no number"),
        (lines(["0.1"]) + "0.2 1 2 3\n", CorruptFile, "line 2: holds fewer numbers"),
        ("", MissingPart, "holds no numbers; expected poses"),
        ("\0\0\0", UnknownFormat, "begins with"),
    ],
)
def test_what_is_no_trajectory_is_refused(
    tmp_path: Path, text: str, kind: type[Exception], message: str | None
) -> None:
    if message is None:  # three numbers are a rotation vector
        assert len(read_trajectory(write(tmp_path, text)).trajectory) == 2
        return
    with pytest.raises(kind, match=message):
        read_trajectory(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"poses\.txt: no such file; expected poses, a line each"):
        read_trajectory(tmp_path / "poses.txt")


def npz(folder: Path, **changed: Any) -> Path:
    """``camera_poses.npz``, perhaps with one array changed."""
    arrays = {
        "T_wc_timestamp": np.array([5, 7, 9]),
        "T_wc_position": np.eye(3, dtype=np.float32),
        "T_wc_orientation": np.tile(Q, (3, 1)).astype(np.float32),
    }
    np.savez(folder / "camera_poses.npz", **{k: v for k, v in (arrays | changed).items() if v is not None})
    return folder / "camera_poses.npz"


def test_poses_of_robust_e_nerf_are_read(tmp_path: Path) -> None:
    file = read_trajectory(npz(tmp_path))
    assert (file.trajectory.t_ns.tolist(), file.format) == ([5, 7, 9], "Robust e-NeRF poses")
    expected = torch.from_numpy(TURN.as_matrix())
    torch.testing.assert_close(to_matrix(file.trajectory.quats[0]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"T_wc_timestamp": None}, MissingPart, "no T_wc_timestamp .found T_wc_position, T_wc_orientation."),
        ({"T_wc_timestamp": np.array([1.0, 2, 3])}, CorruptFile, "times float64"),
        ({"T_wc_position": np.zeros((2, 3))}, CorruptFile, r"positions \(2, 3\)"),
        ({"T_wc_position": np.full((3, 3), np.nan)}, CorruptFile, "pose 0: holds NaN or infinity"),
        ({"T_wc_orientation": np.array([["a"] * 4] * 3)}, DataError, "expected numbers"),
    ],
)
def test_damaged_poses_of_robust_e_nerf_are_refused(
    tmp_path: Path, changed: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        read_trajectory(npz(tmp_path, **changed))


def test_the_poses_of_the_sample_begin_after_its_first_events(shared: Path) -> None:
    recording = read_recording(shared / "data" / "ev_slider_depth")
    posed = recording.posed()
    assert (len(recording.stream), len(posed.stream)) == (29_273, 26_022)
    assert posed.notes[-1] == "of 29273 events 3251 before the first and 0 after the last pose were left out"
    photos = recording.posed_frames()
    assert photos is not None
    assert photos.names == ("frame_00000001.png", "frame_00000002.png")
    assert photos.warnings == ("1 of 3 photos were taken before the first or after the last pose",)
    moved = photos.cameras.centers[1] - photos.cameras.centers[0]
    torch.testing.assert_close(moved, torch.tensor([0.0119, 0, 0], dtype=torch.float64), atol=1e-3, rtol=0)  # 0.31 m/s
