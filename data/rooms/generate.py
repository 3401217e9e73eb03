"""Rooms from seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from ...core.random import numpy_rng
from ..point_cloud import PointCloud
from ..referral import Referral
from ..scene import Scene, SceneObject
from .furnishing import furnish_room, shell
from .layout import Room
from .relations import Claim, Thing
from .scan_variety import vary_colors, vary_scan
from .scanning import RoomScan, ScanConfig, scan_room
from .sentences import SayingConfig, describe
from .variants import keywords_of, mistyped


@dataclass(frozen=True)
class RoomConfig:
    """How rooms are made.

    ``split`` "train" leaves out the held-out shapes and sentence templates; "eval" uses both kinds, half of each.
    """

    split: Literal["train", "eval"] = "train"
    n_sentences: int = 36
    """Sentences a room, at most."""
    scan: ScanConfig = field(default_factory=ScanConfig)
    vary_words: bool = False
    """Leave typing errors in a tenth of the sentences, and keywords alone of as many."""
    vary_scan: bool = False
    """Scan and light half of the rooms otherwise than ``scan`` says (see :mod:`~.scan_variety`)."""


@dataclass(frozen=True, eq=False)
class DescribedRoom:
    """A scene, and the things and claims behind its sentences (in the order of ``scene.referrals``)."""

    scene: Scene
    things: tuple[Thing, ...]
    claims: tuple[Claim, ...]
    width: float
    depth: float


def scene_id_of(seed: int) -> str:
    """``scene0000_00`` for seed 0: ScanNet's pattern, so that code written for it runs; four digits or more."""
    return f"scene{seed:04d}_00"


def generate_room(seed: int, config: RoomConfig = RoomConfig()) -> Scene:
    """A furnished, scanned and described room.

    Args:
        seed: Same seed and config, same bytes, for any number of threads or processes.

    Returns:
        Frame: metres, z up, floor at z = 0, walls along the axes, origin in the room's middle. Objects' boxes are those of
        their scanned points; ``cloud.instances`` are object ids, -1 for floor, walls and ceiling.
    """
    return generate_described_room(seed, config).scene


def generate_described_room(seed: int, config: RoomConfig = RoomConfig()) -> DescribedRoom:
    """As :func:`generate_room`, with what its sentences are meant to say."""
    held_out = config.split == "eval"
    room = furnish_room(numpy_rng(seed, "room"), use_held_out=held_out)
    walls = shell(room, numpy_rng(seed, "shell"))
    scan_config = vary_scan(numpy_rng(seed, "vary scan"), config.scan) if config.vary_scan else config.scan
    scan = scan_room(room, walls, numpy_rng(seed, "scan"), scan_config)
    colors = vary_colors(scan.colors, numpy_rng(seed, "vary colors")) if config.vary_scan else scan.colors
    things, instances = _things(room, scan)
    saying = SayingConfig(n_sentences=config.n_sentences, use_held_out=held_out)
    sayings = describe(things, (room.width, room.depth), numpy_rng(seed, "sentences"), saying)
    scene_id = scene_id_of(seed)
    categories = {t.object_id: t.category for t in things}
    texts = [s.text for s in sayings]
    if config.vary_words:
        texts = _as_people_type(texts, numpy_rng(seed, "vary words"))
    referrals = tuple(
        Referral(scene_id, text, s.claim.target, categories[s.claim.target], s.claim.anchors, s.tags)
        for s, text in zip(sayings, texts, strict=True)
    )
    cloud = PointCloud(
        torch.from_numpy(scan.points.astype(np.float32)),
        torch.from_numpy(colors.astype(np.float32)),
        torch.from_numpy(instances),
    )
    objects = tuple(SceneObject(t.object_id, t.category, t.center, t.size, t.color) for t in things)
    scene = Scene(scene_id, cloud, objects, referrals)
    return DescribedRoom(scene, tuple(things), tuple(s.claim for s in sayings), room.width, room.depth)


def _as_people_type(texts: list[str], rng: np.random.Generator) -> list[str]:
    draws = rng.random(len(texts))
    return [
        mistyped(text, rng) if draw < 0.1 else keywords_of(text) if draw < 0.2 else text
        for text, draw in zip(texts, draws, strict=True)
    ]


def _things(room: Room, scan: RoomScan) -> tuple[list[Thing], np.ndarray]:
    """The items that were seen, numbered from 0, and each point's number."""
    counts = np.bincount(scan.items + 1, minlength=len(room.items) + 1)[1:]
    seen = np.flatnonzero(counts >= 20)
    number = np.full(len(room.items) + 1, -1, np.int64)
    number[seen + 1] = np.arange(len(seen))
    points = scan.points.astype(np.float32).astype(np.float64)
    things = []
    for k, index in enumerate(seen.tolist()):
        item = room.items[index]
        own = points[scan.items == index]
        low, high = own.min(0), own.max(0)
        x0, x1, y0, y1, z0, z1 = item.rect()
        shares = (high - low) / np.array([x1 - x0, y1 - y0, z1 - z0])
        support = None if item.support is None else int(number[item.support + 1])
        things.append(
            Thing(
                k,
                item.category,
                item.color,
                (float(low[0]), float(low[1]), float(low[2])),
                (float(high[0]), float(high[1]), float(high[2])),
                item.yaw,
                min(1.0, float(shares.min())),
                int(counts[index]),
                support,
                item.wall,
                item.is_held_out,
                tuple(getattr(item, "words", ())),
            )
        )
    return things, number[scan.items + 1]
