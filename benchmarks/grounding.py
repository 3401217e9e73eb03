"""Time and memory of grounding, by part, on the recorded scene of the original engine and on a generated room.

    python benchmarks/grounding.py [--threads 2] [--repeats 5] [--recorded FOLDER] [--weights small]

Prints a table for docs/benchmarks.md. The recorded scene (20,000 points, published sizes) needs the folder of the oracle
``tsp3d`` (default: ../shared/oracles/tsp3d beside the repository) and is left out, saying so, where it is absent.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from machine import describe, median_seconds
from safetensors.torch import load_file
from torch import Tensor
from trisparse.core.errors import MissingPart
from trisparse.data.alignment import align_scan
from trisparse.data.rooms.generate import RoomConfig, generate_room
from trisparse.pipelines.grounding import SceneGrounder
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.grounder import EncodedScene, Grounder
from trisparse.sparse3d.suppression import suppress_overlaps
from trisparse.sparse3d.voxelize import Voxelized, voxelize

ORIGINAL_SECONDS = 1.0
"""The original engine (MinkowskiEngine, CPU, 2 threads) on the recorded scene, as its README states; another day's figure."""
ROOM_SEED = 30_001


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"| {self.what} | {1000 * self.seconds:.0f} |"


def recorded(folder: Path, repeats: int) -> list[Line]:
    """The published network on the recorded scene, text features given."""
    with np.load(folder / "b1_small.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in ("points", "text_feats", "text_padding")}
    grounder = Grounder(preset("tsp3d"))
    grounder.load_state_dict(load_file(folder / "weights_fp16.safetensors"))
    grounder.float().eval()
    feats = arrays["points"][0].float()
    batch, origin = torch.zeros(len(feats), dtype=torch.int64), torch.zeros(1, 3)
    text, padding = arrays["text_feats"].float(), arrays["text_padding"]

    def voxels() -> Voxelized:
        return voxelize(feats[:, :3], feats, voxel_size=0.01)

    def encode() -> EncodedScene:
        return grounder.encode_features(feats, batch, origin)

    def ask(scene: EncodedScene) -> Tensor:
        output = grounder.head(scene.levels, text, padding)
        return suppress_overlaps(output.centers, output.sizes, output.score_logits, top_k=1)

    with torch.no_grad():
        started = time.perf_counter()
        ask(encode())
        first = time.perf_counter() - started
        scene = encode()
        return [
            Line("recorded scene: first call of the process (compiled kernels loaded)", first),
            Line("recorded scene: voxelise", median_seconds(voxels, repeats=repeats)),
            Line("recorded scene: voxelise and backbone", median_seconds(encode, repeats=repeats)),
            Line(
                "recorded scene: a further sentence (fusion, pruning, heads)",
                median_seconds(lambda: ask(scene), repeats=repeats),
            ),
            Line(
                "recorded scene: everything, text features given",
                median_seconds(lambda: ask(encode()), repeats=repeats),
            ),
        ]


def room(weights: str, repeats: int) -> list[Line]:
    """The bundled weights on a generated room, from points to boxes."""
    scene = generate_room(ROOM_SEED, RoomConfig())
    started = time.perf_counter()
    grounder = SceneGrounder.load(weights)
    loading = time.perf_counter() - started
    alignment = align_scan(scene.cloud, up="z", scale=1.0, align=False)
    sentence = scene.referrals[0].sentence
    started = time.perf_counter()
    encoded = grounder.encode_aligned("room", scene.cloud, alignment)
    grounder.ask(encoded, [sentence])
    first = time.perf_counter() - started
    name = f"room of {len(scene.cloud):,} points"
    aligning = median_seconds(lambda: align_scan(scene.cloud), repeats=repeats)
    encoding = median_seconds(lambda: grounder.encode_aligned("room", scene.cloud, alignment), repeats=repeats)
    asking = median_seconds(lambda: grounder.ask(encoded, [sentence]), repeats=repeats)
    return [
        Line(f"{name}: load the network and the text model", loading),
        Line(f"{name}: first scan and sentence of the process", first),
        Line(f"{name}: find up, floor and walls", aligning),
        Line(f"{name}: choose points, voxelise, backbone", encoding),
        Line(f"{name}: a sentence (text known, fusion, pruning, heads)", asking),
        Line(f"{name}: scan and sentence without alignment", encoding + asking),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--recorded", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "oracles" / "tsp3d"
    )
    parser.add_argument("--weights", default="small")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(describe())
    print("\n| what | ms |\n|---|---|")
    if (options.recorded / "b1_small.npz").is_file():
        lines = recorded(options.recorded, options.repeats)
        print(*lines, sep="\n")
        print(
            f"| recorded scene: everything, against the original's {ORIGINAL_SECONDS:.1f} s | "
            f"{lines[-1].seconds / ORIGINAL_SECONDS:.2f} x |"
        )
    else:
        print(f"| recorded scene left out: no {options.recorded / 'b1_small.npz'} | |")
    try:
        print(*room(options.weights, options.repeats), sep="\n")
    except MissingPart as error:
        print(f"| room left out: {error} | |")
    print(f"\npeak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
