"""Events as text: any usual order of columns, times to the last decimal, and lines that are none."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, MissingPart, UnknownFormat
from trisparse.data.event_stream import EventStream
from trisparse.data.readers.decimal_text import read_decimal_table
from trisparse.data.readers.event_text import write_event_text
from trisparse.data.readers.events import read_events

from .event_encoders import Event, event_lists, some_events
from .test_prophesee import events_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of hypothesis."""
    return tmp_path_factory.mktemp("text")


def write(folder: Path, text: str) -> Path:
    """A file of some text."""
    (folder / "events.txt").write_text(text)
    return folder / "events.txt"


@given(events=event_lists(start=-3000), offset=st.sampled_from((0, 10**18, 123)))
def test_what_was_written_is_read_to_the_nanosecond(folder: Path, events: list[Event], offset: int) -> None:
    x, y, p = (np.array([getattr(e, name) for e in events]) for name in "xyp")
    t_ns = np.array([1000 * e.t for e in events], np.int64) + offset
    write_event_text(folder / "a.txt", EventStream.from_arrays(x, y, t_ns, p, height=480, width=640))
    stream = read_events(folder / "a.txt", size=(640, 480)).stream
    assert stream.t_ns.tolist() == t_ns.tolist()
    assert stream.x.tolist() == x.tolist()
    assert stream.y.tolist() == y.tolist()
    assert stream.polarity.tolist() == p.tolist()


@pytest.mark.parametrize(
    "line",
    ["{t} {x} {y} {p}", "{x},{y},{p},{t}", "{x}\t{y}\t{t}\t{p}", "{t};{p};{x};{y}", "  {t}.0 {x} {y} {p}.0 \r"],
)
def test_columns_are_told_by_their_numbers(tmp_path: Path, line: str) -> None:
    events = some_events(200, start=50_000, span=400_000)
    text = "".join(line.format(t=e.t, x=e.x, y=e.y, p=int(e.p > 0)) + "\n" for e in events)
    file = read_events(write(tmp_path, text))
    assert events_of(file.stream) == events
    assert any("taken as microseconds, which gives" in note for note in file.notes)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("x,y,p,t\n", "{x},{y},{p},{t}"),
        ("t[us] x y polarity\n", "{t} {x} {y} {p}"),
        ("timestamp_us;p;y;x\n", "{t};{p};{y};{x}"),
        ("# t y x p\n# of v2e\n", "{t} {x} {y} {p}"),
        ("640 480\n", "{t} {x} {y} {p}"),
    ],
)
def test_a_first_line_may_name_the_columns_or_the_size(tmp_path: Path, header: str, line: str) -> None:
    events = some_events(300, start=0, span=90_000)
    text = header + "".join(line.format(t=e.t, x=e.x, y=e.y, p=e.p) + "\n" for e in events)
    file = read_events(write(tmp_path, text))
    assert events_of(file.stream) == events
    assert any("how large the sensor is" in note for note in file.notes) == (header != "640 480\n")
    assert any("taken as microseconds" in note for note in file.notes) == ("us" not in header)


def test_seconds_of_an_epoch_keep_their_nanoseconds(tmp_path: Path) -> None:
    lines = "1468939993.067416019 3 4 1\n1468939993.067416020 5 6 0\n"
    file = read_events(write(tmp_path, lines))
    assert file.stream.t_ns.tolist() == [1468939993067416019, 1468939993067416020]
    assert "the times have fractions and were taken as seconds" in file.notes


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("0.1 3 4 1\n0.2 3 4\n", CorruptFile, "line 2: holds fewer numbers than the first line"),
        ("0.1 3 4 1\n# x\n\n0.2 3 4 1 9\n", CorruptFile, "line 4: holds more numbers"),
        ("0.1 3 4 1\n0.2 3 x 1\n", CorruptFile, "line 2: holds something that is no number"),
        ("0.1 3 4 1\n" * 20_000 + "0.2 3 x 1\n", CorruptFile, "line 20001: holds something that is no number"),
        ("0.1 3 4 1\n" * 20_000 + "0.2 3 4 nan\n", CorruptFile, "line 20001: holds something that is no number"),
        ("0.1 3 4 1\n" * 20_000 + "1" * 30 + " 3 4 1\n", CorruptFile, "line 20001: .* more than 18 digits"),
        ("0.1 3 4 1\n0.2 3 4 2\n", CorruptFile, "columns: the first row is 0.1 3 4 1, and no order of time"),
        ("0.1 3.5 4 1\n", CorruptFile, "no order of time"),
        ("1e15 3 4 1\n1.5e15 3 4 0\n9e18 3 4 0\n", CorruptFile, "line 3: a number of"),
        ("x,y,p,when\n1,2,1,4\n", UnknownFormat, "begins with"),
        ("hello world\n", UnknownFormat, "no recording does"),
        ("", CorruptFile, "the file is empty"),
        ("# nothing\n", UnknownFormat, "begins with"),
    ],
)
def test_lines_that_are_no_events_are_named(tmp_path: Path, text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        read_events(write(tmp_path, text))


numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=9)


@given(rows=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), style=st.sampled_from(("f", "e", "+")))
def test_decimals_are_parsed_without_loss(folder: Path, rows: list[tuple[Decimal, Decimal]], style: str) -> None:
    form = {"f": "{:f}", "e": "{:.18e}", "+": "{:+f}"}[style]
    path = folder / "numbers.txt"
    path.write_text("".join(f"{form.format(a)} {form.format(b)}\n" for a, b in rows))
    table = read_decimal_table(path, "numbers")
    for i in (0, 1):
        assert table.scaled(i, 9).tolist() == [int(row[i] * 10**9) for row in rows]
        assert table.scaled(i, 0).tolist() == [round(row[i]) for row in rows]  # halves to even, as here
        np.testing.assert_allclose(table.floats(i), [float(row[i]) for row in rows], rtol=1e-15)
        assert table.is_whole(i) == all(row[i] == int(row[i]) for row in rows)


def test_a_number_beyond_the_range_is_told_with_its_line(tmp_path: Path) -> None:
    table = read_decimal_table(write(tmp_path, "1\n5e18\n"), "numbers")
    assert table.floats(0).tolist() == [1, 5e18]
    with pytest.raises(CorruptFile, match=r"line 2: a number of 10\^19, which is out of range"):
        table.scaled(0, 9)


def test_numbers_far_below_the_resolution_become_zero(tmp_path: Path) -> None:
    table = read_decimal_table(write(tmp_path, "9e-30\n-9e-30\n9223372036854775799e-40\n"), "numbers")
    assert table.scaled(0, 9).tolist() == [0, 0, 0]
    assert not table.is_whole(0)


def test_a_table_without_numbers_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="holds no numbers; expected poses"):
        read_decimal_table(write(tmp_path, "# only words\n\n"), "poses")
