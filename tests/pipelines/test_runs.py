"""Runs from scans, photos and events to answers; what lies in a store, and what may be removed from it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, StageFailed
from trisparse.data.answers import Answer, read_answers
from trisparse.data.camera_paths import gravity_of
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scan import read_scan
from trisparse.data.readers.scannet import cloud_columns
from trisparse.pipelines.cli import main
from trisparse.pipelines.grounding import find_weights
from trisparse.pipelines.runner import Node, Pipeline, run_stage
from trisparse.pipelines.stage import AbstractStage, StageContext
from trisparse.pipelines.stages.draw_in_views import best_camera, corners_of, with_box
from trisparse.pipelines.stages.fuse_points import KnownDistance
from trisparse.pipelines.store import Store
from trisparse.pipelines.store_contents import find_stored, list_store, remove, unreferenced
from trisparse.pipelines.to_answer import RECORDS, find_record, read_records, record_alone, run_recorded
from trisparse.pipelines.views import render_views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.sparse3d.minilm import find_model

from .event_nerf.tiny_recording import BOUNDS, write


def why_no_network() -> str | None:
    try:
        find_weights("small")
        find_model()
    except MissingPart as error:
        return str(error)
    return None


@dataclass(frozen=True)
class WriteNumber(AbstractStage):
    version: ClassVar[int] = 1
    number: int

    def run(self, ctx: StageContext) -> None:
        if self.number < 0:
            raise InvalidInput("a negative number")
        (ctx.folder / "number.txt").write_text(str(self.number))


@dataclass(frozen=True)
class AddOne(AbstractStage):
    version: ClassVar[int] = 1

    def run(self, ctx: StageContext) -> None:
        (ctx.folder / "sum.txt").write_text(str(int(ctx.inputs["number"].file("number.txt").read_text()) + 1))


def chain(number: int) -> Pipeline:
    return Pipeline({"number": Node(WriteNumber(number)), "sum": Node(AddOne(), {"number": "number"})})


# Records, status and what may be removed


def test_a_run_is_recorded_with_its_parts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = run_recorded("first", "a chain", chain(1), store)
    record = find_record(store, "first")
    assert record.parts == {label: (made[label].manifest["stage"], made[label].key) for label in ("number", "sum")}
    assert [(one.state, one.runs) for one in list_store(store)] == [("finished", ("first",))] * 2
    with pytest.raises(MissingPart, match="no run 'second'"):
        find_record(store, "second")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 200, "a\nb"])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="a run called"):
        run_recorded(name, "a chain", chain(1), Store(tmp_path))


def test_only_what_no_run_is_made_of_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = run_recorded("kept", "a chain", chain(1), store)
    lost = run_stage(WriteNumber(2), store)
    with pytest.raises(StageFailed):
        run_stage(WriteNumber(-1), store)
    found = unreferenced(store)
    assert lost.key in {slot.key for slot in found}
    assert len(found) == 2
    assert remove(found) > 0
    assert {one.key for one in list_store(store)} == {artifact.key for artifact in kept.values()}
    assert unreferenced(store) == ()
    assert sorted(path.name for path in tmp_path.rglob("*.lock")) == sorted(f"{a.key}.lock" for a in kept.values())


def test_inputs_of_what_a_run_is_made_of_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = run_recorded("run", "a chain", chain(1), store)
    path = tmp_path / RECORDS / "run.json"
    content = json.loads(path.read_text())
    del content["parts"]["number"]
    path.write_text(json.dumps(content))
    assert unreferenced(store) == ()
    (made["sum"].folder / "manifest.json").unlink()


def test_what_is_being_made_is_never_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = run_stage(WriteNumber(3), store)
    slot = find_stored(store, artifact.key[:10])
    with slot.lock():
        assert unreferenced(store) == ()
        assert list_store(store)[0].state == "finished"
    assert [one.key for one in unreferenced(store)] == [artifact.key]


def test_failed_and_stopped_work_is_listed_as_such(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StageFailed):
        run_stage(WriteNumber(-1), store)
    (one,) = list_store(store)
    assert (one.state, "a negative number" in one.about) == ("failed", True)
    slot = find_stored(store, one.key)
    with slot.lock():
        assert list_store(store)[0].state == "running"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": "other"}',
        '{"format": "trisparse run", "name": "a", "kind": "k", "finished": 1, "parts": 3}',
    ],
)
def test_a_damaged_record_stops_the_removal(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_stage(WriteNumber(3), Store(tmp_path))
    (tmp_path / RECORDS).mkdir()
    (tmp_path / RECORDS / "bad.json").write_text(content)
    with pytest.raises(CorruptFile, match=r"bad\.json"):
        read_records(Store(tmp_path))
    assert main(["gc", "--runs", str(tmp_path), "--yes"]) == 1
    assert len(list_folders(tmp_path)) == 1
    assert "bad.json" in capsys.readouterr().err


def list_folders(root: Path) -> list[Path]:
    return [path for path in root.glob("write-number/*") if path.is_dir()]


def test_the_commands_list_show_and_remove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, place = Store(tmp_path), ["--runs", str(tmp_path)]
    assert main(["status", *place]) == 0
    assert "nothing in" in capsys.readouterr().out
    made = run_recorded("mine", "a chain", chain(4), store)
    other = run_stage(WriteNumber(5), store)
    assert main(["status", *place, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in report["runs"]] == ["mine"]
    assert len(report["artifacts"]) == 3
    assert main(["status", *place]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["show", made["sum"].key[:9], *place]) == 0
    assert "sum.txt" in capsys.readouterr().out
    assert main(["show", "mine", *place]) == 0
    assert str(made["number"].folder) in capsys.readouterr().out
    assert main(["show", "zz", *place]) == 1
    assert "no artifact" in capsys.readouterr().err
    assert main(["gc", *place]) == 0
    assert "would remove write-number" in capsys.readouterr().out
    assert other.folder.is_dir()
    assert main(["gc", *place, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["artifacts"][0]["key"] == other.key
    assert not other.folder.exists()


# Which way is up, how large, and boxes in views


def circle(n: int, *, height: float, turn: torch.Tensor | None = None) -> Cameras:
    """Cameras around the origin that look at it, upright for z (or for where ``turn`` takes z)."""
    angles = torch.arange(n, dtype=torch.float64) * (2 * math.pi / max(n, 3))
    centers = torch.stack([3 * angles.cos(), 3 * angles.sin(), torch.full_like(angles, height)], 1)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64) if turn is None else turn
    K = torch.tensor([[60.0, 0, 32], [0, 60.0, 24], [0, 0, 1]], dtype=torch.float64).repeat(n, 1, 1)
    return Cameras.looking_at(
        centers @ turn.T, torch.zeros(3, dtype=torch.float64), K, width=64, height=48, up=turn @ up
    )


@pytest.mark.parametrize("n", [2, 3, 7])
def test_cameras_that_look_down_tell_which_way_is_up(n: int) -> None:
    tilt = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.3, 0.5], [0.3, 0.0, 0.2], [-0.5, -0.2, 0.0]]).double())
    found = gravity_of(circle(n, height=2.5, turn=tilt))
    assert found is not None
    assert float(found @ tilt[:, 2]) > math.cos(math.radians(1))


def test_cameras_on_their_side_tell_nothing() -> None:
    cameras = circle(4, height=0.5)
    roll = torch.tensor([[0.0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).double()
    poses = cameras.camera_from_world.clone()
    poses[::2] = roll @ poses[::2]
    assert gravity_of(Cameras(poses, cameras.K, 64, 48)) is None


def test_a_known_distance_of_two_cameras_gives_the_scale() -> None:
    cameras = circle(4, height=0.0)
    assert KnownDistance(0, 2, 1.5).metres_per_unit(cameras) == pytest.approx(
        1.5 / float((cameras.centers[0] - cameras.centers[2]).norm())
    )
    with pytest.raises(InvalidInput, match="numbered from 0"):
        KnownDistance(0, 9, 1.0).metres_per_unit(cameras)
    with pytest.raises(InvalidInput, match="a distance above 0"):
        KnownDistance(0, 0, 1.0)


def test_a_box_is_drawn_where_the_camera_sees_it_and_dashed_where_it_is_hidden() -> None:
    answer = Answer(
        "box", 1, 0.5, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    )
    corners, cameras = corners_of(answer), circle(5, height=1.0)
    assert torch.equal(corners_of(answer, 0.5), 2 * corners)
    row, share = best_camera(cameras, corners)
    assert share == 1.0
    image = np.zeros((48, 64, 3), np.uint8)
    free = with_box(image, torch.full((48, 64), math.inf), cameras[row], corners)
    hidden = with_box(image, torch.full((48, 64), 0.1), cameras[row], corners)
    drawn, faint = (int((picture[..., 0] > 60).sum()) for picture in (free, hidden))
    assert drawn > 1.3 * faint > 0
    away = corners + cameras.centers[row] * 3
    assert not with_box(image, torch.full((48, 64), math.inf), cameras[row], away).any()


# Whole runs


@pytest.mark.long
def test_a_scan_is_asked_and_the_run_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (reason := why_no_network()) is not None:
        pytest.skip(reason)
    random = np.random.default_rng(0)
    points = torch.from_numpy(random.random((4000, 3)) * [4, 3, 2.5]).float()
    write_ply(tmp_path / "box.ply", {"vertex": cloud_columns(PointCloud(points, torch.rand(4000, 3)))})
    words = ["run", "scan-to-answer", str(tmp_path / "box.ply"), "--ask", "the chair", "--ask", "the door"]
    words += ["--runs", str(tmp_path / "runs"), "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert {answer["sentence"] for answer in report["answers"]} == {"the chair", "the door"}
    page = Path(report["report"]).read_text()
    assert page.count("<img") == 2
    assert "the chair" in page
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == report
    assert main(["run", "scan-to-answer", str(tmp_path / "box.ply"), "--runs", str(tmp_path)]) == 1
    assert "nothing to find" in capsys.readouterr().err


@pytest.mark.long
def test_photos_become_answers_in_metres_and_boxes_in_renders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (reason := why_no_network()) is not None:
        pytest.skip(reason)
    random = torch.Generator().manual_seed(0)
    cloud = GaussianCloud.from_points(
        0.4 * torch.randn(300, 3, generator=random), torch.rand(300, 3, generator=random), opacity=0.95
    )
    cameras = circle(6, height=1.0).to(torch.float32)
    images = torch.stack([view.image for view in render_views(cloud, cameras)])
    write_camera_json(PosedImages.from_tensors(cameras, images, [f"{i}.png" for i in range(6)]), tmp_path / "heap")
    words = ["run", "photos-to-answer", str(tmp_path / "heap"), "--ask", "the chair", "--method", "3dgs-random"]
    words += ["--steps", "60", "--distance", "0", "3", "12", "--runs", str(tmp_path / "runs"), "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["parts"]) == ["splats", "points", "answers", "views"]
    frame = json.loads((Path(report["parts"]["points"]) / "frame.json").read_text())
    assert frame["is_metric"]
    assert frame["is_upright"]
    assert np.linalg.norm(np.array(frame["points_from_world"])[0, :3]) == pytest.approx(2.0, rel=1e-4)
    assert len(read_scan(Path(report["parts"]["points"]) / "points.ply")) == frame["points"] > 0
    views = json.loads((Path(report["parts"]["views"]) / "views.json").read_text())
    assert views[0]["sentence"] == "the chair"
    assert (Path(report["parts"]["views"]) / "view-1.png").is_file()
    assert "Loss: splats" in Path(report["report"]).read_text()


@pytest.mark.slow
def test_events_become_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (reason := why_no_network()) is not None:
        pytest.skip(reason)
    recording = write(tmp_path / "still")
    words = ["run", "events-to-answer", str(recording), "--bounds", *map(str, BOUNDS), "--outside", "nothing"]
    words += ["--steps", "300", "--ask", "the lamp", "--runs", str(tmp_path / "runs"), "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["parts"]) == ["field", "points", "answers", "views"]
    assert read_answers(Path(report["parts"]["answers"]) / "answers.json").answers


def test_what_a_single_command_made_last_of_an_input_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = (run_stage(WriteNumber(number), store) for number in (1, 2))
    for artifact in (first, second):
        record_alone(store, "render", tmp_path / "my photos (2)", artifact)
    assert [record.name for record in read_records(store)] == ["render-my-photos-2"]
    assert [slot.key for slot in unreferenced(store)] == [first.key]
