"""A small pipeline under faults, for test_faults.py; a program, so that it can be killed, starved and locked out.

python faulty_runs.py run STORE [--wait]                once
python faulty_runs.py kill STORE --kills N --seed S     kills it N times, then runs it to the end
python faulty_runs.py fill STORE                        on a file system that is filled up ever less, then not at all
python faulty_runs.py limit STORE                       with ever larger files permitted, then any
python faulty_runs.py freeze STORE                      on a file system that is made read-only after a whole run

Each prints "end" with the hash of the results and what is left that should not be; where a run failed, "error" and "half".
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from toy_training import ToyTraining
from trisparse.core.errors import TrisparseError
from trisparse.core.files import write_text
from trisparse.pipelines.artifact import MANIFEST
from trisparse.pipelines.runner import Machine, Node, Pipeline, run_pipeline
from trisparse.pipelines.stage import AbstractStage, StageContext
from trisparse.pipelines.store import Store

FILES = 12


@dataclass(frozen=True)
class Report(AbstractStage):
    """One file an item; those that are there are not made again."""

    version: ClassVar[int] = 1

    def run(self, ctx: StageContext) -> None:
        losses = ctx.inputs["training"].file("losses.jsonl").read_text()
        for number in range(FILES):
            item = ctx.folder / f"item-{number:02d}.txt"
            if not item.exists():
                time.sleep(0.005)
                write_text(item, losses * (number + 1))


def run(store: Path, *, steps: int = 40, wait_s: float = 0.0, seconds_per_step: float = 0.005) -> list[Path]:
    """The pipeline's folders."""
    training = ToyTraining(steps=steps, seconds_per_step=seconds_per_step)
    pipeline = Pipeline({"training": Node(training), "report": Node(Report(), {"training": "training"})})
    artifacts = run_pipeline(pipeline, Store(store), Machine(wait_s=wait_s))
    return [artifact.folder for artifact in artifacts.values()]


def digest(folders: list[Path]) -> str:
    """Of the names and bytes of all files, without the manifests, whose times differ."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != MANIFEST:
                total.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return total.hexdigest()


def left_behind(store: Path) -> list[str]:
    """What a run that ended well has no right to leave."""
    odd = [p for suffix in (".partial", ".owner.json", ".tmp") for p in store.rglob(f"*{suffix}")]
    finished = [folder for folder in store.glob("*/*") if folder.is_dir() and folder.suffix == ""]
    odd += [folder for folder in finished if not (folder / MANIFEST).is_file()]
    return [str(path) for path in odd]


def finish(store: Path) -> None:
    """Run to the end, say what came out."""
    print("end", digest(run(store, seconds_per_step=0)), left_behind(store), flush=True)


def start(work: Callable[[], object]) -> int:
    """Work in a fork of this process, which has everything imported; its number."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print("child", type(error).__name__, error, flush=True)
            os._exit(1)
    return child


def kill(store: Path, kills: int, seed: int) -> None:
    """Kill the run at random moments; whenever one has got to its end, begin anew."""
    chance = random.Random(seed)
    started = time.monotonic()
    os.waitpid(start(lambda: run(store)), 0)
    whole = time.monotonic() - started
    shutil.rmtree(store)
    while kills:
        child = start(lambda: run(store))
        time.sleep(chance.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            kills -= 1
            print("killed", flush=True)
            continue
        os.waitpid(start(lambda: finish(store)), 0)
        shutil.rmtree(store)
    os.waitpid(start(lambda: finish(store)), 0)


def attempt(store: Path) -> bool:
    """Run; say how it failed, and what then looks as if it were finished. Whether it did not."""
    try:
        run(store, seconds_per_step=0)
    except TrisparseError as error:
        print("error", type(error).__name__, error, flush=True)
        halves = [p for p in store.glob("*/*") if p.is_dir() and p.suffix == "" and not (p / MANIFEST).is_file()]
        print("half", [str(path) for path in halves], flush=True)
        return False
    return True


def fill(store: Path) -> None:
    """Leave ever more room on the file system; whenever it was too little, make room and go on."""
    filler = store / "filler"
    for level in itertools.count():
        free = shutil.disk_usage(store).free
        filler.write_bytes(bytes(max(0, free - 8192 * level)))
        done = attempt(store / str(level))
        filler.unlink()
        finish(store / str(level))
        if done:
            return
        shutil.rmtree(store / str(level))


def limit(store: Path) -> None:
    """Permit ever larger files; whenever it was too little, permit any and go on."""
    most = 64
    for level in itertools.count():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        done = attempt(store / str(level))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        finish(store / str(level))
        if done:
            return
        most = most * 3 // 2


def freeze(store: Path) -> None:
    """A store that can only be read serves what it holds, and says that it takes no more."""
    finish(store)
    subprocess.run(["mount", "-o", "remount,ro", str(store)], check=True)
    finish(store)
    try:
        run(store, steps=41)
    except TrisparseError as error:
        print("error", type(error).__name__, error, flush=True)


def main() -> None:
    """The command."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["run", "kill", "fill", "limit", "freeze"])
    parser.add_argument("store", type=Path)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--seconds-per-step", type=float, default=0.005)
    options = parser.parse_args()
    if options.what == "run":
        wait_s = float("inf") if options.wait else 0.0
        folders = run(options.store, wait_s=wait_s, seconds_per_step=options.seconds_per_step)
        print("end", digest(folders), left_behind(options.store), flush=True)
    elif options.what == "kill":
        kill(options.store, options.kills, options.seed)
    else:
        {"fill": fill, "limit": limit, "freeze": freeze}[options.what](options.store)


if __name__ == "__main__":
    sys.exit(main())
