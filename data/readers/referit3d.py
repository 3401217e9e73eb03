"""NR3D and SR3D of ReferIt3D: sentences that each mean one object of a ScanNet scene among others of its category.

What the columns mean was taken from the published description of the data; lists in them are parsed, never evaluated.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ...core.files import write_text
from ..augment import VIEW_WORDS, is_view_dependent
from ..referral import Referral
from .literal_lists import parse_integers, parse_texts

COARSE_TYPES = {
    "closest": "horizontal",
    "farthest": "horizontal",
    "above": "vertical",
    "below": "vertical",
    "supporting": "support",
    "supported-by": "support",
    "between": "between",
    "left": "allocentric",
    "right": "allocentric",
    "front": "allocentric",
    "back": "allocentric",
}
"""SR3D's reference types and what it groups them under."""

EASY = 2
"""Objects of the target's category, itself included, of an easy sentence at most."""

_NR3D_COLUMNS = (
    *("assignmentid", "stimulus_id", "utterance", "correct_guess", "speaker_id", "listener_id", "scan_id"),
    *("instance_type", "target_id", "tokens", "dataset", "mentions_target_class"),
    *("uses_object_lang", "uses_spatial_lang", "uses_color_lang", "uses_shape_lang"),
)
_SR3D_COLUMNS = (
    *("scan_id", "target_id", "distractor_ids", "utterance", "stimulus_id", "coarse_reference_type"),
    *("reference_type", "instance_type", "anchors_types", "anchor_ids", "tokens", "dataset", "mentions_target_class"),
    "correct_guess",
)
_WHERE = "published by ReferIt3D at https://github.com/referit3d/referit3d"
_LONGEST_STIMULUS = 2000
_STIMULUS = re.compile(r"([^-]+)-(.+?)-([0-9]{1,9})-([0-9]{1,9})((?:-[0-9]{1,9})*)")


def read_nr3d(
    path: str | PathLike[str], *, scans: Collection[str] | None = None, only_correct: bool = True
) -> tuple[Referral, ...]:
    """Sentences that people wrote, ``nr3d.csv``.

    Tags: "easy" where the scene has at most one other object of the target's category, else "hard"; "view-dependent" where
    one of the ten words stands in the sentence that depend on where one stands, else "view-independent".

    Args:
        path: The file.
        scans: Only sentences about these scenes; rows about others are not looked at.
        only_correct: Only sentences by which another person found the object (``correct_guess``), as the published test
            does; its training takes all.

    Raises:
        MissingPart: No such file, or a column is missing.
        CorruptFile: A row is malformed or contradicts itself; names the line, the column and what was found.
    """
    needed = ("scan_id", "target_id", "instance_type", "utterance", "stimulus_id", *(["correct_guess"] * only_correct))
    rows = _rows(Path(path), needed, f"NR3D's table nr3d.csv, {_WHERE}", scans)
    return tuple(_nr3d_referral(row) for row in rows if not only_correct or row.flag("correct_guess"))


def read_sr3d(
    path: str | PathLike[str], *, scans: Collection[str] | None = None, only_mentioning: bool = True
) -> tuple[Referral, ...]:
    """Sentences made from templates, ``sr3d.csv`` or ``sr3d+.csv``.

    Tags as :func:`read_nr3d`, and the reference type ("closest", "supported-by", ...; see ``COARSE_TYPES``).

    Args:
        path: The file.
        scans: Only sentences about these scenes; rows about others are not looked at.
        only_mentioning: Only sentences that name the target's category (``mentions_target_class``), as published.

    Raises:
        MissingPart, CorruptFile: As :func:`read_nr3d`.
    """
    needed = (
        *("scan_id", "target_id", "instance_type", "utterance", "distractor_ids", "reference_type"),
        *("anchor_ids", "anchors_types", *(["mentions_target_class"] * only_mentioning)),
    )
    rows = _rows(Path(path), needed, f"SR3D's table sr3d.csv, {_WHERE}", scans)
    return tuple(_sr3d_referral(row) for row in rows if not only_mentioning or row.flag("mentions_target_class"))


def read_scan_list(path: str | PathLike[str]) -> tuple[str, ...]:
    """Scene ids: a list as ReferIt3D writes it, ``["scene0000_00", ...]``, or one a line as ScanNet does.

    Raises:
        MissingPart: No such file.
        CorruptFile: It holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is a list of scenes, {_WHERE} under referit3d/data/language")
    text = _decoded(path)
    try:
        scans = parse_texts(text) if text.lstrip().startswith("[") else tuple(text.split())
    except InvalidInput as error:
        raise CorruptFile(path, "the list of scenes", str(error)) from error
    odd = next((scan for scan in scans if not re.fullmatch(r"\w+", scan)), None)
    if odd is not None:
        raise CorruptFile(path, "the list of scenes", f"found {odd!r:.60}, expected ids such as scene0000_00")
    return scans


def write_scan_list(path: str | PathLike[str], scans: Sequence[str]) -> None:
    """Write scene ids as ReferIt3D does, atomically."""
    write_text(path, "[" + ", ".join(f'"{scan}"' for scan in scans) + "]")


def write_nr3d(
    path: str | PathLike[str], referrals: Sequence[Referral], categories: Mapping[str, Mapping[int, str]]
) -> None:
    """Write sentences in NR3D's layout, atomically.

    Args:
        path: The file.
        referrals: Their tags are not written: the reader makes its own.
        categories: Of each scene's objects, by scene and object id; the distractors are found in it.

    Raises:
        InvalidInput: ``categories`` has not the target.
    """
    rows = []
    for number, referral in enumerate(referrals):
        own = _shared_columns(referral, categories)
        rows.append({"assignmentid": number, "speaker_id": 0, "listener_id": 0, "dataset": "nr3d", **own})
    _write(path, _NR3D_COLUMNS, rows)


def write_sr3d(
    path: str | PathLike[str], referrals: Sequence[Referral], categories: Mapping[str, Mapping[int, str]]
) -> None:
    """Write sentences in SR3D's layout, atomically.

    Args:
        path: The file.
        referrals: Each with a reference type among its tags, and with anchors.
        categories: As :func:`write_nr3d`.

    Raises:
        InvalidInput: No reference type or anchor, or ``categories`` has not an object.
    """
    rows = []
    for referral in referrals:
        kind = next((tag for tag in referral.tags if tag in COARSE_TYPES), None)
        if kind is None or not referral.anchor_ids:
            raise InvalidInput(
                f"{referral.sentence!r} has the tags {referral.tags} and {len(referral.anchor_ids)} anchors; SR3D needs "
                f"one of the types {', '.join(COARSE_TYPES)} and an anchor"
            )
        types = [_category(referral.scene_id, i, categories) for i in referral.anchor_ids]
        rows.append(
            {
                "distractor_ids": _distractors(referral, categories),
                "coarse_reference_type": COARSE_TYPES[kind],
                "reference_type": kind,
                "anchors_types": types,
                "anchor_ids": list(referral.anchor_ids),
                "dataset": "sr3d",
                **_shared_columns(referral, categories),
            }
        )
    _write(path, _SR3D_COLUMNS, rows)


# Rows


@dataclass(frozen=True)
class _Row:
    """One row of a table, and where it is."""

    path: Path
    line: int
    values: Mapping[str, str]

    def fault(self, column: str, problem: str) -> CorruptFile:
        return CorruptFile(
            self.path, f"line {self.line}, column {column}", f"{problem}; fetch the file again or mend the row"
        )

    def text(self, column: str) -> str:
        value = " ".join(self.values[column].split())
        if not value:
            raise self.fault(column, "found nothing, expected text")
        return value

    def number(self, column: str) -> int:
        value = self.values[column].strip()
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise self.fault(column, f"found {value!r:.60}, expected a whole number of at least 0")
        return int(value)

    def flag(self, column: str) -> bool:
        value = self.values[column].strip().lower()
        if value not in ("true", "false"):
            raise self.fault(column, f"found {value!r:.60}, expected True or False")
        return value == "true"

    def numbers(self, column: str) -> tuple[int, ...]:
        try:
            numbers = parse_integers(self.values[column])
        except InvalidInput as error:
            raise self.fault(column, str(error)) from error
        if min(numbers, default=0) < 0:
            raise self.fault(column, f"found {min(numbers)}, expected ids of at least 0")
        return numbers

    def texts(self, column: str) -> tuple[str, ...]:
        try:
            return parse_texts(self.values[column])
        except InvalidInput as error:
            raise self.fault(column, str(error)) from error


def _rows(path: Path, needed: Sequence[str], what: str, scans: Collection[str] | None) -> Iterator[_Row]:
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is {what}")
    reader = csv.reader(io.StringIO(_decoded(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        missing = [column for column in needed if column not in header]
        if missing:
            raise MissingPart(f"{path}: no column {', '.join(missing)} in {header!r:.120}; expected {what}")
        if len(set(header)) < len(header):
            raise CorruptFile(path, "line 1", f"a column stands twice in {header!r:.120}")
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                raise CorruptFile(
                    path,
                    f"line {reader.line_num}",
                    f"found {len(values)} values for {len(header)} columns; a quotation mark or line end may be missing",
                )
            row = _Row(path, reader.line_num, dict(zip(header, values, strict=True)))
            if scans is None or row.text("scan_id") in scans:
                yield row
    except csv.Error as error:
        raise CorruptFile(path, f"line {reader.line_num}", f"no CSV ({error}); fetch the file again") from error


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CorruptFile(path, f"line {line}", "no text in UTF-8; save or fetch it as UTF-8") from error


def _nr3d_referral(row: _Row) -> Referral:
    distractors = _checked_stimulus(row)
    return Referral(
        row.text("scan_id"),
        row.text("utterance"),
        row.number("target_id"),
        row.text("instance_type").replace("_", " "),
        tags=_tags(row, len(distractors)),
    )


def _sr3d_referral(row: _Row) -> Referral:
    distractors, anchors = row.numbers("distractor_ids"), row.numbers("anchor_ids")
    if "stimulus_id" in row.values:
        stimulus = _checked_stimulus(row)
        if sorted(stimulus) != sorted(distractors):
            raise row.fault("distractor_ids", f"found {list(distractors)}, but stimulus_id has {list(stimulus)}")
    types, kind = row.texts("anchors_types"), row.text("reference_type")
    if len(types) != len(anchors):
        raise row.fault("anchors_types", f"found {len(types)} categories for {len(anchors)} anchor_ids")
    if kind not in COARSE_TYPES:
        raise row.fault("reference_type", f"found {kind!r:.60}, expected one of {', '.join(COARSE_TYPES)}")
    return Referral(
        row.text("scan_id"),
        row.text("utterance"),
        row.number("target_id"),
        row.text("instance_type").replace("_", " "),
        anchors,
        (*_tags(row, len(distractors)), kind),
    )


def _checked_stimulus(row: _Row) -> tuple[int, ...]:
    """The distractors that ``stimulus_id`` names: scan-category-number of objects-target-distractors."""
    text = row.text("stimulus_id")
    match = _STIMULUS.fullmatch(text) if len(text) <= _LONGEST_STIMULUS else None
    if match is None:
        raise row.fault("stimulus_id", f"found {text!r:.80}, expected such as scene0525_00-plant-3-9-10-11")
    scan, category, count, target, rest = match.groups()
    distractors = tuple(int(word) for word in rest.split("-")[1:])
    if int(count) != len(distractors) + 1:
        raise row.fault("stimulus_id", f"found {text!r:.80}: {count} objects, but {len(distractors)} beside the target")
    for column, found, other in (
        ("scan_id", row.text("scan_id"), scan),
        ("target_id", str(row.number("target_id")), str(int(target))),
        ("instance_type", row.text("instance_type").replace("_", " "), category.replace("_", " ")),
    ):
        if found != other:
            raise row.fault(column, f"found {found!r:.60}, but stimulus_id is {text!r:.80}")
    return distractors


def _tags(row: _Row, n_distractors: int) -> tuple[str, str]:
    if row.values.get("tokens", "").strip():
        depends = not VIEW_WORDS.isdisjoint(word.lower() for word in row.texts("tokens"))
    else:
        depends = is_view_dependent(row.text("utterance"))
    return (
        "easy" if n_distractors + 1 <= EASY else "hard",
        "view-dependent" if depends else "view-independent",
    )


# Writing


def _shared_columns(referral: Referral, categories: Mapping[str, Mapping[int, str]]) -> dict[str, object]:
    distractors = _distractors(referral, categories)
    category = _category(referral.scene_id, referral.target_id, categories)
    parts = (referral.scene_id, category.replace(" ", "_"), len(distractors) + 1, referral.target_id, *distractors)
    return {
        "scan_id": referral.scene_id,
        "stimulus_id": "-".join(map(str, parts)),
        "utterance": referral.sentence,
        "instance_type": category,
        "target_id": referral.target_id,
        "tokens": re.findall(r"\w+|[^\w\s]", referral.sentence.lower()),
        "mentions_target_class": True,
        "correct_guess": True,
    }


def _distractors(referral: Referral, categories: Mapping[str, Mapping[int, str]]) -> list[int]:
    category = _category(referral.scene_id, referral.target_id, categories)
    alike = (i for i, name in categories[referral.scene_id].items() if name == category)
    return sorted(i for i in alike if i != referral.target_id)


def _category(scene_id: str, object_id: int, categories: Mapping[str, Mapping[int, str]]) -> str:
    try:
        return categories[scene_id][object_id]
    except KeyError:
        raise InvalidInput(f"scene {scene_id} has no object {object_id} among the categories given") from None


def _write(path: str | PathLike[str], columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
