"""What the machine gives just now: sgemm and memory copy, to hold timings against."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping

import torch


def median_seconds(run: Callable[[], object], *, repeats: int, warmup: int = 1) -> float:
    """Median wall time of a call (s)."""
    for _ in range(warmup):
        run()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def median_in_turns(jobs: Mapping[str, Callable[[], object]], *, repeats: int, warmup: int = 1) -> dict[str, float]:
    """Median wall time of several jobs (s) that take turns, so that what disturbs the machine disturbs all of them."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warmup + repeats):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if turn >= warmup:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def sgemm_gflops(size: int = 2048, *, repeats: int = 5) -> float:
    """Rate of a square float32 matrix product (GFLOP/s) with torch's current number of threads."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    return 2 * size**3 / median_seconds(lambda: a @ b, repeats=repeats) / 1e9


def copy_gbytes(megabytes: int = 256, *, repeats: int = 5) -> float:
    """Rate of a memory copy (GB/s, bytes read plus bytes written)."""
    source = torch.rand(megabytes * 250_000)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / median_seconds(lambda: target.copy_(source), repeats=repeats) / 1e9


def describe() -> str:
    """One line about processor, threads, versions and rates."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, {versions}; "
        f"sgemm {sgemm_gflops():.0f} GFLOP/s, memory copy {copy_gbytes():.1f} GB/s"
    )


if __name__ == "__main__":
    print(describe())
