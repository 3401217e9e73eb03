"""Things to put on a table or a plinth. Each stands at the origin on z = 0, about 10 to 30 cm high."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .composition import BRIGHT, Rng, foliage, material, palette, paper, wood
from .solids import Material, Number, Pattern, Solid, Vec, ball, box, leaf, placed, post, ring, rod, turned

Solids = tuple[Solid, ...]


def globe(rng: Rng) -> Solids:
    """A patterned ball in a ring stand."""
    r = float(rng.uniform(0.07, 0.11))
    stand = wood(rng, 0.02)
    tilt = turned(ball((0, 0, r + 0.05), r, material(rng, BRIGHT, 0.03, gloss=0.25)), 0, float(rng.uniform(0.1, 0.6)))
    frame = turned(ring((0, 0, r + 0.05), r + 0.012, 0.006, stand), 0, math.pi / 2)
    return (tilt, frame, post((0, 0, 0), 0.055, 0.02, stand, top=0.7), post((0, 0, 0.015), 0.012, 0.04, stand))


def mug(rng: Rng) -> Solids:
    """A cup with a handle, on a saucer."""
    r, h = float(rng.uniform(0.036, 0.046)), float(rng.uniform(0.08, 0.11))
    look = material(rng, (Pattern.STRIPES, Pattern.DOTS, Pattern.CHECKER, Pattern.MARBLE), 0.017, gloss=0.2)
    saucer = material(rng, Pattern.MOSAIC, 0.016, gloss=0.1)
    handle = turned(ring((0, r + 0.008, h * 0.53), 0.026, 0.006, look), 1, math.pi / 2)
    return (
        post((0, 0, 0), r * 1.15, 0.01, saucer, top=1.55),
        post((0, 0, 0.01), r, h, look, open=True, top=1.1),
        post((0, 0, 0.01), r, 0.008, look),
        post((0, 0, 0.01), r * 0.98, h * 0.8, replace(look, pattern=Pattern.CLOUDY, scale=0.03), top=1.07),
        handle,
    )


def books(rng: Rng) -> Solids:
    """A stack of books, each turned a little."""
    stack: list[Solid] = []
    z = 0.0
    for _ in range(int(rng.integers(2, 5))):
        w, d, h = (float(v) for v in rng.uniform((0.11, 0.15, 0.018), (0.15, 0.21, 0.04)))
        patterns = (Pattern.GLYPHS, Pattern.TARTAN, Pattern.PAINTING, Pattern.STRIPES, Pattern.MARBLE)
        cover = material(rng, patterns, 0.016, grain=0.2, grain_size=0.03)
        page = ((0.94, 0.91, 0.82), (0.86, 0.80, 0.68), (0.78, 0.72, 0.60))
        pages = replace(material(rng, Pattern.STRIPES, 0.004, colors=page, grain=0.25, grain_size=0.02), scale=0.01)
        volume = (
            box((-w, w), (-d, d), (0, 0.004), cover),
            box((-w, w), (-d, d), (h - 0.004, h), cover),
            box((-w, -w + 0.005), (-d, d), (0.004, h - 0.004), cover),
            box((-w + 0.005, w - 0.006), (-d + 0.006, d - 0.006), (0.004, h - 0.004), pages),
        )
        halved = placed(volume, (0, 0, 0), scale=0.62)
        stack += placed(halved, (*rng.uniform(-0.01, 0.01, 2).tolist(), z), float(rng.uniform(-0.35, 0.35)))
        z += 0.62 * h
    return tuple(stack)


def plant(rng: Rng, n_leaves: int = 90, height: Number = 0.26) -> Solids:
    """A pot with thin stems and many leaves."""
    r = 0.05
    pot = material(rng, (Pattern.BRICKS, Pattern.MOSAIC, Pattern.STRIPES, Pattern.CHECKER), 0.018, grain_size=0.02)
    earth = material(rng, Pattern.CLOUDY, 0.012, colors=((0.22, 0.15, 0.1), (0.32, 0.23, 0.16), (0.1, 0.07, 0.05)))
    solids = [
        post((0, 0, 0), r, 0.085, pot, top=1.3),
        post((0, 0, 0.08), r * 1.38, 0.014, pot),
        post((0, 0, 0.0941), r * 1.25, 0.001, earth),
    ]
    return (*solids, *bush(rng, (0, 0, 0.09), height, 0.6 * height, n_leaves))


def bush(rng: Rng, foot: Vec, height: Number, spread: Number, n_leaves: int, leaf_size: Number = 0.21) -> Solids:
    """Stems from a foot, and leaves along them, whose length is about ``leaf_size`` of the height."""
    stem = material(rng, Pattern.CLOUDY, 0.02, colors=((0.30, 0.36, 0.16), (0.40, 0.30, 0.18), (0.24, 0.2, 0.12)))
    looks = [foliage(rng, 0.5 * leaf_size * height) for _ in range(4)]
    solids: list[Solid] = []
    n_stems = max(3, n_leaves // 14)
    per_stem = -(-n_leaves // n_stems)
    base = np.array(foot)
    for s in range(n_stems):
        angle = 2 * math.pi * (s + float(rng.uniform(0, 0.7))) / n_stems
        out = spread * float(rng.uniform(0.25, 1.0))
        tip = base + np.array([out * math.cos(angle), out * math.sin(angle), height * float(rng.uniform(0.6, 1.0))])
        knee = base + (tip - base) * np.array([0.35, 0.35, 0.6])
        solids.append(rod(_vec(base), _vec(knee), 0.013 * height, stem))
        solids.append(rod(_vec(knee), _vec(tip), 0.009 * height, stem))
        for k in range(min(per_stem, n_leaves - s * per_stem)):
            t = (k + 1.5) / (per_stem + 1)
            at = base + (knee - base) * 2 * t if t < 0.5 else knee + (tip - knee) * (2 * t - 1)
            turn = angle + 2.4 * k + float(rng.uniform(-0.4, 0.4))
            length = height * leaf_size * float(rng.uniform(0.75, 1.25))
            way = np.array([math.cos(turn), math.sin(turn), float(rng.uniform(-0.15, 0.7))])
            end = at + way * (length / float(np.sqrt((way**2).sum())))
            look = looks[int(rng.integers(4))]
            solids.append(leaf(_vec(at), _vec(end), 0.45 * length, float(rng.uniform(-1.2, 1.2)), look))
    return tuple(solids)


def bottle(rng: Rng) -> Solids:
    """A bottle with a printed label."""
    r, h = float(rng.uniform(0.03, 0.042)), float(rng.uniform(0.14, 0.2))
    glass = material(rng, Pattern.MARBLE, 0.05, grain=0.2, grain_size=0.03, gloss=0.5)
    return (
        post((0, 0, 0), r, h, glass),
        post((0, 0, h), r, 0.04, glass, top=0.36),
        post((0, 0, h + 0.035), r * 0.36, 0.06, glass),
        post((0, 0, h + 0.085), r * 0.42, 0.02, material(rng, Pattern.STRIPES, 0.004, gloss=0.1)),
        post((0, 0, h * 0.2), r * 1.015, h * 0.6, paper(rng, 0.008)),
    )


def blocks(rng: Rng) -> Solids:
    """Toy blocks with large letters."""
    solids: list[Solid] = []
    s = 0.05
    places = ((-0.5, -0.5, 0), (0.56, -0.4, 0), (0.0, 0.55, 0), (0.05, -0.45, 1), (0.08, 0.05, 2))
    for x, y, z in places[: int(rng.integers(3, 6))]:
        look = material(rng, (Pattern.GLYPHS, Pattern.GLYPHS, Pattern.CHECKER, Pattern.DOTS), 0.024, grain_size=0.015)
        cube = box((-s / 2, s / 2), (-s / 2, s / 2), (0, s), look)
        solids += placed((cube,), (s * x * 1.1, s * y * 1.1, s * z), float(rng.uniform(-0.5, 0.5)))
    return tuple(solids)


def fruit(rng: Rng) -> Solids:
    """A bowl of fruit."""
    bowl = material(rng, (Pattern.MOSAIC, Pattern.CHECKER, Pattern.TARTAN), 0.02, gloss=0.15)
    solids = [post((0, 0, 0), 0.045, 0.055, bowl, top=1.9, open=True), post((0, 0, 0), 0.047, 0.012, bowl)]
    hues = (
        ((0.8, 0.2, 0.12), (0.9, 0.6, 0.2)),
        ((0.95, 0.6, 0.1), (0.9, 0.45, 0.1)),
        ((0.5, 0.7, 0.2), (0.8, 0.8, 0.3)),
    )
    for k in range(6):
        first, second = hues[int(rng.integers(len(hues)))]
        skin = material(
            rng,
            Pattern.CLOUDY,
            0.04,
            colors=(first, second, first),
            grain=0.25,
            grain_size=0.012,
            speckles=0.35,
            gloss=0.15,
        )
        r = float(rng.uniform(0.026, 0.034))
        angle = 2 * math.pi * k / 5
        at = (0.047 * math.cos(angle), 0.047 * math.sin(angle), 0.052) if k < 5 else (0.0, 0.0, 0.085)
        solids.append(turned(ball(at, (r, r, r * float(rng.uniform(0.85, 1.2))), skin), 0, float(rng.uniform(0, 3))))
    return tuple(solids)


def pencils(rng: Rng) -> Solids:
    """A pot of thin rods."""
    solids = [
        post((0, 0, 0), 0.036, 0.09, material(rng, BRIGHT, 0.018), open=True),
        post((0, 0, 0), 0.036, 0.006, wood(rng)),
    ]
    for k in range(9):
        angle, lean = 2 * math.pi * k / 9, float(rng.uniform(0.4, 1.5))
        x, y = 0.02 * math.cos(angle), 0.02 * math.sin(angle)
        top = (x * (1 + lean), y * (1 + lean), float(rng.uniform(0.14, 0.19)))
        shaft = material(rng, Pattern.STRIPES, 0.012, grain_size=0.01)
        solids.append(rod((x * 0.6, y * 0.6, 0.006), top, 0.0032, shaft))
        way = np.array(top) - np.array((x * 0.6, y * 0.6, 0.006))
        tip = np.array(top) + 0.014 * way / math.sqrt(float((way**2).sum()))
        solids.append(rod(top, _vec(tip), 0.0032, wood(rng, 0.004), top=0.1))
    return tuple(solids)


def rings(rng: Rng) -> Solids:
    """Rings of falling size on a pole."""
    solids = [post((0, 0, 0), 0.075, 0.012, wood(rng, 0.03)), post((0, 0, 0), 0.010, 0.16, wood(rng, 0.02), top=0.7)]
    z = 0.012
    for radius in (0.052, 0.045, 0.038, 0.031, 0.025):
        tube = 0.30 * radius + 0.002
        look = material(rng, BRIGHT, 0.018, grain_size=0.02, gloss=0.12)
        solids.append(ring((0, 0, z + tube), radius, tube, look))
        z += 1.9 * tube
    return tuple(solids)


def house(rng: Rng) -> Solids:
    """A model house with a round tower."""
    wall = material(
        rng, Pattern.BRICKS, 0.011, colors=((0.72, 0.42, 0.3), (0.62, 0.32, 0.22), (0.8, 0.76, 0.7)), grain_size=0.012
    )
    roof = material(
        rng, Pattern.CHECKER, 0.012, colors=((0.36, 0.22, 0.2), (0.46, 0.28, 0.24), (0.25, 0.2, 0.2)), grain_size=0.02
    )
    dark = material(
        rng, Pattern.CLOUDY, 0.01, colors=((0.12, 0.14, 0.2), (0.2, 0.24, 0.32), (0.3, 0.34, 0.4)), gloss=0.3
    )
    frame = material(rng, Pattern.CLOUDY, 0.01, colors=((0.95, 0.93, 0.88), (0.85, 0.8, 0.7), (0.9, 0.9, 0.9)))
    solids = [box((-0.06, 0.06), (-0.045, 0.045), (0, 0.08), wall)]
    ridge = box((-0.065, 0.065), (-0.036, 0.036), (-0.036, 0.036), roof)
    solids += placed((turned(ridge, 0, math.pi / 4),), (0, 0, 0.08))
    for x in (-0.04, -0.005, 0.035):
        for z in (0.012, 0.048):  # windows that go through the house, and show on both fronts
            solids.append(box((x - 0.009, x + 0.009), (-0.0475, 0.0475), (z, z + 0.022), frame))
            solids.append(box((x - 0.007, x + 0.007), (-0.0485, 0.0485), (z + 0.002, z + 0.02), dark))
    tower = material(rng, Pattern.BRICKS, 0.011, colors=wall.colors, grain_size=0.012)
    solids += [post((0.066, 0.03, 0), 0.024, 0.14, tower), post((0.066, 0.03, 0.14), 0.03, 0.05, roof, top=0.0)]
    solids.append(post((-0.035, 0.012, 0.1), 0.008, 0.045, wall))
    return tuple(solids)


def toy(rng: Rng) -> Solids:
    """A stuffed animal."""
    fur = material(rng, Pattern.CLOUDY, 0.03, grain=0.5, grain_size=0.012, speckles=0.3)
    other = material(rng, (Pattern.DOTS, Pattern.TARTAN, Pattern.STRIPES), 0.014, grain_size=0.012)
    eye = Material(Pattern.CLOUDY, ((0.05, 0.05, 0.06), (0.1, 0.1, 0.1), (0.02, 0.02, 0.02)), 0.01, gloss=0.6)
    solids = [ball((0, 0, 0.062), (0.052, 0.046, 0.06), other), ball((0, -0.012, 0.148), (0.042, 0.04, 0.038), fur)]
    for s in (-1, 1):
        solids += [
            ball((s * 0.034, 0, 0.182), (0.016, 0.009, 0.018), fur),
            ball((s * 0.056, -0.02, 0.085), (0.016, 0.034, 0.018), fur),
            ball((s * 0.032, -0.05, 0.02), (0.02, 0.038, 0.02), fur),
            ball((s * 0.016, -0.047, 0.158), 0.006, eye),
        ]
    return (*solids, ball((0, -0.052, 0.138), (0.014, 0.012, 0.01), replace(other, colors=palette(rng))))


def _vec(values: np.ndarray) -> Vec:
    x, y, z = values.tolist()
    return (x, y, z)


ALL = (globe, mug, books, plant, bottle, blocks, fruit, pencils, rings, house, toy)
"""Every thing, as a function of a generator of random numbers."""
