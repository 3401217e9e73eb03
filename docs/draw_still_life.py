"""Draws generated still lifes on one sheet: two neighbouring photos of each, depth and normals.

Usage: python docs/draw_still_life.py OUT.png [--table 2] [--object 6] [--courtyard 9]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from jaxtyping import Float
from torch import Tensor
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life


@dataclass(frozen=True)
class Arguments:
    """What to draw."""

    out: tyro.conf.Positional[Path]
    """The PNG file to write."""
    table: tuple[int, ...] = (2,)
    """Seeds of tables."""
    object: tuple[int, ...] = (6,)
    """Seeds of objects."""
    courtyard: tuple[int, ...] = (9,)
    """Seeds of courtyards."""
    width: int = 340
    """Of a photo in pixels; it is three quarters as high."""


def main(arguments: Arguments) -> None:
    """Photograph the scenes and draw them."""
    from PIL import Image

    seeds = {"table": arguments.table, "object": arguments.object, "courtyard": arguments.courtyard}
    rows = [_row(kind, seed, arguments.width) for kind, chosen in seeds.items() for seed in chosen]
    sheet = Image.fromarray((torch.cat(rows) * 255).round().byte().numpy())
    few = sheet.quantize(
        palette=sheet.quantize(256, method=Image.Quantize.MEDIANCUT), dither=Image.Dither.FLOYDSTEINBERG
    )
    few.save(arguments.out, optimize=True)
    print(arguments.out)


def _row(kind: str, seed: int, width: int) -> Float[Tensor, "h w 3"]:
    scene = make_still_life(seed, kind)
    angle = {"table": 0.5, "object": 1.2, "courtyard": 0.7}[kind]
    photos = photograph(scene, arc(scene, 2, Lens(width, width * 3 // 4), angle=angle), samples_per_pixel=16)
    near = 1 / photos.depth_z[1]
    near = (near / near.max())[..., None].expand(-1, -1, 3)
    normals = photos.normals[1] * 0.5 + 0.5
    normals = torch.where(photos.normals[1].abs().sum(-1, keepdim=True) > 0, normals, torch.ones_like(normals))
    return torch.cat([photos.images[0], photos.images[1], near, normals], 1)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
