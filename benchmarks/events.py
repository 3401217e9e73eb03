"""What is done to events, beside a memory copy: decoding of Prophesee's formats, pairing, undistortion, simulation.

    python benchmarks/events.py [--words 20] [--events 20] [--threads 2] [--repeats 7]

All jobs of a table take turns; rates are of medians, the best run beside them, since a busy machine only makes things slower.
"kernel" decodes into memory that was touched before; "file" is the whole way from a file to a checked stream, in fresh memory.
The copy moves as many bytes as the events take. Events of pairing and undistortion lie anywhere on a sensor of 1280 x 720; the
simulator sees frames of 346 x 260 in which every pixel brightens and darkens at a speed of its own. Peak memory is what a job
adds to the process at most.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import torch
from machine import describe
from trisparse.data.event_camera import ContrastThresholds, EventCamera
from trisparse.data.event_stream import EventStream
from trisparse.data.readers.events import read_events
from trisparse.data.readers.prophesee_decode import count_evt2, count_evt3, decode_evt2, decode_evt3
from trisparse.events.correct import undistort_events
from trisparse.events.pairing import pair_events
from trisparse.events.simulate import SimulatedSensor, simulate_frames

WIDTH, HEIGHT = 1280, 720
EVENT_BYTES = 2 + 2 + 8 + 1


@dataclass(frozen=True)
class Job:
    """One line of a table."""

    what: str
    amount: int
    """Of `unit` a run."""
    unit: str
    run: Callable[[], object]


def evt3_words(count: int, seed: int = 0) -> np.ndarray:
    """About so many words as a moving camera's sensor sends them: times, rows, single events, and a third of vectors."""
    generator = np.random.default_rng(seed)
    n = count // 4
    t = np.cumsum(generator.integers(0, 3, n))
    is_vector, sign = generator.random(n) < 0.3, generator.integers(0, 2, n) << 11
    x = generator.integers(0, WIDTH - 32, n) | sign
    table = np.zeros((n, 7), np.uint16)
    table[:, 0] = 0x8000 | t >> 12 & 0xFFF
    table[:, 1] = 0x6000 | t & 0xFFF
    table[:, 2] = generator.integers(0, HEIGHT, n)
    table[:, 3] = np.where(is_vector, 0x3000, 0x2000) | x
    table[:, 4] = np.where(is_vector, 0x4000 | generator.integers(1, 4096, n), 0x2000 | x + 3)
    table[:, 5] = 0x4000 | generator.integers(0, 4096, n)
    table[:, 6] = 0x5000 | generator.integers(0, 256, n)
    used = np.ones_like(table, bool)
    used[1:, 0], used[1:, 1] = np.diff(t >> 12) > 0, np.diff(t) > 0
    used[:, 4] = is_vector | (generator.random(n) < 0.5)
    used[:, 5] = used[:, 6] = is_vector & (generator.random(n) < 0.3)
    return table[used]


def evt2_words(count: int, seed: int = 0) -> np.ndarray:
    """Words of EVT2, one in sixteen of them a time."""
    generator = np.random.default_rng(seed)
    words = generator.integers(0, WIDTH, count) << 11 | generator.integers(0, HEIGHT, count)
    words |= (
        generator.integers(0, 2, count) << 28
        | np.sort(generator.integers(0, 64, (count // 16 + 1, 16))).ravel()[:count] << 22
    )
    words[::16] = 8 << 28 | np.arange(len(words[::16]))
    return words.astype("<u4")


def decoding(n_words: int, folder: Path) -> Iterator[list[Job]]:
    """EVT3 and EVT2: kernels into warm memory, and whole files."""
    kinds = (("EVT3", evt3_words, count_evt3, decode_evt3, "3.0"), ("EVT2", evt2_words, count_evt2, decode_evt2, "2.0"))
    for name, make, count, decode, version in kinds:
        words = make(n_words)
        path = folder / f"{name}.raw"
        path.write_bytes(f"% evt {version}\n% geometry {WIDTH}x{HEIGHT}\n% end\n".encode() + words.tobytes())
        events = int(count(words)[0])
        columns = tuple(np.zeros(events, dtype) for dtype in (np.int16, np.int16, np.int64, np.int8))
        yield [
            Job(
                f"{name} kernel, {events / 1e6:.1f} M events",
                len(words),
                "words",
                lambda w=words, c=count, d=decode, o=columns: (c(w), d(w, *o)),
            ),
            Job(f"{name} file to stream", len(words), "words", lambda p=path: read_events(p)),
            *copies(events),
        ]


def correcting(n_events: int) -> list[Job]:
    """Pairs of events at a pixel, and events without the lens."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, WIDTH, n_events), rng.integers(0, HEIGHT, n_events)
    t = np.cumsum(rng.integers(0, 40, n_events))
    polarity = rng.integers(0, 2, n_events)
    stream = EventStream.from_arrays(x, y, t, polarity, height=HEIGHT, width=WIDTH)
    K = torch.tensor([[1000.0, 0.0, WIDTH / 2], [0.0, 1000.0, HEIGHT / 2], [0.0, 0.0, 1.0]], dtype=torch.float64)
    bent = torch.tensor([-0.1, 0.02, 1e-4, -2e-4], dtype=torch.float64)
    radial, fisheye = (EventCamera(K, WIDTH, HEIGHT, model, bent) for model in ("opencv", "fisheye"))
    return [
        Job("pairing", n_events, "events", lambda: pair_events(stream)),
        Job("undistortion, OpenCV's lens", n_events, "events", lambda: undistort_events(stream, radial)),
        Job("undistortion, fisheye", n_events, "events", lambda: undistort_events(stream, fisheye)),
        *copies(n_events),
    ]


def simulating(n_frames: int = 200, height: int = 260, width: int = 346) -> list[Job]:
    """Events of a film that is in memory."""
    rng = np.random.default_rng(0)
    phase, speed = rng.uniform(0, 6.3, (height, width)), rng.uniform(5, 120, (height, width))
    frames = [(5_000_000 * i, np.exp(1.5 * np.sin(phase + speed * 5e-3 * i) - 1.5)) for i in range(n_frames)]
    ideal = SimulatedSensor(ContrastThresholds(0.1, 0.1))
    real = SimulatedSensor(
        ContrastThresholds(0.11, 0.09), (0.01, 0.01), refractory_period_ns=1000_000, leak_rate_hz=0.1
    )
    jobs = []
    for name, sensor in (("ideal sensor", ideal), ("refractory, leaking, uneven sensor", real)):
        events = len(simulate_frames(frames, sensor))
        what = f"simulator, {name}, {events / 1e6:.1f} M events"
        jobs.append(Job(what, events, "events", lambda s=sensor: simulate_frames(frames, s)))
    return [*jobs, *copies(events)]


def copies(events: int) -> list[Job]:
    """Memory copies of the bytes of some events: into memory that was touched before, and into fresh memory."""
    source = torch.zeros(events * EVENT_BYTES, dtype=torch.uint8)
    target = torch.zeros_like(source)
    n_bytes = 2 * len(source)
    return [
        Job("copy of the events, touched memory", n_bytes, "bytes", lambda: target.copy_(source)),
        Job("copy of the events, fresh memory", n_bytes, "bytes", lambda: source.clone()),
    ]


def peak_bytes(run: Callable[[], object]) -> int | None:
    """What a run adds to the process at most; None where the system does not tell (Linux does)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        run()
        return max(_status("VmHWM") - before, 0)
    except OSError:
        return None


def _status(key: str) -> int:
    match = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(match[1]) if match else 0


def print_table(jobs: list[Job], repeats: int) -> None:
    """Measure jobs in turns and print a line each."""
    times: dict[str, list[float]] = {job.what: [] for job in jobs}
    for turn in range(repeats + 1):
        for job in jobs:
            started = time.perf_counter()
            job.run()
            if turn:  # the first compiles
                times[job.what].append(time.perf_counter() - started)
    print("| what | M/s | best M/s | peak MB |\n|---|---|---|---|")
    for job in jobs:
        peak = peak_bytes(job.run)
        median, best = (
            job.amount / seconds / 1e6 for seconds in (statistics.median(times[job.what]), min(times[job.what]))
        )
        shown = "?" if peak is None else f"{peak / 1e6:.0f}"
        print(f"| {job.what} | {median:.0f} {job.unit} | {best:.0f} | {shown} |", flush=True)
    print()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=20, help="million words to decode")
    parser.add_argument("--events", type=int, default=20, help="million events to pair and to undistort")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    numba.set_num_threads(min(options.threads, numba.get_num_threads()))
    print(describe(), "", sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for jobs in decoding(options.words * 1_000_000, Path(folder)):
            print_table(jobs, options.repeats)
    print_table(correcting(options.events * 1_000_000), options.repeats)
    print_table(simulating(), options.repeats)


if __name__ == "__main__":
    main()
