"""Gaussians as points."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.core.errors import InvalidInput, NotFinite
from trisparse.data.readers.scan import read_scan
from trisparse.rendering.splat_files.files import write_splats
from trisparse.rendering.splat_files.points import to_point_cloud

from tests.rendering.splat_files.clouds import random_cloud


def test_centres_and_base_colors_of_what_is_opaque_become_points() -> None:
    cloud = random_cloud(200)
    cloud.sh.requires_grad_()
    points = to_point_cloud(cloud, min_opacity=0.4)
    kept = cloud.opacities >= 0.4
    assert 0 < int(kept.sum()) < 200
    assert torch.equal(points.points, cloud.means[kept])
    assert points.colors is not None
    assert torch.equal(points.colors, cloud.base_colors[kept])
    assert not points.colors.requires_grad


def test_the_points_are_those_that_are_read_of_the_file(tmp_path: Path) -> None:
    cloud = random_cloud(100)
    write_splats(tmp_path / "a.ply", cloud)
    expected, found = read_scan(tmp_path / "a.ply"), to_point_cloud(cloud)
    torch.testing.assert_close(found.points, expected.points)
    assert found.colors is not None
    torch.testing.assert_close(found.colors, expected.colors, rtol=0, atol=1e-6)


def test_no_gaussians_give_no_points() -> None:
    assert len(to_point_cloud(random_cloud(0))) == 0
    assert len(to_point_cloud(random_cloud(5), min_opacity=1.0)) == 0


def test_bad_numbers_are_refused() -> None:
    cloud = random_cloud(3)
    with pytest.raises(InvalidInput, match=r"a least opacity of 1\.5; expected 0\.\.1"):
        to_point_cloud(cloud, min_opacity=1.5)
    cloud.means[1, 0] = torch.nan
    with pytest.raises(NotFinite, match="points: 1 of"):
        to_point_cloud(cloud, min_opacity=0.0)
