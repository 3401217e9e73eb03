"""Which damage fits which kind of file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import fuzz_containers as containers
import fuzz_mutations as ways
from fuzz_mutations import ANY, LONGEST, TEXT, Mutation

MUTATIONS: dict[str, tuple[Mutation, ...]] = {
    "text": TEXT,
    "binary": (*ANY, ways.word, ways.word, ways.word, ways.lines, ways.lines),
    "json": (*[ways.json_value] * 4, ways.cut, ways.change_bytes, ways.word, ways.encoding),
    "npz": (*[ways.npz] * 12, *[ways.npy_header] * 8, *[ways.zip_directory] * 4, *ANY * 3, ways.zip_bomb),
    "npy": (*[ways.npy_header] * 4, *ANY * 2),
    "glb": (*[ways.glb_document] * 4, *ANY),
    "safetensors": (*[ways.safetensors_header] * 4, *ANY),
    "torch": (*[ways.checkpoint_pickle] * 3, ways.checkpoint_tensor, ways.zip_directory, *ANY),
    "image": (*[containers.png_header] * 4, *[containers.png_data] * 2, containers.png_bomb, *ANY * 3),
    "splat": (*[containers.spz] * 6, *ANY),
}


@dataclass(frozen=True)
class Damage:
    """One to three mutations of a kind of file, chosen by a seed; now and then a piece of another valid file first."""

    kind: str
    others: Sequence[bytes] = ()

    def __call__(self, data: bytes, seed: int) -> bytes:
        rng = Random(seed)
        if self.others and rng.random() < 0.08:
            other = rng.choice(self.others)
            at, to = rng.randint(0, len(data)), rng.randint(0, len(other))
            data = data[:at] + other[to:]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            data = rng.choice(MUTATIONS[self.kind])(data, rng)[:LONGEST]
        return data
