"""The fixed evaluation set ``rooms-eval-v2``: seeds, a configuration, and a hash that its sentences and boxes must have.

Results on it can be compared only while the generator makes the same rooms; :func:`EvalSet.verify` and the tests see to that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile, DataError
from ...core.random import numpy_rng
from ..referral import Referral
from ..scene import Scene
from .generate import RoomConfig, generate_described_room
from .scanning import ScanConfig
from .speaker import SayingConfig, Speaker
from .variants import WORDINGS, absent_sentences, reworded

EVAL_V2 = Path(__file__).with_name("eval-v2.json")
N_ABSENT = 12
"""Sentences a room about things that are not there."""


@dataclass(frozen=True, eq=False)
class EvalRoom:
    """A room of the set: its scene, the same sentences in other words, and sentences that mean nothing in it."""

    scene: Scene
    wordings: Mapping[str, tuple[Referral, ...]]
    """By sort, see :data:`~.variants.WORDINGS`."""
    absent: tuple[tuple[str, str], ...]
    """Sentence and sort, see :func:`~.variants.absent_sentences`."""


@dataclass(frozen=True)
class EvalSet:
    """Seeds of rooms and what they must come out as. ``room_hashes`` has one SHA-256 a seed, ``sha256`` is that of them all."""

    name: str
    seeds: tuple[int, ...]
    config: RoomConfig
    n_sentences: int
    sha256: str
    room_hashes: tuple[str, ...]

    def rooms(self) -> Iterator[EvalRoom]:
        """The rooms one by one, each verified (a second or two a room).

        Raises:
            DataError: A room differs from the one that was fixed.
        """
        for seed in self.seeds:
            room = generate_eval_room(seed, self.config)
            self.verify(seed, room)
            yield room

    def verify(self, seed: int, room: EvalRoom) -> None:
        """Check that a room is the one that was fixed.

        Raises:
            DataError: It is not: the generator or a library under it has changed.
        """
        found, expected = room_hash(room), self.room_hashes[self.seeds.index(seed)]
        if found != expected:
            raise DataError(
                f"room {seed} of {self.name} has hash {found[:12]}, expected {expected[:12]}: its sentences or boxes are not "
                "those that were fixed, so results cannot be compared; "
                "undo the generator's change or make a new set under a new name"
            )


def generate_eval_room(seed: int, config: RoomConfig) -> EvalRoom:
    """A room with its other wordings and absent sentences, from a seed."""
    room = generate_described_room(seed, config)
    wordings = {}
    for kind in WORDINGS:
        speaker = Speaker(room.things, {}, numpy_rng(seed, "wording", kind), SayingConfig())
        wordings[kind] = tuple(reworded(kind, room.scene.referrals, room.claims, speaker))
    absent = absent_sentences(room.things, numpy_rng(seed, "absent"), N_ABSENT)
    return EvalRoom(room.scene, wordings, tuple(absent))


def room_hash(room: EvalRoom) -> str:
    """SHA-256 over sentences, target ids, categories and boxes in whole millimetres (portable: no raw floats)."""
    scene = room.scene
    objects = [[o.object_id, o.category, *(round(1000 * v) for v in (*o.center, *o.size))] for o in scene.objects]
    said = [_said(scene.referrals), {kind: _said(referrals) for kind, referrals in room.wordings.items()}, room.absent]
    text = json.dumps([scene.scene_id, objects, said], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _said(referrals: Sequence[Referral]) -> list[list[Any]]:
    return [[r.sentence, r.target_id, r.category] for r in referrals]


def combined_hash(room_hashes: tuple[str, ...]) -> str:
    """SHA-256 of all rooms' hashes in order."""
    return hashlib.sha256("".join(room_hashes).encode()).hexdigest()


def load_eval_v2() -> EvalSet:
    """The specification of ``rooms-eval-v2``, which comes with the package.

    Raises:
        CorruptFile: The file contradicts itself.
    """
    raw: dict[str, Any] = json.loads(EVAL_V2.read_text())
    config = dict(raw["config"])
    scan = ScanConfig(**{f.name: config["scan"][f.name] for f in fields(ScanConfig)})
    spec = EvalSet(
        raw["name"],
        tuple(raw["seeds"]),
        RoomConfig(config["split"], config["n_sentences"], scan),
        raw["n_sentences"],
        raw["sha256"],
        tuple(raw["room_hashes"]),
    )
    if len(spec.seeds) != len(spec.room_hashes) or combined_hash(spec.room_hashes) != spec.sha256:
        raise CorruptFile(
            EVAL_V2, "sha256", "the rooms' hashes do not add up to it; restore the file from the repository"
        )
    return spec


def eval_set_json(name: str, seeds: tuple[int, ...], config: RoomConfig, rooms: Sequence[EvalRoom]) -> str:
    """The text of a new evaluation set's file."""
    hashes = tuple(room_hash(room) for room in rooms)
    raw = {
        "name": name,
        "config": asdict(config),
        "n_rooms": len(seeds),
        "n_sentences": sum(len(room.scene.referrals) for room in rooms),
        "sha256": combined_hash(hashes),
        "seeds": list(seeds),
        "room_hashes": list(hashes),
    }
    return json.dumps(raw, indent=1) + "\n"
