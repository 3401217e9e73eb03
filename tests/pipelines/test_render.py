from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.pipelines import cli
from trisparse.pipelines.sparse_splats import Frame, prepare_photos
from trisparse.pipelines.views import render_views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import read_splats, write_splats


def _cloud() -> GaussianCloud:
    random = torch.Generator().manual_seed(0)
    return GaussianCloud.from_points(
        0.3 * torch.randn(80, 3, generator=random), torch.rand(80, 3, generator=random), opacity=0.8
    )


def _photos() -> PosedImages:
    """Six photos of a heap of Gaussians, and points that the first three see."""
    angles = torch.linspace(-0.6, 0.6, 6)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.full((6,), 0.4)], 1)
    K = torch.tensor([[40.0, 0, 24], [0, 40.0, 18], [0, 0, 1]]).repeat(6, 1, 1)
    cameras, cloud = Cameras.looking_at(centers, torch.zeros(3), K, width=48, height=36), _cloud()
    images = torch.stack([view.image for view in render_views(cloud, cameras)])
    points = SparsePoints(PointCloud(cloud.means, cloud.base_colors), torch.ones(80, 6, dtype=torch.bool))
    return PosedImages.from_tensors(cameras, images, [f"{i}.png" for i in range(6)], points)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("heap")
    write_camera_json(_photos(), place)
    return place


def _render(*words: str | Path) -> int:
    return cli.main(["render", *map(str, words)])


def test_photos_become_a_video_splats_points_and_scores(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (folder, "--train", "0", "2", "5", "--method", "3dgs", "--steps", "40", "--frames", "5", "--video", "webp")
    places = ("--out", tmp_path / "out", "--runs", tmp_path / "runs", "--json", "--export", "ply", "splat", "points")
    assert _render(*words, *places) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["psnr"] > 15
    with Image.open(tmp_path / "out" / "orbit.webp") as video:
        assert getattr(video, "n_frames", 1) == 5
    for name in ("splats.ply", "splats.splat", "points.ply", "report.html", "views/1.png", "views/1_depth.png"):
        assert (tmp_path / "out" / name).is_file(), name
    fit = Path(made["fit"])
    assert sorted(path.name for path in fit.iterdir()) == [
        "about.json",
        "contact_sheet.png",
        "log.jsonl",
        "manifest.json",
        "splats.ply",
    ]
    assert not list(tmp_path.rglob("*.partial"))
    before = (fit / "splats.ply").stat().st_mtime_ns
    assert _render(*words, *places) == 0  # what is there is used again
    assert (fit / "splats.ply").stat().st_mtime_ns == before
    center = read_splats(fit / "splats.ply").cloud.means.median(0).values
    assert float(center.norm()) < 0.3  # in the photos' world, where the heap is


def test_first_gaussians_come_from_where_the_command_says(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {}
    for how in ("random", "sfm"):
        words = ("--initialise", how, "--method", "3dgs-planesweep", "--steps", "1", "--frames", "0", "--export", "ply")
        assert _render(folder, *words, "--out", tmp_path / how, "--runs", tmp_path / "runs", "--json") == 0
        counts[how] = json.loads(capsys.readouterr().out)["gaussians"]
    assert counts == {"random": 1000, "sfm": 80}  # the least that are tried, and the points that came with the photos


def test_a_splat_file_is_rendered_as_it_is(tmp_path: Path) -> None:
    write_splats(tmp_path / "heap.ply", _cloud())
    out = tmp_path / "out"
    assert _render(tmp_path / "heap.ply", "--out", out, "--frames", "3", "--longest", "64", "--video", "webp") == 0
    with Image.open(out / "orbit.webp") as image:
        assert image.size == (64, 48)
        pixels = np.asarray(image.convert("RGB"))
    assert pixels[20:28, 28:36].mean() > 60  # the heap is in the middle,
    assert pixels[:3, :3].mean() < 40  # little in the corner


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "magic"), "no method 'magic'"),
        (("--train", "0", "9"), "names photo 9"),
        (("--train", "0", "1", "--views", "3"), "choose one"),
        (("--views", "9"), "to train on"),
        (("--weights", "."), "belong to a learned model"),
        (("--initialise", "vggt"), "package"),
    ],
)
def test_what_cannot_be_rendered_is_one_line(
    folder: Path, tmp_path: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _render(folder, *words, "--out", tmp_path / "out", "--runs", tmp_path / "runs") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_gaussians_come_back_into_the_photos_world() -> None:
    angle = torch.tensor(0.7)
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    turn[:3, 3] = torch.tensor([1.0, -2.0, 0.5])
    frame, photos, cloud = Frame(2.5, turn), _photos(), _cloud()
    there = frame.of_photos(photos)
    moved = cloud.moved(2.5, turn[:3, :3], turn[:3, 3])
    seen = torch.stack([view.image for view in render_views(moved, there.cameras)])
    torch.testing.assert_close(seen, photos.images(), atol=1e-4, rtol=0)
    back = frame.back(moved)
    torch.testing.assert_close(back.means, cloud.means, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.scales, cloud.scales)


def test_photos_are_made_smaller_never_larger() -> None:
    assert (prepare_photos(_photos(), 24).cameras.width, prepare_photos(_photos(), 24).cameras.height) == (24, 18)
    assert prepare_photos(_photos(), 1000).cameras.width == 48
    assert prepare_photos(_photos(), None).cameras.width == 48
