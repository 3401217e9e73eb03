"""Attack every reader with damaged files: ``python tests/fuzz/fuzz_readers.py [--cases 15000] [--reader ply ...]``.

A reader passes a case when it returns, or raises an error of ours that names the file, in bounded time and memory. Each finding
is kept under ``runs/fuzz/<reader>/`` as the case and what happened; ``--replay FILE --reader NAME`` reads one again. The exit
code is 0 when nothing was found, 1 when something was, 2 when the attack itself failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

READERS = (
    *("ply", "pcd", "npz", "obj", "glb", "text", "scan", "scannet", "labels", "scanrefer", "referit3d", "answers"),
    *("weights", "published", "training", "runs", "colmap", "colmaptext", "transforms", "blender", "llff", "dtu"),
    *("camerasjson", "middlebury", "images", "splatply", "dotsplat", "spz"),
)
CASES = 15_000
STUCK_SECONDS = 600
MOST_DEATHS = 10
_WORKER = Path(__file__).with_name("fuzz_worker.py")


@dataclass
class Score:
    """What is known of one reader."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    deaths: int = 0

    def add(self, folder: Path) -> int:
        """Add what a worker reported last; its cases."""
        try:
            state = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return 0
        self.cases += state["done"]
        self.refused += state["refused"]
        self.seconds += state["seconds"]
        self.found.update(state["found"])
        return state["done"]

    def row(self, name: str) -> str:
        """A line of the summary."""
        read, found = self.cases - self.refused, len(self.found)
        return f"{name:<11}{self.cases:>8}{read:>8}{self.refused:>9}{found:>10}{self.seconds:>9.1f}"


class Worker:
    """A process that attacks one reader."""

    def __init__(self, reader: str, cases: int, seed: int, folder: Path) -> None:
        self.reader, self.cases, self.seed, self.folder = reader, cases, seed, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.started = time.monotonic()
        command = [sys.executable, str(_WORKER), reader, str(cases), str(seed), str(folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        with (folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def code(self) -> int | None:
        """Its exit code; None while it runs. One that reports nothing for minutes is ended."""
        state = self.folder / "state.json"
        quiet = time.time() - state.stat().st_mtime if state.exists() else time.monotonic() - self.started
        if self.process.poll() is None and quiet > STUCK_SECONDS:
            self.process.kill()
        return self.process.poll()

    def done(self) -> int:
        """Cases so far."""
        try:
            return json.loads((self.folder / "state.json").read_text())["done"]
        except FileNotFoundError:
            return 0


class Fuzz:
    """All readers, some at a time."""

    def __init__(self, readers: list[str], cases: int, jobs: int, seed: int, out: Path, scratch: Path) -> None:
        self.scores = {reader: Score() for reader in readers}
        self.waiting = deque((reader, cases, seed) for reader in readers)
        self.total, self.jobs, self.out, self.scratch = cases * len(readers), jobs, out, scratch
        self.running: list[Worker] = []
        self.started = self.said = time.monotonic()

    def run(self) -> int:
        """Until all cases are read; the exit code."""
        try:
            while self.waiting or self.running:
                while self.waiting and len(self.running) < self.jobs:
                    reader, cases, seed = self.waiting.popleft()
                    self.running.append(Worker(reader, cases, seed, self.scratch / reader))
                time.sleep(0.2)
                for worker in [w for w in self.running if w.code() is not None]:
                    self.running.remove(worker)
                    if not self._ended(worker):
                        return 2
                self._say()
        finally:
            for worker in self.running:
                worker.process.kill()
                worker.process.wait()
        print(self.table())
        return int(any(score.found for score in self.scores.values()))

    def _ended(self, worker: Worker) -> bool:
        """Take over what a worker found; False where it could not even begin."""
        score = self.scores[worker.reader]
        done, code = score.add(worker.folder), worker.process.returncode
        log = (worker.folder / "log.txt").read_text(errors="replace")
        if code == 2 or (code and not (worker.folder / "case").exists()):
            print(f"the attack on {worker.reader} failed:\n{log[-3000:]}", file=sys.stderr)
            return False
        if code:
            score.deaths += 1
            score.found[place := _death(code, log)] += 1
            name = f"death-{score.deaths}"
            (worker.folder / "case").replace(worker.folder / f"{name}.case")
            (worker.folder / f"{name}.txt").write_text(f"{place}\n\n{log[-20_000:]}\n")
            if score.deaths < MOST_DEATHS:
                self.waiting.appendleft((worker.reader, max(worker.cases - done - 1, 1), worker.seed + 1))
        for kept in (*worker.folder.glob("*.case"), *worker.folder.glob("*.txt")):
            if kept.name != "log.txt":
                (self.out / worker.reader).mkdir(parents=True, exist_ok=True)
                shutil.copy(kept, self.out / worker.reader / kept.name)
        return True

    def _say(self) -> None:
        if time.monotonic() - self.said < (1 if sys.stdout.isatty() else 30):
            return
        self.said = time.monotonic()
        done = sum(score.cases for score in self.scores.values()) + sum(worker.done() for worker in self.running)
        now = ", ".join(f"{worker.reader} {worker.done()}/{worker.cases}" for worker in self.running)
        found = sum(len(score.found) for score in self.scores.values())
        line = f"{done} of {self.total} cases, {found} findings, {self.said - self.started:.0f} s; {now}"
        print(f"\r{line:<110}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)

    def table(self) -> str:
        """The summary."""
        rows = [f"\n{'reader':<11}{'cases':>8}{'read':>8}{'refused':>9}{'findings':>10}{'seconds':>9}"]
        total = Score()
        for reader, score in self.scores.items():
            rows += [score.row(reader), *(f"    {count} x {place}" for place, count in score.found.most_common())]
            total.cases, total.refused = total.cases + score.cases, total.refused + score.refused
            total.seconds += score.seconds
            total.found.update({f"{reader}: {place}": count for place, count in score.found.items()})
        rows.append(total.row("all"))
        rows.append(f"{time.monotonic() - self.started:.0f} s by the clock; seconds above are processor time")
        if total.found:
            rows.append(f"what was found: {self.out}")
        return "\n".join(rows)


def _death(code: int, log: str) -> str:
    if "Timeout (" in log:
        return "hang: " + next((line.strip() for line in log.splitlines() if line.startswith("  File")), "nowhere")
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"died with exit code {code}"


def replay(reader: str, case: Path) -> int:
    """Read one case again and let its error through."""
    import fuzz_targets as targets

    with tempfile.TemporaryDirectory() as folder:
        target = targets.TARGETS[reader]
        print(f"{target.write(Path(folder), case.read_bytes())}: {case.stat().st_size - 1} bytes")
        outcome = targets.attack(target, Path(folder))
        print(outcome)
        return int(outcome.problem is not None)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=CASES, help=f"of each reader ({CASES})")
    parser.add_argument("--reader", nargs="+", choices=READERS, default=list(READERS), help="all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (one a core)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="where findings are kept (runs/fuzz)")
    parser.add_argument("--replay", type=Path, help="a case that was kept")
    options = parser.parse_args()
    if options.replay:
        return replay(options.reader[0], options.replay)
    if find_spec("atheris") is None:
        print("error: atheris is not installed: pip install 'trisparse[fuzz]' (Linux, macOS)", file=sys.stderr)
        return 2
    for reader in options.reader:
        shutil.rmtree(options.out / reader, ignore_errors=True)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as scratch:
        fuzz = Fuzz(options.reader, options.cases, options.jobs, options.seed, options.out, Path(scratch))
        return fuzz.run()


if __name__ == "__main__":
    sys.exit(main())
