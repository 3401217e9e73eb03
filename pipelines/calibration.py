"""Whether the score tells right answers from wrong ones, and sentences that mean something from those that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .evaluation import SentenceResult

N_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """The score against what happened."""

    bins: tuple[tuple[float, float, int, float, float], ...]
    """For each tenth of the sentences by score: least and greatest score, count, mean score, share right at IoU 0.25."""
    expected_calibration_error: float
    """Mean distance of mean score and share right over the bins (Guo et al., ICML 2017; bins of equal counts)."""
    auroc_right: float
    """Chance that a right answer scores above a wrong one."""
    auroc_absent: dict[str, float]
    """Chance that a sentence whose object is there scores above one of each sort whose object is not; "all" for all sorts."""
    threshold: float
    """Score below which 10 % of the sentences with an object fall."""
    refused_absent: dict[str, float]
    """Share of the absent sentences below it."""

    def text(self) -> str:
        """The figures as lines."""
        lines = ["score        n   mean score   right @0.25"]
        lines += [
            f"{low:.2f}-{high:.2f} {n:5d}   {mean:10.2f}   {100 * right:9.1f} %"
            for low, high, n, mean, right in self.bins
        ]
        lines.append(f"expected calibration error {100 * self.expected_calibration_error:.1f} %")
        lines.append(f"right answers score above wrong ones: AUROC {self.auroc_right:.2f}")
        lines += [
            f"objects that are there score above {kind}: AUROC {value:.2f}; below {self.threshold:.2f}, which refuses 10 % of "
            f"those that are there, fall {100 * self.refused_absent[kind]:.0f} %"
            for kind, value in self.auroc_absent.items()
        ]
        return "\n".join(lines)


def calibrate(results: Sequence[SentenceResult], absent: Sequence[tuple[str, float]]) -> Calibration:
    """Calibration of the scores.

    Args:
        results: Sentences whose object is there.
        absent: Sort and score of sentences whose object is not.
    """
    scores = np.array([r.score for r in results])
    right = np.array([r.hit(0.25) for r in results])
    groups = [part for part in np.array_split(np.argsort(scores, kind="stable"), N_BINS) if len(part)]
    bins = tuple(
        (
            float(scores[part].min()),
            float(scores[part].max()),
            len(part),
            float(scores[part].mean()),
            float(right[part].mean()),
        )
        for part in groups
    )
    kinds = ["all", *sorted({kind for kind, _ in absent})]
    of_kind = {k: np.array([score for kind, score in absent if k in ("all", kind)]) for k in kinds}
    threshold = float(np.quantile(scores, 0.1)) if len(scores) else 0.0
    error = sum(n * abs(mean - share) for _, _, n, mean, share in bins) / max(len(scores), 1)
    return Calibration(
        bins,
        float(error),
        auroc(scores[right > 0], scores[right == 0]),
        {k: auroc(scores, values) for k, values in of_kind.items()},
        threshold,
        {k: float((values < threshold).mean()) if len(values) else float("nan") for k, values in of_kind.items()},
    )


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that one of the first is greater than one of the second, ties counting half (Mann and Whitney, 1947)."""
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    up_to = np.searchsorted(ordered, positive, "right")
    return float((below + up_to).mean() / 2 / len(negative))
