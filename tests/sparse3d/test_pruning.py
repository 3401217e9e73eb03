"""Which voxels survive."""

import torch
from trisparse.sparse3d.pruning import keep_above_threshold, keep_top, sample_by_coordinate


def test_threshold_keeps_voxels_unlikely_to_be_pruned() -> None:
    logits, batch = torch.tensor([-3.0, 3.0, -3.0, 3.0]), torch.tensor([0, 0, 1, 1])
    keep, fell_back = keep_above_threshold(logits, batch, threshold=0.7, n_batch=2, fallback=1)
    assert keep.tolist() == [True, False, True, False]
    assert not fell_back.any()


def test_a_scene_that_would_lose_everything_keeps_its_best_and_says_so() -> None:
    logits, batch = torch.tensor([5.0, 4.0, 6.0, -3.0]), torch.tensor([0, 0, 0, 1])
    keep, fell_back = keep_above_threshold(logits, batch, threshold=0.7, n_batch=3, fallback=2)
    assert keep.tolist() == [True, True, False, True]
    assert fell_back.tolist() == [True, False, False]


def test_the_highest_scores_of_each_scene_are_kept_and_ties_go_to_the_earlier_row() -> None:
    scores, batch = torch.tensor([1.0, 2.0, 2.0, 2.0, 0.0]), torch.tensor([1, 0, 0, 0, 1])
    assert keep_top(scores, batch, count=2, n_batch=2).tolist() == [True, True, True, False, True]


def test_keeping_the_highest_scores_is_sorting_and_cutting() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 5, (300,), generator=generator)
    scores = torch.randint(0, 12, (300,), generator=generator).double()
    scores[batch == 3] = -torch.inf
    for count in (0, 1, 17, 62, 70, 300):
        kept = keep_top(scores, batch, count=count, n_batch=6)
        for scene in range(6):
            rows = (batch == scene).nonzero().flatten().tolist()
            best = sorted(rows, key=lambda row: (-float(scores[row]), row))[:count]
            assert [row for row in rows if kept[row]] == sorted(best)


def test_the_sample_depends_on_coordinates_and_not_on_row_order_or_batch_number() -> None:
    generator = torch.Generator().manual_seed(3)
    xyz = torch.unique(torch.randint(-50, 50, (900, 3), generator=generator, dtype=torch.int32), dim=0)
    first = torch.cat([torch.zeros(len(xyz), 1, dtype=torch.int32), xyz], 1)
    order = torch.randperm(len(xyz), generator=generator)
    second = torch.cat([torch.ones(len(xyz), 1, dtype=torch.int32), xyz[order]], 1)
    both = torch.cat([second, first])
    keep = sample_by_coordinate(both, count=100, seed=5, n_batch=2)
    chosen = {tuple(row) for row in xyz[order][keep[: len(xyz)]].tolist()}
    assert len(chosen) == 100
    assert chosen == {tuple(row) for row in xyz[keep[len(xyz) :]].tolist()}
    other = sample_by_coordinate(first, count=100, seed=6, n_batch=1)
    assert chosen != {tuple(row) for row in xyz[other].tolist()}


def test_the_sample_is_spread_evenly() -> None:
    xyz = torch.cartesian_prod(*[torch.arange(12, dtype=torch.int32)] * 3)
    coords = torch.cat([torch.zeros(len(xyz), 1, dtype=torch.int32), xyz], 1)
    counts = torch.zeros(len(coords))
    for seed in range(400):
        counts += sample_by_coordinate(coords, count=172, seed=seed, n_batch=1)
    share = counts / 400
    assert abs(float(share.mean()) - 172 / 1728) < 1e-6
    assert float(share.max()) < 0.2


def test_no_cap_keeps_everything() -> None:
    coords = torch.zeros(3, 4, dtype=torch.int32)
    assert sample_by_coordinate(coords, count=None, seed=0, n_batch=1).all()
