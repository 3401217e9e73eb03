"""Solids as the arrays that rays are cast against, with a tree of boxes above them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .casting import Floats, Ints, Solids
from .solids import Rgb, Solid
from .textures import Materials

_LEAF = 2
"""Solids of a leaf of the tree that are not worth a box of their own."""


def gather(solids: Sequence[Solid]) -> tuple[Solids, Materials]:
    """Arrays of solids, the shell first, then in the order of the tree's leaves."""
    shell = [solid for solid in solids if solid.is_shell]
    before = [solid for solid in solids if not solid.is_shell]
    bounds = np.array([solid.bounds() for solid in before]).reshape(-1, 2, 3)
    order, lower, upper, first, count = _tree(bounds[:, 0], bounds[:, 1])
    rows = [*shell, *(before[i] for i in order)]
    half = np.array([solid.half for solid in rows], np.float64).reshape(-1, 3)
    rotation = np.array([solid.rotation for solid in rows], np.float64).reshape(-1, 3, 3)
    gathered = Solids(
        np.array([int(solid.kind) for solid in rows], np.int64),
        np.ascontiguousarray(rotation.transpose(0, 2, 1) / half[:, :, None]),
        np.array([solid.center for solid in rows], np.float64).reshape(-1, 3),
        np.array([solid.shape for solid in rows], np.float64),
        len(shell),
        lower,
        upper,
        np.where(count > 0, first + len(shell), first),
        count,
    )
    looks = [solid.material for solid in rows]
    numbers = [(m.scale, m.grain, m.grain_size, m.speckles, m.gloss) for m in looks]
    return gathered, Materials(
        np.array([int(m.pattern) for m in looks], np.int64),
        linear(np.array([m.colors for m in looks], np.float64).reshape(-1, 3, 3)),
        np.array(numbers, np.float64).reshape(-1, 5),
        np.array([m.seed % 1_000_003 for m in looks], np.int64),
        half,
    )


def linear(colors: Floats | Rgb) -> Floats:
    """Light of colours that screens show (sRGB), any shape, 0..1."""
    shown = np.asarray(colors, np.float64)
    return np.where(shown <= 0.04045, shown / 12.92, ((np.maximum(shown, 0.04045) + 0.055) / 1.055) ** 2.4)


def _tree(low: Floats, high: Floats) -> tuple[list[int], Floats, Floats, Ints, Ints]:
    """Order of the solids, and boxes: each is split where the surfaces of the halves, times their solids, are least."""
    if len(low) == 0:
        empty = np.zeros(0, np.int64)
        return [], np.zeros((0, 3)), np.zeros((0, 3)), empty, empty
    order: list[int] = []
    nodes: list[tuple[Floats, Floats, int, int]] = []
    waiting: list[tuple[int, Ints]] = [(0, np.arange(len(low)))]
    nodes.append((low.min(0), high.max(0), 0, 0))
    while waiting:
        node, rows = waiting.pop()
        box = (low[rows].min(0), high[rows].max(0))
        halves = _halves(low[rows], high[rows]) if len(rows) > _LEAF else None
        if halves is None:
            nodes[node] = (*box, len(order), len(rows))
            order += rows.tolist()
            continue
        nodes[node] = (*box, len(nodes), 0)
        for half in halves:
            waiting.append((len(nodes), rows[half]))
            nodes.append((*box, 0, 0))
    return (
        order,
        np.array([node[0] for node in nodes]) - 1e-9,
        np.array([node[1] for node in nodes]) + 1e-9,
        np.array([node[2] for node in nodes], np.int64),
        np.array([node[3] for node in nodes], np.int64),
    )


def _halves(low: Floats, high: Floats) -> tuple[Ints, Ints]:
    best, chosen = np.inf, None
    for axis in range(3):
        ranked = np.argsort(low[:, axis] + high[:, axis], kind="stable")
        ahead = _surfaces(low[ranked], high[ranked])[:-1]
        behind = _surfaces(low[ranked[::-1]], high[ranked[::-1]])[::-1][1:]
        n_ahead = np.arange(1, len(ranked))
        cost = ahead * n_ahead + behind * (len(ranked) - n_ahead)
        cut = int(cost.argmin())
        if chosen is None or cost[cut] < best:
            best, chosen = float(cost[cut]), (ranked[: cut + 1], ranked[cut + 1 :])
    assert chosen is not None
    return chosen


def _surfaces(low: Floats, high: Floats) -> Floats:
    """Half surface of the box around the first 1, 2, ... of some boxes."""
    x, y, z = (np.maximum.accumulate(high) - np.minimum.accumulate(low)).T
    return x * y + y * z + z * x
