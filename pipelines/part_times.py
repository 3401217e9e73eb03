"""How long the parts of a computation take, on the CPU or a GPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch


class PartClock:
    """Milliseconds by part; waits for the device before and after each, so that a part's time is its own.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self.milliseconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what happens within."""
        self._wait()
        started = time.perf_counter()
        yield
        self._wait()
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + 1000 * (time.perf_counter() - started)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


@dataclass(frozen=True)
class PartTime:
    """What one part takes: the median and the 90th percentile (ms) of ``count`` times."""

    name: str
    median: float
    slow: float
    count: int


def part_times(samples: Sequence[Mapping[str, float]], scenes: Sequence[str]) -> list[PartTime]:
    """Times by part, and under "sentence" of all parts together, as if nothing were shared between sentences.

    The median, because the first calls of a process also load compiled kernels.

    Args:
        samples: Milliseconds by part of each sentence; empty ones are left out.
        scenes: The scene of each; "backbone" is counted once a scene.
    """
    known = [(sample, scene) for sample, scene in zip(samples, scenes, strict=True) if sample]
    values: dict[str, list[float]] = {}
    seen: set[str] = set()
    for sample, scene in known:
        for name, value in sample.items():
            if name != "backbone" or scene not in seen:
                values.setdefault(name, []).append(value)
        values.setdefault("sentence", []).append(sum(sample.values()))
        seen.add(scene)
    return [
        PartTime(name, float(np.median(times)), float(np.quantile(times, 0.9)), len(times))
        for name, times in sorted(values.items(), key=lambda item: item[0] == "sentence")
    ]
