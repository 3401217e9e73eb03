from __future__ import annotations

import math

import pytest
import torch
from trisparse.core.errors import ShapeMismatch
from trisparse.rendering.learned.prediction import Prediction, edges, patched_size, poses, stacked


def test_a_plane_is_the_same_plane_at_another_size() -> None:
    def plane(width: int, height: int) -> torch.Tensor:
        x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
        return 1 / (0.2 + 0.3 * x[None] + 0.4 * y[:, None])[None]

    found, _ = Prediction(plane(42, 28), torch.ones(1, 28, 42), None).sized(100, 70)
    torch.testing.assert_close(found[:, 2:-2, 2:-2], 1 / plane(100, 70)[:, 2:-2, 2:-2], rtol=1e-4, atol=0)


def test_unknown_depth_is_unknown_at_another_size_and_spoils_nothing_beside_it() -> None:
    depth = torch.full((1, 14, 14), 2.0)
    depth[0, :, :3] = torch.tensor([math.nan, math.inf, -1.0])
    confidence = torch.full((1, 14, 14), math.nan)
    confidence[0, :, 5:] = 0.7
    inverse, sure = Prediction(depth, confidence, None).sized(28, 28)
    assert float(inverse[..., :5].max()) == 0
    torch.testing.assert_close(inverse[..., 6:], torch.full((1, 28, 22), 0.5))
    assert bool(sure.isfinite().all())
    assert float(sure[..., 11:].min()) == pytest.approx(0.7)


def test_jumps_are_edges_and_slanted_planes_are_not() -> None:
    plane = (0.1 + 0.05 * torch.arange(20.0))[None, None].expand(1, 10, 20).clone()
    assert not bool(edges(plane)[..., 1:-1].any())
    plane[..., 10:] *= 1.5
    assert edges(plane)[0, 5, 1:-1].nonzero()[:, 0].tolist() == [8, 9]


def test_sizes_are_multiples_of_the_patch() -> None:
    assert patched_size(708, 532, 518) == (518, 392)
    assert patched_size(270, 480, 518) == (294, 518)
    assert patched_size(2000, 10, 518) == (518, 14)


def test_maps_and_poses_of_documented_shapes_are_taken_and_others_refused() -> None:
    assert stacked("depth", torch.ones(1, 3, 4, 5, 1), 3, trailing=1).shape == (3, 4, 5)
    assert stacked("depth", torch.ones(3, 4, 5).numpy(), 3).shape == (3, 4, 5)
    assert stacked("depth", torch.ones(1, 1, 5), 1).shape == (1, 1, 5)
    for wrong in (torch.ones(2, 4, 5), torch.ones(4, 5), torch.ones(3, 0, 5), torch.ones(3, 4, 5, 2)):
        with pytest.raises(ShapeMismatch, match="the model's depth has shape"):
            stacked("depth", wrong, 3)
    eye = torch.eye(4).expand(1, 2, 4, 4)
    assert torch.equal(poses(eye[..., :3, :], 2), eye[0].double())
    with pytest.raises(ShapeMismatch, match="the model's poses have shape"):
        poses(torch.ones(2, 3, 3), 2)
    with pytest.raises(ShapeMismatch):
        Prediction(torch.ones(1, 2, 2), torch.ones(1, 2, 3), None)
