"""Fields as files, and what is made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.events.trajectories import spiral_trajectory
from trisparse.pipelines.event_nerf.config import PRESETS, EventNerfConfig, SpaceConfig
from trisparse.pipelines.event_nerf.points import USUAL_COLOR, USUAL_DEVIATION, field_points, usual_colors
from trisparse.pipelines.event_nerf.saved import FORMAT, load_field, save_field
from trisparse.pipelines.event_nerf.space import cameras_on_path, find_space, marching_steps
from trisparse.pipelines.event_nerf.training import EventNerf
from trisparse.pipelines.event_nerf.views import evaluate_views, plain_images, render_event_views
from trisparse.rendering.radiance.hash_grid import HashGrid
from trisparse.rendering.radiance.nerf import NerfConfig
from trisparse.rendering.radiance.ngp import NgpConfig, NgpField

from .tiny_recording import BOUNDS, SET, TINY, recording

MLP = NerfConfig(width=16, depth=3, skip=1, view_width=8, position_octaves=2, direction_octaves=1)


def _trained(config: EventNerfConfig = TINY, steps: int = 3) -> EventNerf:
    training = EventNerf(recording().posed(), config)
    for _ in range(steps):
        training.step()
    return training


@pytest.mark.parametrize("config", [TINY, replace(TINY, network=MLP), replace(TINY, has_background=False)])
def test_a_field_comes_back_and_renders_the_same(config: EventNerfConfig, tmp_path: Path) -> None:
    training = _trained(config)
    path = tmp_path / "field.safetensors"
    save_field(path, training.model, {"recording": "tiny"})
    found = load_field(path)
    assert found.about == {"recording": "tiny"}
    camera = cameras_on_path(training.recording, 1)
    (one,), (other,) = (list(render_event_views(model, camera)) for model in (training.model, found.model))
    assert torch.equal(one.intensity, other.intensity)
    assert torch.equal(one.depth_z, other.depth_z)
    thresholds = found.model.sensor.thresholds
    assert float(thresholds.positive) == pytest.approx(0.25)


def _spoil(path: Path, changed: dict[str, Any] | None, tensors: dict[str, torch.Tensor]) -> None:
    content = load_file(path) | tensors
    with safe_open(path, framework="pt") as opened:
        document = json.loads(opened.metadata()[FORMAT])
    for key, value in (changed or {}).items():
        document[key] = value
    save_file(content, path, {FORMAT: json.dumps(document)})


@pytest.mark.parametrize(
    ("changed", "tensors"),
    [
        ({"network": {"kind": "ngp"}}, {}),
        ({"network": {"kind": "other"}}, {}),
        ({"network": 7}, {}),
        ({"contraction": "cube"}, {}),
        ({"steps": {"step": -1}}, {}),
        ({"thresholds": [0.25]}, {}),
        ({"about": []}, {}),
        ({"refractory_period_ns": "soon"}, {}),
        (None, {"field.table": torch.zeros(3, 2)}),
        (None, {"field.aabb": torch.zeros(6)}),
        (None, {"field.base.0.weight": torch.full((16, 6), float("nan"))}),
        (None, {"occupied": torch.zeros(2, 2, 2)}),
        (None, {"raw_background": torch.zeros(7)}),
        (None, {"path.t_ns": torch.zeros(2, dtype=torch.int64)}),
    ],
)
def test_a_file_that_claims_otherwise_is_refused(
    changed: dict[str, Any] | None, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "field.safetensors"
    save_field(path, _trained().model, {})
    _spoil(path, changed, tensors)
    with pytest.raises(CorruptFile, match=r"field\.safetensors"):
        load_field(path)


def test_no_file_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="no such file"):
        load_field(tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"12345678")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("broken", "other"):
        with pytest.raises(CorruptFile):
            load_field(tmp_path / f"{name}.safetensors")


def test_what_is_solid_becomes_points_within_the_box() -> None:
    trained = _trained(TINY.with_steps(60), 60)
    found = field_points(trained.model, cameras_on_path(trained.recording, 6), 500)
    assert 50 < len(found.cloud.points) <= 1000
    low, high = torch.tensor(BOUNDS[:3]), torch.tensor(BOUNDS[3:])
    assert bool(((found.cloud.points > low) & (found.cloud.points < high)).all())
    assert "guess" in found.warnings[0]


@pytest.mark.slow
def test_a_whole_turn_of_events_shows_the_scene_from_elsewhere() -> None:
    fixed = replace(SET, width=48, height=48, focal_px=66.6, samples_per_pixel=4)
    posed, preset = fixed.record("easy").posed(), PRESETS["cpu-small"]
    space = replace(preset.space, aabb=BOUNDS, contraction="aabb", steps_across=192)
    network = NgpConfig(HashGrid.spanning(16, 128, levels=6, log2_entries=15), 3, (32,), 15, (32,))
    optimiser = replace(preset.optimiser, samples=1 << 15, rate=1e-2, steps=700)
    training = EventNerf(posed, replace(preset, network=network, space=space, optimiser=optimiser))
    flat, _ = evaluate_views(training.model, fixed.views())  # nothing is solid yet: one constant
    while training.done < 700:
        training.step()
    found, views = evaluate_views(training.model, fixed.views())
    assert found.mean.psnr > flat.mean.psnr + 3
    assert float(found.alignment.scale.min()) > 0
    assert all(0.1 < float(view.opacity.mean()) < 0.7 for view in views)


def test_a_field_that_is_empty_has_no_points() -> None:
    training = _trained(steps=1)
    assert isinstance(training.field, NgpField)
    last = training.field.base[-1]
    with torch.no_grad():
        last.get_parameter("bias")[0] = -50.0
    with pytest.raises(InvalidInput, match="nothing solid"):
        field_points(training.model, cameras_on_path(training.recording, 2))


def test_colors_get_the_usual_mean_and_deviation_whatever_the_gain() -> None:
    intensity = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0)) + 0.5
    colors = usual_colors(intensity)
    torch.testing.assert_close(colors.mean(0), torch.tensor(USUAL_COLOR), rtol=0, atol=0.02)
    torch.testing.assert_close(colors.std(0), torch.full((3,), USUAL_DEVIATION), rtol=0, atol=0.02)
    torch.testing.assert_close(usual_colors(3 * intensity**2), colors, rtol=0, atol=1e-5)
    assert usual_colors(intensity[:, :1]).shape == (2000, 3)
    assert bool(usual_colors(torch.ones(4, 1)).isfinite().all())


def test_pictures_of_unknown_brightness_are_stretched_together() -> None:
    views = list(render_event_views(_trained().model, cameras_on_path(recording().posed(), 2)))
    images = plain_images(views)
    assert all(image.shape == (24, 24, 3) and 0 <= float(image.min()) <= float(image.max()) <= 1 for image in images)


def test_a_camera_that_goes_around_tells_where_the_scene_is() -> None:
    posed = SET.record("easy", duration_ns=20_000_000)
    whole = replace(posed, trajectory=_whole_path())
    found = find_space(_around(whole), SpaceConfig(contraction="aabb"))
    assert found.aabb is not None
    middle = [(low + high) / 2 for low, high in zip(found.aabb[:3], found.aabb[3:], strict=True)]
    assert middle == pytest.approx(list(SET.scene.center), abs=0.05)
    assert (found.near, found.far) == (None, None)
    open_space = find_space(_around(whole), SpaceConfig(contraction=None))
    assert open_space.contraction == "sphere"
    assert open_space.near is not None
    assert open_space.far is not None
    assert open_space.near < SET.scene.distance < open_space.far


def _whole_path() -> Any:
    return spiral_trajectory(SET.setting("easy").spiral)


def _around(found: Any) -> Any:
    """Events from the first to the last pose."""
    posed = found.posed()
    stream = posed.stream
    times = torch.linspace(0, 4e9, len(stream)).long().numpy()
    return replace(posed, stream=replace(stream, t_ns=times))


def test_a_camera_that_hardly_moves_asks_for_distances() -> None:
    posed = SET.record("easy", duration_ns=5_000_000).posed()
    with pytest.raises(InvalidInput, match="does not tell how far away"):
        find_space(posed, SpaceConfig(contraction="sphere"))
    found = find_space(posed, SpaceConfig(contraction="sphere", near=0.5, far=3.0))
    assert found.aabb is not None
    assert (found.near, found.far) == (0.5, 3.0)
    steps = marching_steps(found)
    assert steps.step == pytest.approx(3**0.5 * (found.aabb[3] - found.aabb[0]) / 1024, rel=1e-4)
