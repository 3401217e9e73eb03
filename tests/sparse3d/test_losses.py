"""Losses against worked examples and laws."""

import math

import torch
from trisparse.sparse3d.losses import diou_loss, focal_loss, keep_loss


def test_focal_loss_of_one_logit_is_the_textbook_value() -> None:
    p = 0.8
    logit = torch.tensor([math.log(p / (1 - p))] * 2, dtype=torch.float64)
    loss = focal_loss(logit, torch.tensor([True, False]))
    expected = [-0.25 * 0.2**2 * math.log(0.8), -0.75 * 0.8**2 * math.log(0.2)]
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


def test_focal_loss_stays_finite_at_extreme_logits() -> None:
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    focal_loss(logits, torch.tensor([True, False])).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_equal_boxes_have_no_diou_loss() -> None:
    center, size = torch.rand(5, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64) + 0.1
    torch.testing.assert_close(diou_loss(center, size, center, size), torch.zeros(5, dtype=torch.float64))


def test_diou_loss_of_two_unit_cubes_side_by_side_is_one_plus_the_distance_share() -> None:
    one = torch.ones(1, 3, dtype=torch.float64)
    apart = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(diou_loss(0 * one, one, apart, one), torch.tensor([1 + 4 / 11], dtype=torch.float64))


def test_gradients_of_the_losses_match_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(4, 12, generator=generator, dtype=torch.float64) + 0.3
    boxes.requires_grad_()
    assert torch.autograd.gradcheck(lambda b: diou_loss(b[:, :3], b[:, 3:6], b[:, 6:9], b[:, 9:]), boxes)
    logits = torch.randn(6, generator=generator, dtype=torch.float64, requires_grad=True)
    keep = torch.tensor([True, False, True, False, False, True])
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, keep), logits)
    assert torch.autograd.gradcheck(lambda x: keep_loss(x, keep, torch.tensor([0, 0, 2, 2, 2, 2]), n_batch=3), logits)


def test_keep_loss_counts_voxels_to_keep_or_all_where_there_is_none() -> None:
    logits, one = torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.int64)
    prune, keep = 0.25 * 0.25 * math.log(2), 0.75 * 0.25 * math.log(2)
    two = keep_loss(logits, torch.tensor([True, True, False, False]), one, n_batch=1)
    none = keep_loss(logits, torch.zeros(4, dtype=torch.bool), one, n_batch=1)
    torch.testing.assert_close(two, torch.tensor((2 * prune + 2 * keep) / 2, dtype=torch.float64))
    torch.testing.assert_close(none, torch.tensor(prune, dtype=torch.float64))
    assert float(keep_loss(logits[:0], torch.zeros(0, dtype=torch.bool), one[:0], n_batch=1)) == 0


def test_keep_loss_of_a_batch_is_the_sum_over_its_sentences() -> None:
    logits = torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    keep, batch = torch.tensor([True, False, False, False, True, True]), torch.tensor([0, 2, 0, 2, 0, 0])
    alone = [
        keep_loss(logits[batch == b], keep[batch == b], torch.zeros_like(batch[batch == b]), n_batch=1) for b in (0, 2)
    ]
    torch.testing.assert_close(keep_loss(logits, keep, batch, n_batch=3), alone[0] + alone[1])
