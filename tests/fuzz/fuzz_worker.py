"""One reader under attack in a process of its own: ``fuzz_worker.py READER CASES SEED FOLDER``.

atheris (libFuzzer) keeps the cases that reach new code and damages them further. Each case has 5 s of processor time, and may
take a fixed allowance of memory and a multiple of its own size; the process as a whole is limited by the operating system. The
case at hand lies in the folder, so that it is there even when the process dies of it.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

SECONDS = 5.0
"""Processor time of a case."""
CLOCK_SECONDS = 60
"""After this long by the clock the process is ended: it hangs, or sleeps. Well above, for machines that are busy."""
BYTES = 256 << 20
BYTES_PER_BYTE = 200
"""Memory of a case: a fixed allowance and a multiple of its size."""
ADDRESS_SPACE = 6 << 30
"""On top of what the process has when it starts."""

_INSTRUMENTED = (
    "trisparse.data",
    "trisparse.rendering.splat_files",
    "trisparse.sparse3d.checkpoint",
    "trisparse.sparse3d.published",
    "trisparse.pipelines",
)
_OPTIONS = (
    *("-max_len=131072", "-rss_limit_mb=0", "-malloc_limit_mb=0", "-timeout=600", "-verbosity=0"),
    *("-keep_seed=1", "-reduce_inputs=0", "-mutate_depth=2"),  # stay near valid files: shorter cases reach less
)
_REPOSITORY = str(Path(__file__).resolve().parents[2])


class Attack:
    """The cases of one worker, what they found, and how far it is."""

    def __init__(self, target: Any, attack: Callable[[Any, Path], Any], cases: int, folder: Path) -> None:
        self.target, self.attack, self.cases, self.folder = target, attack, cases, folder
        self.work = folder / "files"
        self.done = self.refused = 0
        self.found: Counter[str] = Counter()

    def one(self, case: bytes) -> None:
        """Read one case and judge what came of it."""
        (self.folder / "case").write_bytes(case)
        self.target.write(self.work, case)
        faulthandler.dump_traceback_later(CLOCK_SECONDS, exit=True)
        before, started = _reset_peak(), time.process_time()
        place, problem = "", None
        try:
            outcome = self.attack(self.target, self.work)
            self.refused += outcome.is_refused
            problem = outcome.problem
            place = problem.split(":")[0] if problem else ""
        except BaseException as error:
            place, problem = _place(error), "".join(traceback.format_exception(error))
        seconds, grown = time.process_time() - started, _peak() - before
        faulthandler.cancel_dump_traceback_later()
        if problem is None and seconds > SECONDS:
            place, problem = "too slow", f"{seconds:.1f} s of processor time"
        if problem is None and grown > BYTES + BYTES_PER_BYTE * len(case):
            place, problem = "too much memory", f"{grown >> 20} MiB for {len(case)} bytes"
        if problem is not None:
            self._keep(case, place, problem)
        self.done += 1
        if self.done % 200 == 0 or self.done >= self.cases:
            self.report()
        if self.done >= self.cases:
            sys.stdout.flush()
            os._exit(0)

    def report(self) -> None:
        """Say how far it is."""
        state = {"done": self.done, "refused": self.refused, "seconds": time.process_time(), "found": dict(self.found)}
        written = self.folder / "state.new"
        written.write_text(json.dumps(state))
        written.replace(self.folder / "state.json")

    def _keep(self, case: bytes, place: str, problem: str) -> None:
        self.found[place] += 1
        name = hashlib.sha256(place.encode()).hexdigest()[:12]
        kept = self.folder / f"{name}.case"
        if not kept.exists() or len(case) < kept.stat().st_size:
            kept.write_bytes(case)
            (self.folder / f"{name}.txt").write_text(f"{place}\n\n{problem}\n", errors="backslashreplace")


def _place(error: BaseException) -> str:
    """Kind of error and the last line of ours that it passed through; cases that end alike are one finding."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(_REPOSITORY)]
    ours = [f for f in frames if "site-packages" not in f.filename and "fuzz_" not in f.filename] or frames
    where = f"{os.path.relpath(ours[-1].filename, _REPOSITORY)}:{ours[-1].lineno}" if ours else "nowhere"
    return f"{type(error).__name__} at {where}"


def _reset_peak() -> int:
    """Make Linux count the peak anew; bytes that the process has now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # pragma: no cover
        return 1 << 62
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status").read_bytes()
    at = status.index(b"VmHWM:") + 6
    return int(status[at : status.index(b"kB", at)]) << 10


def limit_process() -> None:
    """No core dumps, and not all of the machine's memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def instrumented_targets(atheris: Any) -> ModuleType:
    """The module of targets, the readers' code compiled so that it says which way it goes."""
    with atheris.instrument_imports(include=_INSTRUMENTED):
        return import_module("fuzz_targets")


def main() -> None:
    """Attack until the number of cases is reached."""
    reader, cases, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    atheris = import_module("atheris")
    targets = instrumented_targets(atheris)
    target = targets.TARGETS[reader]
    limit_process()
    warnings.simplefilter("error")
    targets.clean(folder / "files")
    corpus = targets.clean(folder / "seeds")
    valid = list(target.cases())
    for number, case in enumerate(valid):
        (corpus / f"{number:04d}").write_bytes(case)
    attack = Attack(target, targets.attack, cases, folder)

    def damage(case: bytes, most: int, chance: int) -> bytes:
        if chance % 4 == 0:  # libFuzzer's own way, which knows what the code compared the case with
            return case[:1] + atheris.Mutate(case[1:], most - 1) if len(case) > 1 else atheris.Mutate(case, most)
        start = valid[chance // 4 % len(valid)] if chance % 4 == 1 else case  # the corpus drifts away from valid files
        try:
            return target.damage(start, chance)[:most]
        except BaseException:  # libFuzzer would hang
            traceback.print_exc()
            os._exit(2)

    atheris.Setup(
        ["fuzz", f"-seed={seed}", f"-artifact_prefix={folder}/", *_OPTIONS, str(corpus)],
        attack.one,
        custom_mutator=damage,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
