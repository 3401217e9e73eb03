from __future__ import annotations

import torch
from trisparse.rendering.densify import (
    GradientDensify,
    MonteCarloDensify,
    PullStatistics,
    densify_by_gradient,
    densify_by_relocation,
    reset_opacities,
    shake,
)
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.parameters import SplatParameters

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians

RATES: dict[str, float] = dict.fromkeys(
    ("means", "quats", "log_scales", "opacity_logits", "sh0", "sh_rest", "mark"), 0.01
)


def _parameters(cloud: GaussianCloud | None = None) -> SplatParameters:
    cloud = some_gaussians(6, sh_degree=1) if cloud is None else cloud
    parameters = SplatParameters(cloud, RATES, {"mark": torch.arange(float(len(cloud)))})
    for value in parameters.values.values():
        value.grad = torch.ones_like(value)
    parameters.step()
    return parameters


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_small_gaussians_are_cloned_large_ones_split_and_transparent_ones_removed() -> None:
    parameters = _parameters()
    with torch.no_grad():
        parameters["log_scales"][:] = torch.tensor([0.001, 0.1, 0.1, 0.001, 0.1, 0.001]).log()[:, None]
        parameters["opacity_logits"][5] = -8
    before = parameters.cloud()
    pull = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    densify_by_gradient(parameters, pull, GradientDensify(), 1.0, _generator(), prune_large=False)
    after, marks = parameters.cloud(), parameters["mark"].round().int().tolist()
    assert marks == [0, 2, 3, 4, 0, 1, 1]  # kept, a clone of 0, the two parts of 1; 5 is gone
    assert torch.equal(after.means[4], before.means[0])
    torch.testing.assert_close(after.scales[5:], before.scales[[1, 1]] / 1.6)
    assert float((after.means[5] - after.means[6]).norm()) > 0
    assert float((after.means[5:] - before.means[1]).norm(dim=1).max()) < 0.5


def test_new_gaussians_have_no_momentum_and_old_ones_keep_theirs() -> None:
    parameters = _parameters()
    kept = torch.tensor([4, 1])
    old = parameters.optimizer.state[parameters["means"]]["exp_avg"].clone()
    parameters.change(kept, {name: value.detach()[:3] for name, value in parameters.values.items()})
    moments = parameters.optimizer.state[parameters["means"]]["exp_avg"]
    assert torch.equal(moments[:2], old[kept])
    assert float(moments[2:].abs().max()) == 0
    for value in parameters.values.values():
        value.grad = torch.ones_like(value)
    parameters.step()
    assert len(parameters) == 5


def test_there_are_never_more_gaussians_than_allowed() -> None:
    parameters = _parameters()
    config = GradientDensify(most=8)
    densify_by_gradient(parameters, torch.arange(6.0), config, 1.0, _generator(), prune_large=False)
    assert len(parameters) == 8
    parameters = _parameters(some_gaussians(50))
    for _ in range(20):
        densify_by_relocation(parameters, MonteCarloDensify(most=60), _generator())
    assert len(parameters) == 60


def test_large_gaussians_are_removed_only_when_asked() -> None:
    for prune, count in ((False, 6), (True, 5)):
        parameters = _parameters()
        with torch.no_grad():
            parameters["log_scales"][:] = -5
            parameters["log_scales"][2, 1] = 0
        densify_by_gradient(parameters, torch.zeros(6), GradientDensify(), 1.0, _generator(), prune_large=prune)
        assert len(parameters) == count


def test_reset_opacities_are_low_and_without_momentum() -> None:
    parameters = _parameters()
    reset_opacities(parameters, 0.01)
    assert float(parameters.cloud().opacities.max()) <= 0.0100001
    assert float(parameters.optimizer.state[parameters["opacity_logits"]]["exp_avg"].abs().max()) == 0


def test_relocated_gaussians_leave_the_image_nearly_as_it_was() -> None:
    cloud, cameras = some_gaussians(40), ring_of_cameras()
    logits = cloud.opacity_logits.clone()
    logits[:8] = -9
    cloud = GaussianCloud(cloud.means, cloud.quats, cloud.log_scales, logits, cloud.sh)
    parameters = SplatParameters(cloud, RATES)
    densify_by_relocation(parameters, MonteCarloDensify(growth=1.2), _generator())
    assert len(parameters) == 48
    assert float(parameters.cloud().opacities.min()) > 0.004
    before, after = photos_of(cloud, cameras).images(), photos_of(parameters.cloud(), cameras).images()
    assert float((before - after).abs().mean()) < 0.02


def test_noise_moves_transparent_gaussians_and_leaves_opaque_ones() -> None:
    cloud = some_gaussians(2)
    parameters = SplatParameters(
        GaussianCloud(cloud.means, cloud.quats, cloud.log_scales, torch.tensor([-9.0, 5.0]), cloud.sh), RATES
    )
    shake(parameters, MonteCarloDensify(), 1e-5, _generator())
    steps = (parameters["means"].detach() - cloud.means).norm(dim=1)
    assert float(steps[0]) > 1e-3
    assert float(steps[1]) < 1e-6


def test_the_pull_is_the_mean_over_the_images_that_show_a_gaussian() -> None:
    pull = PullStatistics(3)
    pull.add(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[1, 1], [0, 0], [1, 1]], dtype=torch.int32))
    pull.add(torch.tensor([3.0, 2.0, 3.0]), torch.tensor([[1, 1], [1, 1], [0, 0]], dtype=torch.int32))
    assert pull.mean().tolist() == [2.0, 2.0, 3.0]


def test_no_gaussian_stays_no_gaussian() -> None:
    parameters = SplatParameters(GaussianCloud.from_points(torch.zeros(0, 3), torch.zeros(0, 3)), RATES)
    densify_by_gradient(parameters, torch.zeros(0), GradientDensify(), 1.0, _generator(), prune_large=True)
    densify_by_relocation(parameters, MonteCarloDensify(), _generator())
    shake(parameters, MonteCarloDensify(), 1.0, _generator())
    assert len(parameters) == 0
