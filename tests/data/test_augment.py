"""Random variants of scans."""

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.augment import augment, instance_boxes, is_view_dependent
from trisparse.data.point_cloud import PointCloud


def _cloud() -> PointCloud:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(300, 3, generator=generator) * torch.tensor([5.0, 4.0, 2.0])
    return PointCloud(points, torch.rand(300, 3, generator=generator), torch.arange(300) % 3 - 1)


def test_a_variant_is_nearly_rigid() -> None:
    cloud = _cloud()
    changed = augment(cloud, np.random.default_rng(1), mirror_and_turn=True)
    before, after = torch.cdist(cloud.points, cloud.points), torch.cdist(changed.points, changed.points)
    assert float((after - before).abs().max()) < 0.02 * float(before.max()) + 0.02


def test_without_turning_left_stays_left() -> None:
    cloud = _cloud()
    for seed in range(20):
        changed = augment(cloud, np.random.default_rng(seed), mirror_and_turn=False)
        moved = changed.points - changed.points.mean(0)
        correlation = (moved * (cloud.points - cloud.points.mean(0))).sum(0)
        assert (correlation > 0).all()


def test_the_same_generator_gives_the_same_variant() -> None:
    first, second = (augment(_cloud(), np.random.default_rng(4), mirror_and_turn=True) for _ in range(2))
    assert torch.equal(first.points, second.points)


def test_boxes_follow_the_points_of_each_instance() -> None:
    cloud = _cloud()
    boxes = instance_boxes(cloud, torch.tensor([1, 0, 7]))
    own = cloud.points[torch.arange(300) % 3 == 2]
    torch.testing.assert_close(boxes.low[0], own.min(0).values)
    torch.testing.assert_close(boxes.high[0], own.max(0).values)
    assert boxes.sizes[2].tolist() == [0, 0, 0]
    with pytest.raises(InvalidInput, match="no instance numbers"):
        instance_boxes(PointCloud(cloud.points), torch.tensor([0]))


def test_view_words_count_only_as_whole_words() -> None:
    assert is_view_dependent("The chair to the Left of the bed.")
    assert not is_view_dependent("the bright lamp, abackus, leftover box")
