"""Suppression of boxes that repeat a better one."""

import torch
from trisparse.sparse3d.suppression import suppress_overlaps

CENTERS = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [3.0, 0, 0], [0.0, 0, 0.05]])
SIZES = torch.ones(4, 3)


def test_the_best_box_comes_first_and_its_copies_go() -> None:
    scores = torch.tensor([0.5, 0.9, 0.2, 0.8])
    assert suppress_overlaps(CENTERS, SIZES, scores, top_k=5).tolist() == [1, 2]
    assert suppress_overlaps(CENTERS, SIZES, scores, top_k=1).tolist() == [1]


def test_among_equal_scores_the_earlier_row_wins() -> None:
    assert suppress_overlaps(CENTERS, SIZES, torch.zeros(4), top_k=1).tolist() == [0]


def test_no_box_gives_no_row() -> None:
    assert suppress_overlaps(CENTERS[:0], SIZES[:0], torch.zeros(0), top_k=3).tolist() == []
