"""One built-up thing on a plinth: a scene for cameras all around it."""

from __future__ import annotations

import math
from dataclasses import replace

from . import things
from .composition import BRIGHT, Composition, Rng, material, stone, wood
from .lighting import Light
from .solids import Number, Pattern, Solid, Vec, ball, box, placed, post, ring, rod, turned

_PLINTH = 0.10


def compose(rng: Rng) -> Composition:
    """A machine, a mill or a small tree, with things around it."""
    build = (_machine, _mill, _tree)[int(rng.integers(3))]
    solids = [*_plinth(rng), *placed(build(rng), (0, 0, _PLINTH), float(rng.uniform(0, 6.28)))]
    spare = [things.blocks, things.rings, things.books, things.globe, things.fruit, things.toy]
    n = int(rng.integers(3, 5))
    for k, number in enumerate(rng.permutation(len(spare))[:n].tolist()):
        angle = 2 * math.pi * (k + float(rng.uniform(0, 0.4))) / n
        at = (0.3 * math.cos(angle), 0.3 * math.sin(angle), _PLINTH)
        solids += placed(spare[number](rng), at, float(rng.uniform(0, 6.28)))
    floor = box((-6, 6), (-6, 6), (-0.1, 0), stone(rng, 0.12, Pattern.MOSAIC))
    sky = material(rng, Pattern.SKY, 4.0, colors=((0.45, 0.62, 0.85), (0.97, 0.97, 0.97), (0.8, 0.85, 0.9)))
    dome = ball((0, 0, 0), (30.0, 30.0, 20.0), sky)
    behind = [replace(s, is_backdrop=True, is_shell=True) for s in (floor, dome)]
    light = Light((0.5, -0.55, 1.2), corner_size=0.16)
    return Composition(
        (*behind, *solids), light, (0.0, 0.0, 0.32), 0.6, 1.45, float(rng.uniform(-math.pi, math.pi)), 0.4
    )


def _plinth(rng: Rng) -> list[Solid]:
    return [
        post((0, 0, 0), 0.44, 0.05, stone(rng, 0.025), top=0.97),
        post(
            (0, 0, 0.05), 0.41, _PLINTH - 0.05, material(rng, (Pattern.MOSAIC, Pattern.CHECKER), 0.045, grain_size=0.03)
        ),
    ]


def _machine(rng: Rng) -> list[Solid]:
    """Bricks with studs, wheels, pipes and aerials."""
    solids: list[Solid] = []
    z, half = 0.0, 0.15
    for _ in range(4):
        h = float(rng.uniform(0.07, 0.13))
        look = material(rng, BRIGHT + (Pattern.GLYPHS, Pattern.BRICKS), 0.035, grain_size=0.025, gloss=0.12)
        w, d = half, half * float(rng.uniform(0.75, 1.0))
        layer: list[Solid] = [box((-w, w), (-d, d), (z, z + h), look)]
        studs = material(rng, Pattern.CLOUDY, 0.02, grain_size=0.012, gloss=0.15)
        n = max(2, round(w / 0.035))
        for i in range(n):
            for j in range(n):
                x, y = (2 * i + 1 - n) / n * w, (2 * j + 1 - n) / n * d
                layer.append(post((x, y, z + h), 0.3 * 2 * w / n, 0.012, studs))
        solids += placed(layer, (0, 0, 0), float(rng.uniform(-0.3, 0.3)))
        z, half = z + h, half * float(rng.uniform(0.72, 0.88))
    wheel = material(rng, (Pattern.STRIPES, Pattern.CHECKER), 0.02, grain_size=0.012)
    for side in (-1, 1):
        for x in (-0.09, 0.09):
            solids.append(turned(ring((x, side * 0.165, 0.062), 0.045, 0.017, wheel), 0, math.pi / 2))
            solids.append(rod((x, side * 0.15, 0.062), (x, side * 0.178, 0.062), 0.03, wood(rng, 0.02)))
    pipe = material(rng, Pattern.STRIPES, 0.02, gloss=0.3)
    for k in range(6):
        angle = math.pi * k / 3
        x, y = 0.16 * math.cos(angle), 0.16 * math.sin(angle)
        solids += [rod((x, y, 0.0), (0.4 * x, 0.4 * y, z), 0.006, pipe), ball((0.4 * x, 0.4 * y, z), 0.013, pipe)]
    head = material(rng, BRIGHT, 0.025, gloss=0.2)
    solids += [ball((0, 0, z + 0.06), 0.055, head), ring((0, 0, z + 0.06), 0.072, 0.007, pipe)]
    return [*solids, rod((0, 0, z + 0.1), (0.02, 0.01, z + 0.22), 0.003, pipe)]


def _mill(rng: Rng) -> list[Solid]:
    """A windmill: a tapered tower of bricks with sails of thin laths, a gallery and a fence."""
    lath, dark = wood(rng, 0.02), material(rng, Pattern.STRIPES, 0.012)
    roof = material(rng, Pattern.CHECKER, 0.02, grain_size=0.02)
    solids = [
        post((0, 0, 0), 0.15, 0.36, stone(rng, 0.024), top=0.6),
        post((0, 0, 0.36), 0.105, 0.09, roof, top=0.15),
        post((0, 0, 0.14), 0.18, 0.012, lath),
        rod((0, -0.05, 0.375), (0, -0.15, 0.385), 0.014, lath),
        box((-0.03, 0.03), (-0.152, -0.13), (0.0, 0.085), wood(rng, 0.015)),
    ]
    for k in range(20):
        angle = math.pi * k / 10
        x, y = math.cos(angle), math.sin(angle)
        solids.append(rod((0.172 * x, 0.172 * y, 0.152), (0.172 * x, 0.172 * y, 0.192), 0.003, lath))
        solids.append(box((0.24 * x - 0.006, 0.24 * x + 0.006), (0.24 * y - 0.006, 0.24 * y + 0.006), (0, 0.05), dark))
    solids += [ring((0, 0, 0.192), 0.172, 0.0035, lath), ring((0, 0, 0.035), 0.24, 0.004, dark)]
    turn = float(rng.uniform(0.2, 1.3))
    for k in range(4):
        sail: list[Solid] = [rod((0, 0, 0), (0, 0, 0.27), 0.005, lath)]
        for j in range(9):
            z = 0.06 + 0.025 * j
            sail.append(rod((0, 0, z), (0.07, 0, z), 0.0022, lath))
        sail += [rod((x, 0, 0.06), (x, 0, 0.26), 0.0022, lath) for x in (0.035, 0.07)]
        sail.append(box((0.002, 0.036), (0.002, 0.004), (0.062, 0.258), dark))
        solids += [_about_y(solid, turn + k * math.pi / 2, (0, -0.148, 0.385)) for solid in sail]
    for k in range(5):
        angle = 1.2 * k
        x, y = 0.128 * math.cos(angle), 0.128 * math.sin(angle)
        solids.append(
            ball((x, y, 0.1 + 0.05 * k), (0.022, 0.022, 0.026), material(rng, Pattern.CHECKER, 0.01, gloss=0.2))
        )
    return solids


def _about_y(solid: Solid, angle: Number, at: Vec) -> Solid:
    """A solid turned about the y axis, then moved."""
    x, y, z = solid.center
    cos, sin = math.cos(angle), math.sin(angle)
    rows = solid.rotation
    first = tuple(cos * a + sin * c for a, c in zip(rows[0], rows[2], strict=True))
    third = tuple(cos * c - sin * a for a, c in zip(rows[0], rows[2], strict=True))
    center = (cos * x + sin * z + at[0], y + at[1], cos * z - sin * x + at[2])
    turned_rows = (first, rows[1], third)
    return Solid(solid.kind, center, solid.half, solid.material, turned_rows, solid.shape)  # type: ignore[arg-type]


def _tree(rng: Rng) -> list[Solid]:
    """A small tree in a box, with a bent trunk."""
    bark = material(
        rng,
        Pattern.MARBLE,
        0.03,
        colors=((0.42, 0.3, 0.2), (0.28, 0.2, 0.14), (0.55, 0.45, 0.34)),
        grain=0.5,
        grain_size=0.02,
    )
    box_look = material(rng, BRIGHT, 0.03, grain_size=0.02)
    solids: list[Solid] = [box((-0.13, 0.13), (-0.1, 0.1), (0, 0.09), box_look)]
    moss = material(rng, Pattern.CLOUDY, 0.02, colors=((0.2, 0.3, 0.1), (0.3, 0.26, 0.14), (0.4, 0.46, 0.2)), grain=0.5)
    solids.append(ball((0, 0, 0.08), (0.115, 0.09, 0.03), moss))
    knots = [(0.0, 0.0, 0.08), (0.05, 0.02, 0.18), (0.0, 0.04, 0.27), (0.03, 0.0, 0.34)]
    for k in range(3):
        solids.append(rod(knots[k], knots[k + 1], 0.034 - 0.008 * k, bark, top=0.75))
        solids.append(ball(knots[k + 1], 0.0285 - 0.007 * k, bark))
    for foot in ((0.05, 0.02, 0.17), (0.0, 0.04, 0.25), (0.03, 0.0, 0.33)):
        solids += things.bush(rng, foot, float(rng.uniform(0.2, 0.27)), 0.24, 95)
    return solids
