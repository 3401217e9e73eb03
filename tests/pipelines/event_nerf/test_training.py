"""The optimisation on a tiny recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from trisparse.core.errors import InvalidInput, NotFinite
from trisparse.data.event_camera import ContrastThresholds
from trisparse.pipelines.event_nerf.config import PRESETS, EventNerfConfig, LossConfig, OptimiserConfig, SpaceConfig
from trisparse.pipelines.event_nerf.training import EventNerf
from trisparse.rendering.radiance.hash_grid import HashGrid
from trisparse.rendering.radiance.nerf import NerfConfig
from trisparse.rendering.radiance.ngp import NgpConfig

from .tiny_recording import TINY, recording


def _state(training: EventNerf) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.field.state_dict().items()}


def _run(training: EventNerf, steps: int) -> list[float]:
    return [training.step().loss for _ in range(steps)]


def test_the_loss_falls() -> None:
    training = EventNerf(recording().posed(), TINY.with_steps(120))
    losses = _run(training, 120)
    assert sum(losses[-20:]) < 0.9 * sum(losses[1:21])


@pytest.mark.parametrize(
    "loss",
    [
        LossConfig(gradient=1e-3),
        LossConfig(gradient=1e-3, complete_gradient=False),
        LossConfig(difference_error="huber", difference_weight="none", total_variation=1e-3),
        LossConfig(windows=0.1, window_length=3),
    ],
)
@pytest.mark.parametrize("level", ["easy", "medium"])
def test_every_term_is_finite_and_moves_the_field(loss: LossConfig, level: str) -> None:
    learns = level == "medium"
    config = replace(TINY, loss=loss, learn_ratio=learns, learn_refractory_period=learns)
    training = EventNerf(recording(level).posed(), config)
    before, result = _state(training), training.step()
    weights = {name for name in ("difference", "gradient", "total_variation", "windows") if getattr(loss, name)}
    assert set(result.terms) == weights
    assert all(value == value and abs(value) < 1e6 for value in result.terms.values())
    assert not torch.equal(before["table"], training.field.state_dict()["table"])


def test_a_training_goes_on_from_its_tree_with_the_same_bits() -> None:
    config = replace(TINY, loss=LossConfig(gradient=1e-3), learn_ratio=True, learn_refractory_period=True)
    posed = recording("medium").posed()
    whole = EventNerf(posed, config)
    _run(whole, 9)
    first = EventNerf(posed, config)
    _run(first, 5)
    second = EventNerf(posed, config)
    second.load(first.tree())
    _run(second, 4)
    assert whole.tree()["events"] == second.tree()["events"]
    for name, value in _state(whole).items():
        assert torch.equal(value, second.field.state_dict()[name]), name
    assert torch.equal(whole.model.sensor.raw_period, second.model.sensor.raw_period)


def test_batches_follow_the_samples_of_two_steps_before() -> None:
    training = EventNerf(recording().posed(), TINY)
    results = [training.step() for _ in range(6)]
    assert [result.events for result in results[:2]] == [64, 64]
    for before, after in zip(results, results[2:], strict=False):
        assert after.events == min(int((1 << 12) / before.samples_per_ray), 1024)


def test_a_grey_recording_has_one_channel() -> None:
    training = EventNerf(recording(is_color=False).posed(), TINY)
    assert training.field.channels == 1
    assert training.model.background is not None
    assert training.model.background.shape == (1,)


def test_wrong_thresholds_are_corrected_where_they_may_be_learned() -> None:
    posed = recording().posed()
    wrong = replace(posed, camera=replace(posed.camera, thresholds=ContrastThresholds(0.5, 0.25)))
    training = EventNerf(wrong, replace(TINY, learn_ratio=True).with_steps(60))
    first, last = training.step(), [training.step() for _ in range(59)][-1]
    assert first.ratio == pytest.approx(2.0, abs=0.2)
    assert last.ratio < 0.8 * first.ratio


def test_what_no_calibration_says_is_assumed_and_said() -> None:
    posed = recording().posed()
    bare = replace(posed, camera=replace(posed.camera, thresholds=None, refractory_period_ns=None))
    assert any("0.25" in note for note in EventNerf(bare, TINY).notes)
    long = replace(posed, camera=replace(posed.camera, refractory_period_ns=1e12))
    assert any("are taken instead" in note for note in EventNerf(long, TINY).notes)


def test_ten_steps_without_a_finite_loss_end_the_training() -> None:
    training = EventNerf(recording().posed(), TINY)
    assert training.model.raw_background is not None
    with torch.no_grad():
        training.model.raw_background.fill_(float("nan"))
    with pytest.raises(NotFinite, match="10 times in a row"):
        _run(training, 20)


def test_a_field_that_is_not_finite_does_not_pass_for_an_empty_one() -> None:
    training = EventNerf(recording().posed(), TINY)
    with torch.no_grad():
        training.field.get_parameter("table").fill_(float("nan"))
    with pytest.raises(NotFinite, match="density"):
        _run(training, 5)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bits(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        one, other = (EventNerf(recording().posed(), TINY) for _ in range(2))
        assert _run(one, 6) == _run(other, 6)
        assert torch.equal(one.field.state_dict()["table"], other.field.state_dict()["table"])
    finally:
        torch.set_num_threads(before)


def _small(config: EventNerfConfig) -> EventNerfConfig:
    """A full-size preset with fewer samples, cells and entries, so that a test can hold it; all else stays."""
    network = config.network
    assert isinstance(network, NgpConfig)
    grid = HashGrid(network.grid.levels, log2_entries=10, per_level_scale=network.grid.per_level_scale)
    optimiser = replace(config.optimiser, samples=1 << 12, first_events=16)
    space = replace(config.space, occupancy_resolution=16, steps_across=128)
    return replace(config, network=replace(network, grid=grid), optimiser=optimiser, space=space)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_steps(name: str) -> None:
    config = _small(PRESETS[name])
    training = EventNerf(recording("medium").posed(), config)
    results = [training.step() for _ in range(3)]
    assert all(abs(result.loss) < 1e6 for result in results)
    assert (results[0].terms.get("gradient") is not None) == (config.loss.gradient > 0)


def test_the_published_presets_are_the_published_ones() -> None:
    synthetic, desk = PRESETS["synthetic"], PRESETS["mocap-desk2"]
    assert isinstance(synthetic.network, NgpConfig)
    assert synthetic.network.grid.entries * 2 == 12_599_920
    assert (synthetic.optimiser.steps, synthetic.optimiser.samples) == (40_000, 1 << 20)
    assert [synthetic.optimiser.factor_at(step) for step in (0, 20_000, 30_000, 36_000)] == pytest.approx(
        [1, 0.33, 0.33**2, 0.33**3]
    )
    assert (synthetic.loss.gradient, desk.loss.gradient) == (0.0, 1e-3)
    assert (desk.space.contraction, desk.space.near, desk.space.far) == ("sphere", 0.05, 3.0)
    assert desk.learn_ratio
    assert desk.learn_refractory_period
    assert not desk.has_background


def test_the_network_of_nerf_is_a_choice_too() -> None:
    network = NerfConfig(width=16, depth=3, skip=1, view_width=8, position_octaves=2, direction_octaves=1)
    training = EventNerf(recording().posed(), replace(TINY, network=network))
    assert all(value == value for value in _run(training, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossConfig(difference=0.0), "one above 0"),
        (lambda: LossConfig(gradient=float("nan")), "0 or more"),
        (lambda: OptimiserConfig(steps=0), "at least 1"),
        (lambda: EventNerfConfig(events_share=0.0), "share above 0"),
        (
            lambda: EventNerf(recording().posed(), replace(TINY, space=SpaceConfig((0.0, 0.0, 0.0, 0.0, 1.0, 1.0)))),
            "box",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()
