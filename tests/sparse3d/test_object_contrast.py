"""The target against the other objects of its scene."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.criterion import SentenceTarget
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.head import HeadOutput, LevelLogits
from trisparse.sparse3d.object_contrast import object_contrast

CONFIG = replace(preset("small"), voxel_size=1.0, positives_per_box=2)
PLACES = torch.tensor([0, 1, 10, 11, 20, 21])
SCENE = torch.tensor([[0.4, 0.0, 0.0], [10.4, 0.0, 0.0], [20.4, 0.0, 0.0]], dtype=torch.float64)


def _output(logits: Tensor, places: Tensor = PLACES) -> HeadOutput:
    """Voxels along x, the same for each of two sentences."""
    coords = torch.zeros(2 * len(places), 4, dtype=torch.int32)
    coords[:, 0] = torch.arange(2).repeat_interleave(len(places))
    coords[:, 1] = places.repeat(2)
    grid = VoxelGrid(coords)
    none = LevelLogits(grid, logits)
    box = torch.zeros(len(grid), 6, dtype=torch.float64)
    fell_back = torch.zeros(2, dtype=torch.bool)
    return HeadOutput(grid, coords[:, 1:].double(), box, logits, none, none, none, fell_back)


def _target(*objects: int, scene: Tensor = SCENE) -> SentenceTarget:
    centers = SCENE[list(objects)]
    return SentenceTarget(centers, torch.ones_like(centers), centers[:0], scene)


def test_it_is_the_cross_entropy_of_the_objects_mean_logits() -> None:
    logits = torch.tensor([1.0, 3, 0, 0, -1, 1] * 2, dtype=torch.float64)
    expected = math.log(math.exp(2) + 2) - 2, math.log(math.exp(2) + 2)
    found = object_contrast(_output(logits), [_target(0), _target(2)], CONFIG)
    torch.testing.assert_close(found, torch.tensor(sum(expected) / 2, dtype=torch.float64))


def test_prompts_with_several_targets_and_targets_without_voxels_do_not_count() -> None:
    logits = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    only_first = object_contrast(_output(logits), [_target(1), _target(0, 2)], CONFIG)
    again = object_contrast(_output(logits), [_target(1), _target()], CONFIG)
    torch.testing.assert_close(only_first, again)
    nothing = object_contrast(_output(logits.requires_grad_()), [_target(0, 1), _target(0, 1)], CONFIG)
    nothing.backward()
    assert float(nothing.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0


def test_gradient_matches_differences() -> None:
    logits = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: object_contrast(_output(x), [_target(1), _target(2)], CONFIG), logits)
