"""Learned depth against the depth of a generated scene, told by stand-ins of the packages in a world of another scale."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from trisparse.core.errors import BackendUnavailable, CorruptFile, InvalidInput, MissingPart, ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.rendering.initialise import initial_points
from trisparse.rendering.learned.depth import LearnedDepth, LearnedModel, learned_depth_maps
from trisparse.rendering.planesweep import MEASURED, DepthMaps

from .stand_ins import INSTALL, Model, anchors, error_of, folder, photos, truth

MODELS = get_args(LearnedModel)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches; torch's hub has code of DINOv2, which the stand-in of MapAnything asks for."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.load", lambda *args, **kwargs: None)
    (tmp_path / "torch" / "facebookresearch_dinov2_main").mkdir(parents=True)
    return tmp_path


def _maps(
    model: LearnedModel, said: Model, hub: Path, monkeypatch: pytest.MonkeyPatch, known: DepthMaps | None = None
) -> DepthMaps:
    INSTALL[model](monkeypatch, said)
    return learned_depth_maps(
        photos(), LearnedDepth(model, folder(hub / "weights")), anchors() if known is None else known
    )


def _nothing() -> DepthMaps:
    return DepthMaps(torch.ones_like(truth()), torch.zeros_like(truth()))


@pytest.mark.parametrize("model", MODELS)
def test_depth_of_another_scale_comes_out_in_that_of_the_cameras(
    model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = _maps(model, Model(scale=0.37), hub, monkeypatch)
    assert maps.depth_z.shape == truth().shape
    assert bool((maps.depth_z > 0).all())
    assert float((maps.confidence >= MEASURED).float().mean()) > 0.4
    assert float(error_of(maps).median()) < 0.004
    assert float(error_of(maps).quantile(0.95)) < 0.02
    assert bool((maps.confidence[truth().isinf()] < MEASURED).all())


@pytest.mark.parametrize("model", MODELS)
def test_shifted_depth_is_shifted_back(model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = _maps(model, Model(scale=0.37, shift=0.2), hub, monkeypatch)
    assert float(error_of(maps).median()) < 0.006
    assert float(error_of(maps).quantile(0.9)) < 0.03


@pytest.mark.parametrize("model", MODELS)
def test_where_nothing_was_measured_the_models_own_cameras_give_the_scale(
    model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = _maps(model, Model(scale=5.0), hub, monkeypatch, _nothing())
    assert float(error_of(maps).median()) < 0.004
    assert "view 0, 1, 2" in maps.warnings[-1]
    assert "the scale of the cameras' distances was taken" in maps.warnings[-1]


@pytest.mark.parametrize("model", MODELS)
def test_the_weights_and_their_licence_are_named_first(
    model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    INSTALL[model](monkeypatch, said := Model())
    place = folder(hub / "weights", "---\nlicense: apache-2.0\n---\n# A model\n")
    maps = learned_depth_maps(photos(), LearnedDepth(model, place), anchors())
    assert maps.warnings[0].endswith("the licence 'apache-2.0', as their model card says")
    assert str(place) in maps.warnings[0]
    assert said.loaded == [str(place)]
    assert said.asked["device"] == "cpu"


@pytest.mark.parametrize("model", MODELS)
def test_what_a_package_prints_stays_out_of_stdout(
    model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _maps(model, Model(), hub, monkeypatch)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Loading weights" in said.err


@pytest.mark.parametrize("model", MODELS)
def test_initial_points_lie_on_the_surfaces(model: LearnedModel, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL[model](monkeypatch, Model(scale=2.5))
    how = LearnedDepth(model, folder(hub / "weights"))
    found = initial_points(photos(), how, n=2000, maps=anchors())
    assert 1000 < len(found) <= 2000
    sure = found.points[found.confidence >= MEASURED]
    seen = photos().cameras.project(sure)
    column, row = seen.pixels[0].long().unbind(-1)
    inside = seen.inside[0]
    expected = truth()[0][row[inside], column[inside]]
    assert float(((seen.depth_z[0][inside] - expected).abs() / expected).median()) < 0.02
    assert "licence" in found.warnings[0]


@pytest.mark.parametrize("model", MODELS)
def test_a_missing_package_is_named_before_anything_is_done(
    model: LearnedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"depth-anything-3": "depth_anything_3", "mapanything": "mapanything", "vggt": "vggt"}[model]
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendUnavailable, match=r"cannot be imported .*`pip install .*PYTHONPATH"):
        initial_points(photos(), model)


@pytest.mark.parametrize("model", MODELS)
def test_missing_weights_say_how_to_get_them(model: LearnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL[model](monkeypatch, said := Model())
    with pytest.raises(
        MissingPart, match=r"not on this machine, and nothing is downloaded unasked; run `hf download [\w-]+/"
    ):
        learned_depth_maps(photos(), LearnedDepth(model), anchors())
    assert not said.loaded


def test_depth_that_another_view_sees_through_is_left_out(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(depth: torch.Tensor) -> torch.Tensor:
        depth = depth.clone()
        h, w = depth.shape[1:]
        depth[0, h // 4 : h // 2, w // 4 : w // 2] *= 0.6  # a plate before the first camera
        return depth

    maps = _maps("vggt", Model(spoilt=spoilt), hub, monkeypatch)
    plate = maps.confidence[0, 23:40, 30:54]
    assert float((plate == 0).float().mean()) > 0.6
    assert float((plate >= MEASURED).float().mean()) < 0.1
    assert float((maps.confidence[1] >= MEASURED).float().mean()) > 0.4


def test_depth_that_does_not_fit_what_was_measured_is_told(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = _maps("vggt", Model(spoilt=lambda depth: depth.flip(1)), hub, monkeypatch)
    assert any("learned depth differs by" in warning for warning in maps.warnings)


def test_depth_anything_is_told_the_cameras_whatever_the_scale(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["depth-anything-3"](monkeypatch, said := Model())
    small = replace(photos(), cameras=photos().cameras.moved(1e-3, torch.eye(4)))
    known = replace(anchors(), depth_z=anchors().depth_z * 1e-3)
    maps = learned_depth_maps(small, LearnedDepth(weights=folder(hub / "weights")), known)
    told = torch.from_numpy(said.asked["extrinsics"])
    centers = -(told[:, :3, :3].mT @ told[:, :3, 3:])[..., 0]
    assert float((centers[1:] - centers[0]).norm(dim=1).mean()) == pytest.approx(1, rel=1e-4)
    torch.testing.assert_close(torch.from_numpy(said.asked["intrinsics"]), photos().cameras.K)
    sure = maps.confidence >= MEASURED
    assert float(((maps.depth_z * 1e3 - truth()).abs() / truth())[sure].median()) < 0.004


def test_depth_anything_is_not_told_cameras_on_a_line(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["depth-anything-3"](monkeypatch, said := Model())
    cameras = photos().cameras
    step = cameras.camera_from_world[0, 0, :3]
    lined = cameras.camera_from_world[:1].repeat(3, 1, 1)
    lined[:, 0, 3] += torch.arange(3) * 0.1
    assert float(step.norm()) > 0
    on_a_line = replace(photos(), cameras=replace(cameras, camera_from_world=lined))
    maps = learned_depth_maps(on_a_line, LearnedDepth(weights=folder(hub / "weights")), anchors())
    assert said.asked["extrinsics"] is None
    assert any("stand on a line" in warning for warning in maps.warnings)


def test_mapanything_is_told_lenses_and_poses_in_its_own_convention(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Model()
    _maps("mapanything", said, hub, monkeypatch)
    view = said.asked["views"][1]
    assert {key: tuple(view[key].shape) for key in ("img", "intrinsics", "camera_poses", "is_metric_scale")} == {
        "img": (1, 3, 392, 518),
        "intrinsics": (1, 3, 3),
        "camera_poses": (1, 4, 4),
        "is_metric_scale": (1,),
    }
    cameras = photos().cameras
    torch.testing.assert_close(view["camera_poses"][0], cameras.world_from_camera[1])
    point = cameras.world_from_camera[1, :3] @ torch.tensor([0.1, -0.2, 2.0, 1.0])
    pixel = cameras.project(point[None]).pixels[1, 0]
    local = view["intrinsics"][0] @ torch.tensor([0.1, -0.2, 2.0])
    expected = pixel * torch.tensor([518 / 112, 392 / 84]) - 0.5  # the first centre is at (0, 0)
    torch.testing.assert_close(local[:2] / local[2], expected, rtol=1e-4, atol=1e-3)
    assert not bool(view["is_metric_scale"])
    assert said.asked["use_amp"] is False
    grey = view["img"].mean((0, 2, 3)) * torch.tensor([0.229, 0.224, 0.225]) + torch.tensor([0.485, 0.456, 0.406])
    torch.testing.assert_close(grey, photos().image(1).mean((0, 1)), rtol=0, atol=0.01)


def test_mapanything_builds_on_local_code_without_spare_weights(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr("torch.hub.load", lambda *args, **kwargs: calls.append((*args, kwargs)))
    before = torch.hub.load
    _maps("mapanything", Model(), hub, monkeypatch)
    code = str(hub / "torch" / "facebookresearch_dinov2_main")
    assert calls == [(code, "dinov2_vitg14", {"pretrained": False, "source": "local"})]
    assert torch.hub.load is before
    (hub / "torch" / "facebookresearch_dinov2_main").rmdir()
    with pytest.raises(
        MissingPart, match=r"code of facebookresearch/dinov2, .*clone https://github.com/facebookresearch"
    ):
        _maps("mapanything", Model(), hub, monkeypatch)
    assert torch.hub.load is before
    learned_depth_maps(photos(), LearnedDepth("mapanything", folder(hub / "weights"), allow_download=True), anchors())
    assert calls[1] == ("facebookresearch/dinov2", "dinov2_vitg14", {"pretrained": False, "force_reload": False})


def test_mapanything_of_another_encoder_is_refused(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["mapanything"](monkeypatch, Model())
    monkeypatch.setattr(sys.modules["mapanything.models"].MapAnything.encoder, "data_norm_type", "radio")
    with pytest.raises(BackendUnavailable, match="normalised for 'radio'"):
        learned_depth_maps(photos(), LearnedDepth("mapanything", folder(hub / "weights")), anchors())


def test_vggt_takes_a_file_of_weights(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import save_file

    INSTALL["vggt"](monkeypatch, said := Model())
    torch.save({"weight": torch.zeros(1)}, hub / "model.pt")
    save_file({"weight": torch.zeros(1)}, hub / "model.safetensors")
    for name in ("model.pt", "model.safetensors"):
        learned_depth_maps(photos(), LearnedDepth("vggt", hub / name), anchors())
    assert said.loaded == ["state", "state"]
    save_file({"other": torch.zeros(1)}, hub / "other.safetensors")
    with pytest.raises(CorruptFile, match=r"other\.safetensors: tensors: not those of VGGT"):
        learned_depth_maps(photos(), LearnedDepth("vggt", hub / "other.safetensors"), anchors())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_vggt_refuses_damaged_files(hub: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    INSTALL["vggt"](monkeypatch, Model())
    (hub / f"bad{suffix}").write_bytes(b"not weights at all")
    with pytest.raises(CorruptFile, match="copy it again"):
        learned_depth_maps(photos(), LearnedDepth("vggt", hub / f"bad{suffix}"), anchors())


def test_vggt_unpickles_nothing_but_tensors(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["vggt"](monkeypatch, Model())
    torch.save({"weight": Path("/")}, hub / "model.pt")
    with pytest.raises(CorruptFile):
        learned_depth_maps(photos(), LearnedDepth("vggt", hub / "model.pt"), anchors())
    torch.save([torch.zeros(1)], hub / "list.pt")
    with pytest.raises(CorruptFile, match="no table of tensors"):
        learned_depth_maps(photos(), LearnedDepth("vggt", hub / "list.pt"), anchors())


def test_output_of_another_shape_names_the_version(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ShapeMismatch, match="another version"):
        _maps("vggt", Model(spoilt=lambda depth: depth[:2]), hub, monkeypatch)


def test_depth_without_any_scale_is_refused(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["vggt"](monkeypatch, Model())
    same = photos().cameras.camera_from_world[:1].expand(1, 3, 4, 4)[:, :, :3]
    monkeypatch.setattr(sys.modules["vggt.utils.pose_enc"], "pose_encoding_to_extri_intri", lambda *_: (same, None))
    with pytest.raises(InvalidInput, match="the depth of VGGT has no scale"):
        learned_depth_maps(photos(), LearnedDepth("vggt", folder(hub / "weights")), _nothing())


def test_photos_that_allow_no_alignment_are_refused(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    INSTALL["vggt"](monkeypatch, Model())
    config = LearnedDepth("vggt", folder(hub / "weights"))
    with pytest.raises(InvalidInput):
        learned_depth_maps(photos().select([0]), config)
    bent: Cameras = replace(photos().cameras, model="opencv", distortion=torch.full((3, 1), 0.1))
    with pytest.raises(InvalidInput, match="undistort them first"):
        learned_depth_maps(replace(photos(), cameras=bent), config)
    with pytest.raises(ShapeMismatch, match="anchors of shape"):
        learned_depth_maps(photos(), config, DepthMaps(torch.ones(3, 4, 5), torch.ones(3, 4, 5)))


def test_unknown_models_and_repositories_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected owner/name"):
        LearnedDepth(repository="a/b/c")
    with pytest.raises(InvalidInput, match="expected owner/name"):
        LearnedDepth(repository="../x")
