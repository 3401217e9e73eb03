from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from trisparse.core.errors import InvalidInput
from trisparse.data.alignment import Alignment, align_scan
from trisparse.data.boxes import Boxes3D
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.scan import read_scan_file


def _box(rng: np.random.Generator, low: list[float], high: list[float], per_square_metre: float = 500) -> np.ndarray:
    """Points on the surface of a box; a box that is flat along an axis is a rectangle."""
    low_, size = np.array(low), np.array(high) - np.array(low)
    faces = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        n = int(size[others].prod() * per_square_metre)
        for side in (0, 1) if size[axis] else (0,):
            face = rng.random((n, 3))
            face[:, axis] = side
            faces.append(low_ + face * size)
    return np.concatenate(faces)


def make_room(seed: int, *, ceiling: bool = False, noise: float = 0.008) -> np.ndarray:
    """A room (n, 3), metres, z up, floor at 0, walls along the axes, its middle at the origin; some furniture."""
    rng = np.random.default_rng(seed)
    a, b, h = rng.uniform(1.6, 3.5), rng.uniform(1.5, 3), rng.uniform(2.3, 2.8)
    parts = [
        _box(rng, [-a, -b, 0], [a, b, 0]),
        _box(rng, [-a, -b, 0], [a, -b, h]),
        _box(rng, [-a, b, 0], [a, b, h]),
        _box(rng, [-a, -b, 0], [-a, b, h]),
        _box(rng, [a, -b, 0], [a, b, h * 0.6]),
    ]
    if ceiling:
        parts.append(_box(rng, [-a, -b, h], [a, b, h]))
    for height in (0.45, 0.45, 0.75, 0.9, 1.8):
        x, y = rng.uniform(-a + 0.6, a - 0.6), rng.uniform(-b + 0.6, b - 0.6)
        wide, deep = rng.uniform(0.2, 0.5, 2)
        parts.append(_box(rng, [x - wide, y - deep, 0 if height > 0.8 else height - 0.1], [x + wide, y + deep, height]))
    points = np.concatenate(parts)
    return points + rng.normal(size=points.shape) * noise


def _any_rotation(seed: int) -> np.ndarray:
    return Rotation.from_quat(np.random.default_rng(seed).normal(size=4)).as_matrix()


def _cloud(points: np.ndarray) -> PointCloud:
    return PointCloud(torch.from_numpy(points.astype(np.float32)), torch.full((len(points), 3), 0.5))


def _tilt(alignment: Alignment, network_from_file: np.ndarray) -> float:
    """Degrees between the up found and the true one."""
    found = alignment.network_from_file[2, :3].numpy() / alignment.scale
    return float(np.degrees(np.arccos(np.clip(found @ network_from_file[2, :3], -1, 1))))


def _turn(alignment: Alignment, network_from_file: np.ndarray) -> float:
    """Degrees between the walls' directions found and the true ones, quarter turns apart."""
    off = alignment.network_from_file[:3, :3].numpy() / alignment.scale @ network_from_file[:3, :3].T
    angle = np.degrees(np.arctan2(off[1, 0], off[0, 0]))
    return float(abs((angle + 45) % 90 - 45))


@pytest.mark.parametrize("ceiling", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_room_turned_at_random_is_set_upright_again(seed: int, ceiling: bool) -> None:
    room = make_room(seed, ceiling=ceiling)
    rotation = _any_rotation(seed)
    scan = room @ rotation.T + [3.0, -20.0, 7.0]

    alignment = align_scan(_cloud(scan))

    assert _tilt(alignment, rotation.T) < 2
    assert _turn(alignment, rotation.T) < 2
    assert alignment.scale == pytest.approx(1)
    aligned = alignment.cloud.points
    floor = aligned[:, 2][aligned[:, 2].abs() < 0.15]
    assert abs(float(floor.median())) < 0.02
    middle = (aligned.min(0).values + aligned.max(0).values)[:2] / 2
    assert float(middle.abs().max()) < 0.15


@pytest.mark.parametrize("axis", ["x", "y", "z", "-x", "-y", "-z"])
def test_a_levelled_scan_keeps_its_axes_exactly(axis: str) -> None:
    to_axis = {
        "x": [0, 90, 0],
        "-x": [0, -90, 0],
        "y": [-90, 0, 0],
        "-y": [90, 0, 0],
        "z": [0, 0, 0],
        "-z": [180, 0, 0],
    }
    rotation = Rotation.from_euler("xyz", to_axis[axis], degrees=True).as_matrix().round()
    scan = make_room(1) @ rotation.T

    alignment = align_scan(_cloud(scan))

    assert _tilt(alignment, rotation.T) == pytest.approx(0, abs=1e-5)
    assert f"up is the file's {axis};" in alignment.report
    asked = align_scan(_cloud(scan), up=axis)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(asked.network_from_file, alignment.network_from_file)


@pytest.mark.parametrize(("unit", "name"), [(1.0, "m"), (0.01, "cm"), (0.001, "mm")])
@pytest.mark.parametrize("seed", [3])
def test_units_are_told_by_the_extent(seed: int, unit: float, name: str) -> None:
    alignment = align_scan(_cloud(make_room(seed) / unit))

    assert alignment.scale == pytest.approx(unit)
    aligned = align_scan(_cloud(make_room(seed))).cloud.points
    torch.testing.assert_close(alignment.cloud.points, aligned, rtol=0, atol=0.02)
    assert [f"guessed to be {name}" in warning for warning in alignment.warnings] == ([] if name == "m" else [True])


def test_a_scale_that_is_given_is_used_as_it_is() -> None:
    alignment = align_scan(_cloud(make_room(0)), scale=0.3048)

    assert alignment.scale == pytest.approx(0.3048)
    assert "0.3048 m a unit, as asked" in alignment.report


def test_without_alignment_the_frame_stays() -> None:
    cloud = _cloud(make_room(0) * 1000)

    alignment = align_scan(cloud, align=False)

    torch.testing.assert_close(alignment.network_from_file, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(alignment.cloud.points, cloud.points)


def test_a_transform_from_the_files_is_used_unless_overridden() -> None:
    known = torch.eye(4, dtype=torch.float64)
    known[2, 3] = 5
    cloud = _cloud(make_room(0))

    assert torch.equal(align_scan(cloud, network_from_file=known).network_from_file, known)
    assert not torch.equal(align_scan(cloud, network_from_file=known, up="z").network_from_file, known)


def test_boxes_go_back_into_the_frame_of_the_file() -> None:
    rotation = _any_rotation(5)
    scan = (make_room(2) @ rotation.T + [1, 2, 3]) * 1000
    alignment = align_scan(_cloud(scan))
    boxes = Boxes3D(torch.tensor([[0.5, -0.2, 0.4]]), torch.tensor([[1.0, 0.6, 0.8]]), torch.tensor([0.3]))

    found = alignment.boxes_to_file(boxes)

    corners = torch.tensor([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]).double()
    in_file = (corners * found.sizes) @ found.rotations[0].T + found.centers
    torch.testing.assert_close(in_file, alignment.points_to_file(boxes.corners[0]), rtol=1e-6, atol=1e-3)
    torch.testing.assert_close(found.sizes, boxes.sizes.double() * 1000)
    torch.testing.assert_close(found.rotations[0] @ found.rotations[0].T, torch.eye(3).double())
    back = torch.cat([in_file, torch.ones(8, 1)], 1) @ alignment.network_from_file.T
    torch.testing.assert_close(back[:, :3], boxes.corners[0].double(), rtol=1e-6, atol=1e-6)


def test_points_go_there_and_back_exactly() -> None:
    scan = make_room(4) @ _any_rotation(9).T
    cloud = PointCloud(torch.from_numpy(scan))

    alignment = align_scan(cloud)

    torch.testing.assert_close(alignment.points_to_file(alignment.cloud.points), cloud.points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("axis", ["-y", "y"])
def test_one_view_of_a_camera_is_set_upright(axis: str) -> None:
    room = make_room(1)
    camera_from_room = Rotation.from_euler("zx", [20, 110], degrees=True).as_matrix()  # looks down by 20 degrees
    if axis == "y":
        camera_from_room = np.diag([1, -1, -1]) @ camera_from_room
    view = (room - [0, 0, 1.5]) @ camera_from_room.T
    depth = np.abs(view[:, 2])
    ahead = (view[:, 2] > 0) == (axis == "-y")
    view = view[ahead & (depth > 0.5) & (np.abs(view[:, :2]).max(1) < 0.6 * depth)]

    alignment = align_scan(_cloud(view))

    assert _tilt(alignment, camera_from_room.T) < 2
    assert abs(float(alignment.file_from_network[:3, 3].numpy() @ camera_from_room[:, 2]) + 1.5) < 0.05
    assert f"off the file's {axis};" in alignment.report


def test_the_same_scan_gives_the_same_alignment() -> None:
    cloud = _cloud(make_room(3) @ _any_rotation(2).T)

    assert torch.equal(align_scan(cloud).network_from_file, align_scan(cloud).network_from_file)


def test_a_few_stray_points_change_nothing() -> None:
    room = make_room(0)
    strays = np.random.default_rng(0).uniform(-500, 500, (20, 3))

    with_strays, without = align_scan(_cloud(np.concatenate([room, strays]))), align_scan(_cloud(room))

    assert with_strays.scale == 1
    assert float((with_strays.network_from_file - without.network_from_file).abs().max()) < 0.1


@pytest.mark.parametrize("n", [1, 2, 10, 40])
def test_a_scan_of_few_points_is_taken_as_it_stands_with_a_warning(n: int) -> None:
    points = np.random.default_rng(0).uniform(1, 2, (n, 3))

    alignment = align_scan(_cloud(points))

    assert bool(torch.isfinite(alignment.network_from_file).all())
    assert alignment.warnings
    assert float(alignment.cloud.points[:, 2].min()) > -0.5


def test_a_flat_wall_and_equal_points_are_no_error() -> None:
    rng = np.random.default_rng(0)
    for points in (np.ones((100, 3)), _box(rng, [0, 0, 0], [2, 0, 2]), rng.uniform(0, 1, (500, 1)) * np.ones(3)):
        assert bool(torch.isfinite(align_scan(_cloud(points)).cloud.points).all())


@pytest.mark.parametrize(
    ("options", "found"),
    [({"up": "w"}, "'w'"), ({"scale": 0.0}, "0.0"), ({"scale": -1.0}, "-1.0"), ({"scale": float("nan")}, "nan")],
)
def test_options_out_of_range_are_named(options: dict, found: str) -> None:
    with pytest.raises((InvalidInput, TypeError), match=found):
        align_scan(_cloud(make_room(0)), **options)


def test_no_points_cannot_be_aligned() -> None:
    with pytest.raises(InvalidInput, match="0 points"):
        align_scan(_cloud(np.zeros((0, 3))))


def test_the_office_corner_stands_on_its_floor(shared: Path) -> None:
    scan = read_scan_file(shared / "data/scan_office_corner/office_corner.pcd")

    for hint in (scan.up, None):
        alignment = align_scan(scan.cloud, up_hint=hint)

        # The plane of the floor, fitted by hand to the lower half of the image.
        up = alignment.network_from_file[2, :3].numpy()
        assert np.degrees(np.arccos(up @ [0.066, -0.844, -0.532])) < 2
        heights = alignment.cloud.points[:, 2]
        assert float((heights.abs() < 0.03).float().mean()) > 0.4
        assert float((heights < -0.05).float().mean()) < 0.02
        assert 0.5 < float(heights.max()) < 0.7  # the image ends there


def test_the_garden_stands_on_its_ground(shared: Path) -> None:
    scan = read_scan_file(shared / "data/gsplat_garden_points/test_garden.npz")

    alignment = align_scan(scan.cloud)

    assert float(alignment.network_from_file[2, 2]) > 0.99
    assert alignment.scale == 1
    assert float((alignment.cloud.points[:, 2] < -0.3).float().mean()) < 0.02
