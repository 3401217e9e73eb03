"""What an evaluation on ScanRefer, NR3D or SR3D came to: lines of the table, published figures beside it, how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .datasets import OFFICIAL_MULTIPLE, OFFICIAL_UNIQUE, TSP3D_MULTIPLE, TSP3D_UNIQUE, Dataset, Questions
from .evaluation import Group, ReportRow, SentenceResult, other_tags, report
from .evaluation_page import Page
from .part_times import PartTime, part_times

TITLES: dict[Dataset, str] = {"scanrefer": "ScanRefer", "nr3d": "NR3D", "sr3d": "SR3D"}

_LINES: dict[Dataset, tuple[tuple[str, str], ...]] = {
    "scanrefer": (
        (OFFICIAL_UNIQUE, "unique (ScanRefer's definition)"),
        (OFFICIAL_MULTIPLE, "multiple (ScanRefer's definition)"),
        (TSP3D_UNIQUE, "unique (TSP3D's definition)"),
        (TSP3D_MULTIPLE, "multiple (TSP3D's definition)"),
    ),
    "nr3d": tuple((name, name) for name in ("easy", "hard", "view-dependent", "view-independent")),
    "sr3d": tuple((name, name) for name in ("easy", "hard", "view-dependent", "view-independent")),
}
"""Tags that every report of a data set lists first, and what they are called there."""

PUBLISHED: dict[Dataset, dict[str, tuple[float | None, float | None]]] = {
    "scanrefer": {
        "all": (56.45, 46.71),
        "unique (TSP3D's definition)": (None, 71.41),
        "multiple (TSP3D's definition)": (None, 42.37),
    },
    "nr3d": {"all": (48.7, 37.0)},
    "sr3d": {"all": (57.1, 44.1)},
}
"""Percent at 0.25 and 0.5 that the paper and the README of TSP3D report for its own weights, for orientation only."""


PARTS = {
    "backbone": "voxels and backbone, a scene",
    "text": "text encoder, a sentence",
    "head": "fusion, pruning, boxes, a sentence",
    "sentence": "all of them, a sentence alone",
}
"""What the parts of a sentence's time are called in tables."""


@dataclass(frozen=True)
class DatasetReport:
    """What came out; percent values are shares here."""

    dataset: Dataset
    split: str
    weights: str
    scenes: int
    sentences: int
    left_out: int
    """Sentences whose object the scan does not have, or has no point of."""
    rows: tuple[ReportRow, ...]
    times: tuple[PartTime, ...]
    """Milliseconds."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the published figures beside."""
        published = {
            name: {"Acc@0.25": quarter, "Acc@0.5": half} for name, (quarter, half) in PUBLISHED[self.dataset].items()
        }
        return {**asdict(self), "published_tsp3d_percent": published}


def make_report(
    weights: str, questions: Questions, scenes: Sequence[str], results: Sequence[SentenceResult]
) -> DatasetReport:
    """The report on some scenes of a data set.

    Args:
        weights: What they are called.
        questions: All sentences of the split.
        scenes: Those that were evaluated.
        results: Of these scenes.
    """
    dataset = questions.files.dataset
    asked = sum(len(questions.by_scene[scene_id]) for scene_id in scenes)
    notes = list(questions.notes)
    if len(results) < asked:
        notes.append(
            f"{asked - len(results)} of {asked} sentences are left out: their object is not in the scan's points"
        )
    if len(scenes) < len(questions.by_scene):
        notes.append(f"only the first {len(scenes)} of {len(questions.by_scene)} scenes")
    times = part_times([r.milliseconds for r in results], [r.scene_id for r in results])
    return DatasetReport(
        dataset=dataset,
        split=questions.files.split,
        weights=weights,
        scenes=len(scenes),
        sentences=len(results),
        left_out=asked - len(results),
        rows=tuple(report(results, _groups(dataset, questions, results))),
        times=tuple(times),
        notes=tuple(notes),
    )


def _groups(dataset: Dataset, questions: Questions, results: Sequence[SentenceResult]) -> list[Group]:
    listed = _LINES[dataset]
    groups: list[Group] = [("all", lambda r: True)]
    if dataset == "scanrefer" and not questions.labels:
        groups.append(("unique by the category's name", lambda r: r.distractors == 0))
        groups.append(("multiple by the category's name", lambda r: r.distractors > 0))
    groups += [(name, lambda r, tag=tag: tag in r.tags) for tag, name in listed]
    return [*groups, *other_tags(results, tuple(tag for tag, _ in listed))]


def page_of(made: DatasetReport) -> Page:
    """What the page of a report says."""
    facts = (
        ("weights", made.weights),
        ("data set", f"{TITLES[made.dataset]}, {made.split}"),
        ("scenes", str(made.scenes)),
        ("sentences", str(made.sentences)),
        ("TSP3D's own figures for its weights, for orientation", _published_text(made.dataset, "all")),
    )
    times = [replace(time, name=PARTS.get(time.name, time.name)) for time in made.times]
    return Page(f"Grounding on {TITLES[made.dataset]}", facts, made.rows, times, made.notes)


def _published_text(dataset: Dataset, row: str) -> str:
    values = PUBLISHED[dataset].get(row, (None, None))
    return " / ".join("-" if value is None else str(value) for value in values) if any(values) else ""


def print_dataset_report(made: DatasetReport) -> None:
    """Tables of accuracy and time."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=150)
    table = Table(title=f"{TITLES[made.dataset]} {made.split}, percent with 95 % intervals over scenes")
    table.add_column("sentences")
    columns = ("n", "Acc@0.25", "Acc@0.5", "other sentence's\nanswer @0.25", "random of\ncategory @0.25")
    for name in (*columns, "TSP3D's own\n@0.25 / @0.5"):
        table.add_column(name, justify="right")
    for row in made.rows:
        baselines = (f"{100 * rate.value:.1f}" for rate in (row.shuffled[0], row.random_of_category[0]))
        rates = (str(row.accuracy[0]), str(row.accuracy[1]))
        table.add_row(row.name, str(row.count), *rates, *baselines, _published_text(made.dataset, row.name))
    console.print(table)
    console.print(
        "TSP3D's own: what its paper and README report for its weights on the whole split; for orientation, not measured here.",
        highlight=False,
    )
    table = Table(title="time by part, ms", title_justify="left")
    for name in ("part", "median", "90th percentile", "n"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for time in made.times:
        table.add_row(PARTS.get(time.name, time.name), f"{time.median:.1f}", f"{time.slow:.1f}", str(time.count))
    console.print(table)
    for note in made.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
