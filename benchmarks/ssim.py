"""SSIM with its gradient by one image, as a step of training needs it, beside the torch reference and a memory copy.

    python benchmarks/ssim.py [--sizes 354x266 648x420] [--threads 1 2] [--repeats 20]

All take turns; ratios are of medians. The copy moves one image of the same size: what any pass over it takes at least.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from machine import describe, median_in_turns
from torch import Tensor
from trisparse.rendering.ssim import ssim


def both_passes(image: Tensor, target: Tensor, backend: str) -> Callable[[], object]:
    """Forward, and the gradient by the image."""
    return lambda: torch.autograd.grad(ssim(image, target, backend=backend), image)


def measure(width: int, height: int, repeats: int) -> dict[str, float]:
    """Median seconds of each."""
    image, target = torch.rand(height, width, 3, requires_grad=True), torch.rand(height, width, 3)
    source, room = image.detach(), torch.empty_like(target)
    return median_in_turns(
        {
            "numba, forward": lambda: ssim(source, target, backend="numba"),
            "numba, forward and gradient": both_passes(image, target, "numba"),
            "torch, forward": lambda: ssim(source, target, backend="torch"),
            "torch, forward and gradient": both_passes(image, target, "torch"),
            "memory copy": lambda: room.copy_(source),
        },
        repeats=repeats,
        warmup=2,
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["354x266", "648x420"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(0)
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(describe(), "", "| image | what | ms | times the copy |\n|---|---|---|---|", sep="\n")
        for size in options.sizes:
            width, height = map(int, size.split("x"))
            found = measure(width, height, options.repeats)
            for what, seconds in found.items():
                print(f"| {size} | {what} | {1000 * seconds:.2f} | {seconds / found['memory copy']:.1f} |", flush=True)
        print()


if __name__ == "__main__":
    main()
