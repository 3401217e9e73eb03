"""A castle's yard: facades at several depths, towers, trees and what stands about, under the sky."""

from __future__ import annotations

import math
from dataclasses import replace

from . import things
from .composition import Composition, Rng, material, paper, stone, wood
from .lighting import Light
from .solids import Kind, Material, Number, Pattern, Solid, ball, box, placed, post, ring, rod, turned

_GLASS = ((0.10, 0.13, 0.18), (0.20, 0.26, 0.34), (0.34, 0.42, 0.50))


def compose(rng: Rng) -> Composition:
    """A main front, two wings, a keep behind it, and a fountain, trees, crates, lamps and banners before it."""
    wall = stone(rng, float(rng.uniform(0.16, 0.24)))
    solids = [*_surroundings(rng)]
    solids += placed(_facade(rng, wall, 13.0, 5.2, 2, 6), (0, 11, 0))
    solids += placed(_facade(rng, stone(rng, 0.2), 9.0, 4.0, 2, 4), (-7.2, 6.4, 0), -math.pi / 2 + 0.08)
    solids += placed(_facade(rng, stone(rng, 0.2), 9.0, 4.6, 2, 4), (7.6, 6.8, 0), math.pi / 2 - 0.12)
    solids += placed(_facade(rng, stone(rng, 0.3), 8.0, 10.5, 4, 3), (float(rng.uniform(-2, 2)), 17, 0))
    side = 1 if rng.random() < 0.5 else -1
    solids += placed(_tower(rng, 1.5, 8.0), (side * 6.3, 10.6, 0))
    solids += placed(_tower(rng, 1.0, 5.4), (-side * 4.9, 9.4, 0))
    solids += placed(_fountain(rng), (side * 1.0, 5.4, 0))
    solids += placed(_trunk_and_crown(rng, 3.4, 300), (-side * 2.8, 6.6, 0))
    solids += placed(_trunk_and_crown(rng, 2.4, 160), (side * 4.6, 7.4, 0))
    solids += placed(_crates(rng), (-side * 1.3, 4.4, 0), float(rng.uniform(-0.4, 0.4)))
    solids += placed(_lamp_post(rng), (side * 2.9, 4.6, 0))
    solids += placed(_lamp_post(rng), (-side * 4.2, 5.6, 0))
    light = Light((-0.55 * side, -0.75, 0.8), corner_size=1.2)
    return Composition(tuple(solids), light, (0.0, 8.0, 2.0), 10.0, 8.2, -math.pi / 2, -0.03)


def _surroundings(rng: Rng) -> list[Solid]:
    cobbles = stone(rng, 0.22, Pattern.MOSAIC)
    sky = material(rng, Pattern.SKY, 22.0, colors=((0.33, 0.53, 0.83), (0.96, 0.97, 0.98), (0.78, 0.85, 0.92)))
    meadow = material(
        rng, Pattern.CLOUDY, 2.5, colors=((0.3, 0.42, 0.2), (0.42, 0.48, 0.24), (0.25, 0.34, 0.18)), grain=0.4
    )
    around = [
        box((-9, 9), (-12, 12), (-0.1, 0), cobbles),
        box((-150, 150), (-150, 150), (-0.3, -0.02), meadow),
        ball((0, 0, 0), (140.0, 140.0, 90.0), sky),
    ]
    return [replace(solid, is_backdrop=True, is_shell=True) for solid in around]


def _facade(rng: Rng, wall: Material, width: Number, height: Number, n_storeys: int, n_windows: int) -> list[Solid]:
    """A front along x that faces -y at y = 0, with windows, a door, mouldings, and battlements or a roof."""
    w = width / 2
    trim = material(
        rng,
        Pattern.MARBLE,
        0.5,
        colors=((0.84, 0.8, 0.72), (0.7, 0.66, 0.58), (0.55, 0.5, 0.44)),
        grain_size=0.2,
        speckles=0.2,
    )
    solids = [box((-w, w), (0, 2.5), (0, height), wall), box((-w, w), (-0.12, 0), (0, 0.5), trim)]
    storey = height / n_storeys
    for z in (k * storey for k in range(1, n_storeys + 1)):
        solids += [box((-w - 0.05, w + 0.05), (-0.14, 0), (z - 0.14, z), trim)]
    door = int(rng.integers(n_windows))
    for level in range(n_storeys):
        for column in range(n_windows):
            x = (2 * column + 1 - n_windows) / n_windows * w
            if level == 0 and column == door:
                solids += _door(rng, trim, x)
            else:
                solids += _window(rng, trim, x, level * storey + 0.3 * storey, 0.36 * width / n_windows, 0.5 * storey)
    if rng.random() < 0.5:
        n = int(width / 0.9)
        for k in range(n):
            x = (2 * k + 1 - n) / n * w
            solids.append(box((x - 0.26, x + 0.26), (-0.1, 0.4), (height, height + 0.6), wall))
        return [*solids, *_banner(rng, w * float(rng.uniform(-0.7, 0.7)), height)]
    tiles = material(
        rng, Pattern.BRICKS, 0.2, colors=((0.55, 0.26, 0.18), (0.42, 0.2, 0.15), (0.25, 0.14, 0.11)), grain_size=0.15
    )
    ridge = box((-w - 0.2, w + 0.2), (-1.0, 1.0), (-1.0, 1.0), tiles)
    solids += placed((turned(ridge, 0, math.pi / 4),), (0, 1.25, height))
    for k in range(3):
        x = w * (0.6 * k - 0.55)
        solids.append(box((x - 0.2, x + 0.2), (0.5, 0.9), (height, height + 1.7), stone(rng, 0.12)))
    return [*solids, *_banner(rng, w * float(rng.uniform(-0.7, 0.7)), height)]


def _window(rng: Rng, trim: Material, x: Number, z: Number, width: Number, height: Number) -> list[Solid]:
    w = width / 2
    glass = material(rng, Pattern.CLOUDY, 0.4, colors=_GLASS, grain_size=0.15, gloss=0.3)
    solids = [box((x - w, x + w), (-0.02, 0), (z, z + height), glass)]
    sides = (x - w - 0.05, x + w + 0.05)
    solids += [box((u - 0.06, u + 0.06), (-0.1, 0), (z, z + height), trim) for u in sides]
    ledges = ((z, 0.2), (z + height, 0.12))
    solids += [box((x - w - 0.16, x + w + 0.16), (-out, 0), (v - 0.06, v + 0.06), trim) for v, out in ledges]
    bar = material(rng, Pattern.CLOUDY, 0.1, colors=((0.9, 0.88, 0.84), (0.8, 0.78, 0.74), (0.7, 0.7, 0.7)))
    solids.append(box((x - 0.02, x + 0.02), (-0.05, 0), (z, z + height), bar))
    solids += [
        box((x - w, x + w), (-0.05, 0), (z + t * height - 0.02, z + t * height + 0.02), bar) for t in (0.35, 0.68)
    ]
    return solids


def _door(rng: Rng, trim: Material, x: Number) -> list[Solid]:
    solids = [box((x - 0.6, x + 0.6), (-0.06, 0), (0, 2.1), wood(rng, 0.16))]
    solids += [post((u, -0.12, 0), 0.13, 2.1, trim) for u in (x - 0.7, x + 0.7)]
    gable = box((-0.62, 0.62), (-0.16, 0.0), (-0.62, 0.62), trim)
    solids.append(placed((turned(gable, 1, math.pi / 4),), (x, 0, 1.75))[0])
    solids.append(box((x - 0.62, x + 0.62), (-0.17, -0.05), (0.9, 2.05), wood(rng, 0.2)))
    solids += [
        box((x - 1.0 + 0.2 * k, x + 1.0 - 0.2 * k), (-0.9 + 0.2 * k, 0), (0, 0.1 * (k + 1)), trim) for k in range(3)
    ]
    return solids


def _banner(rng: Rng, x: Number, height: Number) -> list[Solid]:
    cloth = material(rng, (Pattern.CHECKER, Pattern.STRIPES, Pattern.TARTAN), 0.3, grain_size=0.2)
    return [
        box((x - 0.4, x + 0.4), (-0.32, -0.30), (0.45 * height, 0.9 * height), cloth),
        rod((x - 0.5, -0.31, 0.9 * height), (x + 0.5, -0.31, 0.9 * height), 0.03, wood(rng, 0.1)),
    ]


def _tower(rng: Rng, radius: Number, height: Number) -> list[Solid]:
    wall, roof = stone(rng, 0.2), material(rng, (Pattern.BRICKS, Pattern.CHECKER), 0.22, grain_size=0.2)
    glass = material(rng, Pattern.CLOUDY, 0.3, colors=_GLASS, gloss=0.3)
    trim = material(rng, Pattern.MARBLE, 0.4, colors=((0.84, 0.8, 0.72), (0.7, 0.66, 0.58), (0.55, 0.5, 0.44)))
    solids = [
        post((0, 0, 0), radius, height, wall, top=0.96),
        post((0, 0, height), 1.12 * radius, 0.5, trim, top=1.08),
        post((0, 0, height + 0.5), 1.25 * radius, 1.9 * radius, roof, top=0.0),
        rod((0, 0, height + 2.2 * radius), (0, 0, height + 2.9 * radius), 0.03, trim),
    ]
    for k in range(4):
        angle = -math.pi / 2 + 0.9 * (k - 1.5)
        z = height * (0.3 + 0.16 * k)
        slit = [box((-0.14, 0.14), (-1.03 * radius, -0.8 * radius), (z, z + 0.9), glass)]
        slit += [box((-0.2, 0.2), (-1.06 * radius, -0.8 * radius), (z + t, z + t + 0.1), trim) for t in (-0.1, 0.9)]
        solids += placed(slit, (0, 0, 0), angle + math.pi / 2)
    return solids


def _fountain(rng: Rng) -> list[Solid]:
    rim, bowl = stone(rng, 0.1), material(rng, Pattern.MARBLE, 0.25, grain_size=0.1)
    water = material(
        rng, Pattern.CLOUDY, 0.2, colors=((0.16, 0.3, 0.36), (0.3, 0.46, 0.5), (0.6, 0.72, 0.74)), gloss=0.5
    )
    return [
        post((0, 0, 0), 0.95, 0.42, rim),
        ring((0, 0, 0.42), 0.9, 0.1, bowl),
        post((0, 0, 0.42), 0.85, 0.02, water),
        post((0, 0, 0.4), 0.14, 0.85, bowl, top=0.7),
        post((0, 0, 1.15), 0.2, 0.16, bowl, top=2.4),
        post((0, 0, 1.3), 0.05, 0.4, bowl),
        ball((0, 0, 1.75), 0.13, material(rng, Pattern.CHECKER, 0.06)),
    ]


def _trunk_and_crown(rng: Rng, height: Number, n_leaves: int) -> list[Solid]:
    bark = material(
        rng, Pattern.MARBLE, 0.15, colors=((0.42, 0.3, 0.2), (0.28, 0.2, 0.14), (0.55, 0.45, 0.34)), grain=0.5
    )
    tub = material(rng, (Pattern.BRICKS, Pattern.MOSAIC), 0.1)
    solids = [
        post((0, 0, 0), 0.35, 0.45, tub, top=1.2),
        rod((0, 0, 0.4), (0.04, 0.03, 0.45 * height), 0.09, bark, top=0.7),
    ]
    return [*solids, *things.bush(rng, (0.04, 0.03, 0.36 * height), 0.66 * height, 0.36 * height, n_leaves, 0.17)]


def _crates(rng: Rng) -> list[Solid]:
    solids: list[Solid] = []
    for x, y, z, s in ((0, 0, 0, 0.6), (0.66, 0.1, 0, 0.5), (0.1, 0.02, 0.6, 0.42)):
        look = paper(rng, 0.07) if rng.random() < 0.5 else wood(rng, 0.1)
        crate = [box((-s / 2, s / 2), (-s / 2, s / 2), (0, s), look)]
        edge = wood(rng, 0.05)
        for u in (-s / 2, s / 2):
            crate += [box((u - 0.03, u + 0.03), (v - 0.03, v + 0.03), (0, s + 0.01), edge) for v in (-s / 2, s / 2)]
        solids += placed(crate, (x, y, z), float(rng.uniform(-0.3, 0.3)))
    staves = material(
        rng, Pattern.STRIPES, 0.09, colors=((0.5, 0.34, 0.2), (0.4, 0.26, 0.15), (0.3, 0.2, 0.12)), grain_size=0.1
    )
    iron = material(rng, Pattern.CLOUDY, 0.1, colors=((0.3, 0.3, 0.32), (0.2, 0.2, 0.22), (0.4, 0.36, 0.34)))
    barrel = [
        Solid(Kind.CONE, (0, 0, 0.2), (0.25, 0.25, 0.2), staves, shape=1.2),
        post((0, 0, 0.4), 0.3, 0.4, staves, top=1 / 1.2),
    ]
    barrel += [ring((0, 0, z), r, 0.014, iron) for z, r in ((0.12, 0.266), (0.4, 0.3), (0.68, 0.266))]
    return [*solids, *placed(barrel, (-0.75, 0.2, 0))]


def _lamp_post(rng: Rng) -> list[Solid]:
    iron = material(
        rng, Pattern.STRIPES, 0.12, colors=((0.16, 0.2, 0.18), (0.24, 0.3, 0.27), (0.5, 0.42, 0.2)), gloss=0.3
    )
    lamp = material(rng, Pattern.CHECKER, 0.08, colors=((0.95, 0.9, 0.7), (0.3, 0.28, 0.2), (0.9, 0.8, 0.5)))
    return [
        post((0, 0, 0), 0.14, 0.3, iron, top=0.5),
        post((0, 0, 0.3), 0.04, 2.1, iron, top=0.7),
        rod((-0.3, 0, 2.2), (0.3, 0, 2.2), 0.018, iron),
        post((0, 0, 2.38), 0.1, 0.3, lamp, top=1.4),
        post((0, 0, 2.68), 0.18, 0.16, iron, top=0.1),
        ball((-0.3, 0, 2.2), 0.05, iron),
        ball((0.3, 0, 2.2), 0.05, iron),
    ]
