"""``trisparse rooms``."""

from __future__ import annotations

import json as json_format
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from ...core.errors import InvalidInput
from ...data.readers.scannet import write_scannet_scene
from ...data.readers.scanrefer import read_scanrefer, write_scanrefer
from ...data.rooms.generate import RoomConfig, generate_room, scene_id_of
from ..rooms_layouts import write_referit3d_layout


@dataclass(frozen=True)
class Rooms:
    """Generate furnished rooms, scanned as a depth camera would, with sentences, in the layout of ScanNet and ScanRefer.

    The same sentences go into tables in the layout of ReferIt3D, as far as NR3D and SR3D have such sentences.

    Room k of seed S is the room of seed S + k, called scene<S + k>_00 (at least four digits). Rooms that are there already are
    kept, so a stopped command goes on where it was. Same seed, same bytes, for any number of workers.
    """

    out: tyro.conf.Positional[Path]
    """Folder to write: scans/<scene id>/, ScanRefer/ScanRefer_filtered_<train or val>.json, ReferIt3D/nr3d.csv and sr3d.csv,
    and the lists of scenes in meta_data/."""
    count: int = 10
    """Number of rooms."""
    seed: int = 0
    """Seed of the first room; the next rooms take the next seeds."""
    split: Literal["train", "eval"] = "train"
    """train: without the shapes and sentence templates that are kept for evaluation; eval: half with, half without."""
    sentences: int = 36
    """Sentences a room, at most."""
    val: bool = False
    """Write the sentences as ScanRefer's val file instead of its train file."""
    workers: int = 2
    """Processes."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        if self.count < 1 or self.workers < 1 or self.seed < 0:
            raise InvalidInput(
                f"count {self.count}, workers {self.workers}, seed {self.seed}: expected at least "
                "1, 1 and 0; correct the options"
            )
        config = RoomConfig(
            split=self.split,
            n_sentences=self.sentences,
            vary_words=self.split == "train",
            vary_scan=self.split == "train",
        )
        seeds = range(self.seed, self.seed + self.count)
        (self.out / "rooms").mkdir(parents=True, exist_ok=True)
        _keep_to_one_recipe(self.out / "rooms" / "recipe.json", config)
        missing = [s for s in seeds if not _sentences_of(self.out, s).is_file()]
        with _progress(len(missing), quiet=self.json) as advance:
            for _ in _write_all(self.out, missing, config, self.workers):
                advance()
        referrals = [r for s in seeds for r in read_scanrefer(_sentences_of(self.out, s))]
        name = f"ScanRefer_filtered_{'val' if self.val or self.split == 'eval' else 'train'}"
        target = self.out / "ScanRefer" / f"{name}.json"
        target.parent.mkdir(exist_ok=True)
        write_scanrefer(target, referrals)
        (target.parent / f"{name}.txt").write_text("".join(f"{scene_id_of(s)}\n" for s in seeds))
        tables = write_referit3d_layout(self.out)
        report = {"folder": str(self.out), "rooms": self.count, "new": len(missing), "sentences": len(referrals)}
        report |= tables
        if self.json:
            print(json_format.dumps(report))
        else:
            print(f"{self.count} rooms ({len(missing)} new), {len(referrals)} sentences: {self.out}")
            print(f"of the sentences of all its rooms {tables['nr3d']} are in nr3d.csv, {tables['sr3d']} in sr3d.csv")


def write_room(out: Path, seed: int, config: RoomConfig) -> int:
    """Generate one room and write it; its sentences come last, so their file says that the room is whole."""
    scene = generate_room(seed, config)
    write_scannet_scene(out / "scans", scene)
    write_scanrefer(_sentences_of(out, seed), scene.referrals)
    return seed


def _sentences_of(out: Path, seed: int) -> Path:
    return out / "rooms" / f"{scene_id_of(seed)}.json"


def _keep_to_one_recipe(path: Path, config: RoomConfig) -> None:
    recipe = repr(config) + "\n"
    if path.is_file() and path.read_text() != recipe:
        raise InvalidInput(
            f"{path}: the rooms here were made with {path.read_text().strip()}, now asked for {recipe.strip()}; "
            "choose another folder or the same options"
        )
    path.write_text(recipe)


def _write_all(out: Path, seeds: list[int], config: RoomConfig, workers: int) -> Iterator[int]:
    """Write rooms in this process, or in spawned ones; a few are under way at a time."""
    if workers == 1 or len(seeds) < 2:
        for seed in seeds:
            yield write_room(out, seed, config)
        return
    # spawn: numba's and torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = list(reversed(seeds))
        running: set[Future[int]] = set()
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                running.add(pool.submit(write_room, out, waiting.pop(), config))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


@contextmanager
def _progress(total: int, *, quiet: bool):
    if quiet or total == 0:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rooms"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("rooms", total=total)
        yield lambda: bar.advance(task)
