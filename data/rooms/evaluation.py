"""The fixed evaluation set ``rooms-eval-v1``: seeds, a configuration, and a hash that its sentences and boxes must have.

Results on it can be compared only while the generator makes the same rooms; :func:`verify_room` and the tests see to that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile, DataError
from ..scene import Scene
from .generate import RoomConfig, generate_room
from .scanning import ScanConfig

EVAL_V1 = Path(__file__).with_name("eval-v1.json")


@dataclass(frozen=True)
class EvalSet:
    """Seeds of rooms and what they must come out as. ``room_hashes`` has one SHA-256 a seed, ``sha256`` is that of them all."""

    name: str
    seeds: tuple[int, ...]
    config: RoomConfig
    n_sentences: int
    sha256: str
    room_hashes: tuple[str, ...]

    def rooms(self) -> Iterator[Scene]:
        """The rooms one by one, each verified (a second or two a room).

        Raises:
            DataError: A room differs from the one that was fixed.
        """
        for seed in self.seeds:
            scene = generate_room(seed, self.config)
            self.verify_room(seed, scene)
            yield scene

    def verify_room(self, seed: int, scene: Scene) -> None:
        """Check that a room is the one that was fixed.

        Raises:
            DataError: It is not: the generator or a library under it has changed.
        """
        found, expected = room_hash(scene), self.room_hashes[self.seeds.index(seed)]
        if found != expected:
            raise DataError(
                f"room {seed} of {self.name} has hash {found[:12]}, expected {expected[:12]}: its sentences or boxes are not "
                "those that were fixed, so results cannot be compared; "
                "undo the generator's change or make a new set under a new name"
            )


def room_hash(scene: Scene) -> str:
    """SHA-256 over sentences, target ids, categories and boxes in whole millimetres (portable: no raw floats)."""
    objects = [[o.object_id, o.category, *(round(1000 * v) for v in (*o.center, *o.size))] for o in scene.objects]
    sayings = [[r.sentence, r.target_id, r.category] for r in scene.referrals]
    text = json.dumps([scene.scene_id, objects, sayings], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def combined_hash(room_hashes: tuple[str, ...]) -> str:
    """SHA-256 of all rooms' hashes in order."""
    return hashlib.sha256("".join(room_hashes).encode()).hexdigest()


def load_eval_v1() -> EvalSet:
    """The specification of ``rooms-eval-v1``, which comes with the package.

    Raises:
        CorruptFile: The file contradicts itself.
    """
    raw: dict[str, Any] = json.loads(EVAL_V1.read_text())
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
            EVAL_V1, "sha256", "the rooms' hashes do not add up to it; restore the file from the repository"
        )
    return spec


def eval_set_json(name: str, seeds: tuple[int, ...], config: RoomConfig, scenes: list[Scene]) -> str:
    """The text of a new evaluation set's file."""
    hashes = tuple(room_hash(s) for s in scenes)
    raw = {
        "name": name,
        "config": asdict(config),
        "n_rooms": len(seeds),
        "n_sentences": sum(len(s.referrals) for s in scenes),
        "sha256": combined_hash(hashes),
        "seeds": list(seeds),
        "room_hashes": list(hashes),
    }
    return json.dumps(raw, indent=1) + "\n"
