"""Scores against what happened, on numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from trisparse.pipelines.calibration import auroc, calibrate
from trisparse.pipelines.evaluation import SentenceResult


def _result(score: float, iou: float) -> SentenceResult:
    return SentenceResult(
        "s", "a", "chair", (), 1, iou, 0.0, score, (0.1,) * 2, (0.5,) * 2, (0.0,) * 3, (1.0,) * 3, False
    )


def test_auroc_counts_pairs_and_ties_by_half() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert auroc(np.array([1.0]), np.array([1.0])) == 0.5
    assert auroc(np.array([0.0, 2.0]), np.array([1.0])) == 0.5
    assert np.isnan(auroc(np.array([]), np.array([1.0])))


def test_scores_that_are_probabilities_have_no_calibration_error() -> None:
    results = [_result(0.5, 0.6 if k % 2 else 0.0) for k in range(1000)]
    assert calibrate(results, []).expected_calibration_error == pytest.approx(0, abs=0.02)
    sure = [_result(1.0, 0.0) for _ in range(10)]
    assert calibrate(sure, []).expected_calibration_error == pytest.approx(1)


def test_absent_things_are_compared_by_sort_and_refused_below_the_first_tenth() -> None:
    results = [_result(0.1 * k, 0.6) for k in range(1, 11)]
    found = calibrate(results, [("absent:color", 0.05), ("absent:category", 0.95), ("absent:category", 0.0)])
    assert found.auroc_absent["absent:color"] == 1
    assert found.auroc_absent["absent:category"] == pytest.approx((0.1 + 1) / 2)
    assert found.refused_absent["absent:color"] == 1
    assert found.refused_absent["all"] == pytest.approx(2 / 3)
    assert "AUROC" in found.text()
