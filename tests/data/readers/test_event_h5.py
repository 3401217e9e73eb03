"""HDF5: the layouts that data sets have, offsets, parts by time, and files that lead elsewhere or claim too much."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trisparse.core.errors import BackendUnavailable, CorruptFile, DataError, MissingPart, UnknownFormat, UnsafeFile
from trisparse.data.readers.event_h5 import read_event_h5
from trisparse.data.readers.event_tidy import tidy
from trisparse.data.readers.events import read_events

from .event_encoders import Event, some_events
from .test_prophesee import events_of

h5py = pytest.importorskip("h5py", reason="HDF5 files are read through h5py (pip install 'trisparse[events]')")

EVENTS = some_events(400, start=2_000_000, span=3_000_000, width=600)


def columns(events: list[Event] = EVENTS) -> dict[str, np.ndarray]:
    """x, y, t in microseconds, p."""
    return {
        "x": np.array([e.x for e in events], np.uint16),
        "y": np.array([e.y for e in events], np.uint16),
        "t": np.array([e.t for e in events], np.int64),
        "p": np.array([e.p > 0 for e in events], np.uint8),
    }


def fill(group: Any, names: str = "xytp", **kind: Any) -> None:
    """Columns as data sets of a group."""
    for name, values in zip(names.split() if " " in names else names, columns().values(), strict=True):
        group.create_dataset(name, data=values, **kind)


def tumvie(file: Any) -> None:
    fill(file.create_group("events"), compression="gzip")
    file["events_ms_to_idx"] = np.zeros(4, np.uint64)


def eds(file: Any) -> None:
    fill(file)


def dsec(file: Any) -> None:
    fill(file.create_group("events"))
    file["events/t"][:] -= 1_500_000
    file["t_offset"] = np.int64(1_500_000)
    t = file["events/t"][:]
    file["ms_to_idx"] = np.searchsorted(t, 1000 * np.arange(t[-1] // 1000 + 1)).astype(np.uint64)


def m3ed(file: Any) -> None:
    fill(file.create_group("prophesee/left"))


def mvsec(file: Any) -> None:
    c = columns()
    table = np.stack([c["x"], c["y"], c["t"] / 1e6, 2.0 * c["p"] - 1], 1)
    file.create_dataset("davis/left/events", data=table)


def e2vid(file: Any) -> None:
    fill(file.create_group("events"), "xs ys ts ps")
    seconds = file["events/ts"][:] / 1e6
    del file["events/ts"]
    file["events/ts"] = seconds
    file.attrs["sensor_resolution"] = (480, 640)


def v2e(file: Any) -> None:
    c = columns()
    file["events"] = np.stack([c["t"], c["x"], c["y"], c["p"]], 1).astype(np.uint32)


def metavision(file: Any) -> None:
    c = columns()
    table = np.zeros(len(EVENTS), [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    for name in "xytp":
        table[name] = c[name]
    file.create_dataset("CD/events", data=table)


def write(folder: Path, fill_in: Callable[[Any], None]) -> Path:
    """A file of one layout."""
    with h5py.File(folder / "events.h5", "w") as file:
        fill_in(file)
    return folder / "events.h5"


@pytest.mark.parametrize("layout", [tumvie, eds, dsec, m3ed, mvsec, e2vid, v2e, metavision])
def test_every_layout_gives_the_same_events(tmp_path: Path, layout: Callable[[Any], None]) -> None:
    file = read_events(write(tmp_path, layout))
    assert events_of(file.stream) == EVENTS
    assert (file.stream.width, file.stream.height) == (640, 480)
    guessed = [note for note in file.notes if "times were taken as" in note]
    assert len(guessed) == (layout in (e2vid, v2e))  # the others say their unit


@pytest.mark.parametrize("compression", ["blosc", "zstd", "lz4"])
def test_compressions_of_the_data_sets_are_read(tmp_path: Path, compression: str) -> None:
    plugin = pytest.importorskip("hdf5plugin", reason="Blosc needs hdf5plugin (pip install 'trisparse[events]')")
    kind = {"blosc": plugin.Blosc, "zstd": plugin.Zstd, "lz4": plugin.LZ4}[compression]()
    path = write(tmp_path, lambda file: fill(file.create_group("events"), **kind))
    assert events_of(read_events(path).stream) == EVENTS


@pytest.mark.parametrize("layout", [dsec, tumvie])
@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (27e5, 34e5 + 1), (None, 25e5), (4e6, None), (0, 10), (9e7, 9e8), (3e6, 2e6)],
)
def test_a_part_by_time_is_the_same_part_of_the_whole(
    tmp_path: Path, layout: Callable[[Any], None], start: float | None, end: float | None
) -> None:
    path = write(tmp_path, layout)
    bounds = [None if bound is None else int(1000 * bound) for bound in (start, end)]
    raw = read_event_h5(path, start_ns=bounds[0], end_ns=bounds[1])
    low, high = (0 if start is None else start), (1e12 if end is None else end)
    wanted = [event for event in EVENTS if low <= event.t < high]
    assert len(raw.t) == len(wanted)
    if wanted:
        assert events_of(tidy(path, raw).stream) == wanted


def test_a_part_does_not_trust_a_wrong_index(tmp_path: Path) -> None:
    path = write(tmp_path, dsec)
    with h5py.File(path, "r+") as file:
        file["ms_to_idx"][:] = 10**9
    assert len(read_event_h5(path, start_ns=2_700_000_000).t) == sum(e.t >= 2_700_000 for e in EVENTS)


def test_a_part_needs_a_known_unit(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="does not say the unit of the times"):
        read_event_h5(write(tmp_path, e2vid), start_ns=5)


def test_one_of_several_sensors_is_read(tmp_path: Path) -> None:
    def both(file: Any) -> None:
        fill(file.create_group("prophesee/left"))
        fill(file.create_group("prophesee/right"))
        file["prophesee/right/x"][:] = 7

    path = write(tmp_path, both)
    file = read_events(path)
    assert events_of(file.stream) == EVENTS
    assert file.notes[0] == "of several sensors prophesee/left was read; there are also prophesee/right"
    assert set(read_events(path, part="prophesee/right").stream.x.tolist()) == {7}
    for part, message in (("prophesee", "holds no events"), ("nowhere", "no 'nowhere'")):
        with pytest.raises(MissingPart, match=message):
            read_events(path, part=part)


@pytest.mark.parametrize("missing", ["x", "y", "t", "p"])
def test_a_missing_data_set_is_named(tmp_path: Path, missing: str) -> None:
    def incomplete(file: Any) -> None:
        fill(file.create_group("events"))
        del file["events"][missing]

    name = {"p": "polarity"}.get(missing, missing)
    with pytest.raises(
        MissingPart, match=rf"the group 'events' has .*, but no data set {name} \({missing} or {missing}s"
    ):
        read_events(write(tmp_path, incomplete))


def test_a_file_of_something_else_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"no events in any group \(found images\); expected data sets x, y, t and p"):
        read_events(write(tmp_path, lambda file: file.create_group("images")))


def test_the_codec_of_prophesee_is_refused_with_advice(tmp_path: Path) -> None:
    def ecf(file: Any) -> None:
        kind = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kind.set_chunk((64,))
        kind.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL, ())
        dtype = h5py.h5t.py_create(np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]))
        group = file.create_group("CD")
        h5py.h5d.create(group.id, b"events", dtype, h5py.h5s.create_simple((64,)), kind)

    with pytest.raises(
        UnknownFormat, match=r"Prophesee's own filter \(ECF\), which is not supported; convert the file to RAW"
    ):
        read_events(write(tmp_path, ecf))


def test_a_data_set_that_was_never_filled_takes_no_memory(tmp_path: Path) -> None:
    def absurd(file: Any) -> None:
        for name in "xytp":
            file.create_dataset(f"events/{name}", (1 << 40,), "i8", chunks=(1 << 16,))

    with pytest.raises(CorruptFile, match=r"claims 8796093022208 bytes of which 0 are stored"):
        read_events(write(tmp_path, absurd))


def test_data_in_other_files_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, eds).rename(tmp_path / "other.h5")

    def external_link(file: Any) -> None:
        file["events"] = h5py.ExternalLink("other.h5", "/")

    def external_data(file: Any) -> None:
        fill(file)
        del file["x"]
        file.create_dataset("x", (400,), "u2", external=[(str(tmp_path / "other.h5"), 0, 800)])

    def virtual(file: Any) -> None:
        fill(file)
        del file["x"]
        layout = h5py.VirtualLayout((400,), "u2")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (400,))
        file.create_virtual_dataset("x", layout)

    for layout in (external_link, external_data, virtual):
        with pytest.raises((UnsafeFile, MissingPart)):
            read_events(write(tmp_path, layout))
    with pytest.raises(UnsafeFile, match=r"'events' leads into another file, 'other\.h5'"):
        read_events(write(tmp_path, external_link), part="events")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("t_offset", np.zeros(3), "t_offset: is array"),
        ("events/x", np.zeros(5, np.int64), "data sets of different lengths"),
        ("events/x", np.array([b"a"] * 400), r"holds \|S1, expected numbers"),
    ],
)
def test_data_sets_that_are_no_columns_are_refused(tmp_path: Path, name: str, values: np.ndarray, message: str) -> None:
    def changed(file: Any) -> None:
        fill(file.create_group("events"))
        file.pop(name, None)
        file[name] = values

    with pytest.raises(CorruptFile, match=message):
        read_events(write(tmp_path, changed))


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, tumvie)
    content = path.read_bytes()
    for cut in (9, 600, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"events\.h5"):
            read_events(path)


def test_damage_is_a_stream_or_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, tumvie)
    content, generator = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for place in generator.integers(8, len(content), 4):
            damaged[place] = generator.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            stream = read_events(path).stream
        except (DataError, BackendUnavailable):
            continue
        assert (np.diff(stream.t_ns) >= 0).all()


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, eds)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        BackendUnavailable, match=r"h5py, which cannot be imported .* pip install 'trisparse\[events\]'"
    ):
        read_events(path)
