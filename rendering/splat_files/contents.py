"""What a file of splats held, and repairs of what no cloud should hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ...core.errors import CorruptFile, NotFinite
from ..gaussians import GaussianCloud

SMALLEST_SCALE = 1e-7
"""Standard deviation that Gaussians without any extent get, in metres."""
FARTHEST = 1e15
"""Coordinates and standard deviations beyond this are no place and no size: single precision makes infinities of them."""
GREATEST_LOGIT = 15.0
"""Logit that stands for an opacity of exactly 1; single precision can tell it from 1 just so."""


@dataclass(frozen=True, eq=False)
class SplatFile:
    """Gaussians in the frame of a PLY file, and what was changed or lost on the way, each one sentence.

    ``antialiased`` says whether they were trained with the antialiased filter; None where the format does not say.
    """

    cloud: GaussianCloud
    format: str
    notes: tuple[str, ...] = ()
    antialiased: bool | None = None


def clean_read(path: Path, file: SplatFile, drop_bad: bool) -> SplatFile:
    """A file's Gaussians with finite numbers only.

    Raises:
        CorruptFile: Rows hold NaN or infinity or lie absurdly far away, and these are not to be dropped.
    """
    cloud, notes = _without_infinities(file.cloud)
    rows = cloud.finite_rows()
    if len(rows) < len(cloud) and not drop_bad:
        where, problem = _bad_rows(cloud)
        raise CorruptFile(path, where, problem)
    cloud, dropped = _at(cloud, rows)
    cloud, absurd = _near(path, cloud, drop_bad)
    return replace(file, cloud=cloud, notes=(*file.notes, *notes, *dropped, *absurd))


def clean_write(cloud: GaussianCloud, drop_bad: bool) -> tuple[GaussianCloud, tuple[str, ...]]:
    """A cloud with finite numbers only, without gradients, on the CPU in single precision; and notes on what was changed.

    Raises:
        NotFinite: Rows hold NaN or infinity, and these are not to be dropped.
    """
    plain = GaussianCloud(
        *(part.detach() for part in (cloud.means, cloud.quats, cloud.log_scales, cloud.opacity_logits, cloud.sh))
    )
    cloud, notes = _without_infinities(plain.to("cpu").to(torch.float32))
    rows = cloud.finite_rows()
    if len(rows) < len(cloud) and not drop_bad:
        raise NotFinite("{}: {}".format(*_bad_rows(cloud)))
    cloud, dropped = _at(cloud, rows)
    return cloud, (*notes, *dropped)


def _without_infinities(cloud: GaussianCloud) -> tuple[GaussianCloud, tuple[str, ...]]:
    """Opacities of exactly 0 and 1 and flat Gaussians, which have infinite logits and logarithms, made almost so."""
    notes = []
    sure, flat = cloud.opacity_logits.isinf(), cloud.log_scales == -torch.inf
    if sure.any():
        notes.append(f"{int(sure.sum())} Gaussians have an opacity of exactly 0 or 1: taken as almost so")
        logits = torch.where(sure, cloud.opacity_logits.clamp(-GREATEST_LOGIT, GREATEST_LOGIT), cloud.opacity_logits)
        cloud = replace(cloud, opacity_logits=logits)
    if flat.any():
        notes.append(
            f"{int(flat.any(1).sum())} Gaussians have no extent along an axis: taken as {SMALLEST_SCALE:g} thick"
        )
        smallest = torch.tensor(SMALLEST_SCALE).log().to(cloud.log_scales)
        cloud = replace(cloud, log_scales=torch.where(flat, smallest, cloud.log_scales))
    return cloud, tuple(notes)


def _near(path: Path, cloud: GaussianCloud, drop_bad: bool) -> tuple[GaussianCloud, tuple[str, ...]]:
    """Without Gaussians that lie or reach beyond `FARTHEST`."""
    reach = torch.maximum(cloud.means.abs().double(), cloud.log_scales.double().exp()).amax(1)
    far = reach > FARTHEST
    if not far.any():
        return cloud, ()
    if not drop_bad:
        first = int(far.nonzero()[0])
        problem = (
            f"lies or reaches {float(reach[first]):.3g} units away ({int(far.sum())} of {len(far)} do beyond 1e15)"
        )
        raise CorruptFile(path, f"Gaussian {first}", f"{problem}; repair them, or leave them out with drop_bad=True")
    return cloud[~far], (f"{int(far.sum())} of {len(far)} Gaussians lie or reach beyond 1e15 and were left out",)


def _at(cloud: GaussianCloud, rows: torch.Tensor) -> tuple[GaussianCloud, tuple[str, ...]]:
    missing = len(cloud) - len(rows)
    if not missing:
        return cloud, ()
    return cloud[rows], (f"{missing} of {len(cloud)} Gaussians hold NaN or infinity and were left out",)


def _bad_rows(cloud: GaussianCloud) -> tuple[str, str]:
    good = torch.zeros(len(cloud), dtype=torch.bool)
    good[cloud.finite_rows()] = True
    bad = (~good).nonzero().flatten().tolist()
    named = ", ".join(map(str, bad[:5])) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    return f"Gaussian{'s' if len(bad) > 1 else ''} {named}", (
        f"hold NaN or infinity ({len(bad)} of {len(cloud)}); expected finite numbers: repair them, or leave them out with "
        "drop_bad=True"
    )
