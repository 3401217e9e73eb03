"""NR3D and SR3D tables: what rows mean, and one plain error for each way in which they can be broken."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.readers.referit3d import (
    COARSE_TYPES,
    read_nr3d,
    read_scan_list,
    read_sr3d,
    write_nr3d,
    write_scan_list,
    write_sr3d,
)
from trisparse.data.referral import Referral

NR3D = {
    "assignmentid": "17",
    "stimulus_id": "scene0525_00-trash_can-3-9-10-11",
    "utterance": "The bin, furthest to the left.",
    "correct_guess": "True",
    "scan_id": "scene0525_00",
    "instance_type": "trash can",
    "target_id": "9",
    "tokens": "['the', 'bin', ',', 'furthest', 'to', 'the', 'left', '.']",
    "mentions_target_class": "False",
}
SR3D = {
    "scan_id": "scene0525_00",
    "target_id": "9",
    "distractor_ids": "[10]",
    "utterance": "the chair that is between the table and the trash can",
    "stimulus_id": "scene0525_00-chair-2-9-10",
    "reference_type": "between",
    "instance_type": "chair",
    "anchors_types": "['table', 'trash can']",
    "anchor_ids": "[3, 4]",
    "mentions_target_class": "True",
}


def _write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_of_nr3d_is_a_sentence_with_its_tags(tmp_path: Path) -> None:
    (referral,) = read_nr3d(_write(tmp_path / "nr3d.csv", NR3D))

    assert referral == Referral(
        "scene0525_00", "The bin, furthest to the left.", 9, "trash can", (), ("hard", "view-dependent")
    )


def test_a_row_of_sr3d_has_anchors_and_a_reference_type(tmp_path: Path) -> None:
    (referral,) = read_sr3d(_write(tmp_path / "sr3d.csv", SR3D))

    assert referral.anchor_ids == (3, 4)
    assert referral.tags == ("easy", "view-independent", "between")


@pytest.mark.parametrize(
    ("stimulus", "difficulty"),
    [
        ("scene0525_00-trash_can-1-9", "easy"),
        ("scene0525_00-trash_can-2-9-4", "easy"),
        ("scene0525_00-trash_can-3-9-4-5", "hard"),
    ],
)
def test_hard_is_more_than_one_other_object_of_the_category(tmp_path: Path, stimulus: str, difficulty: str) -> None:
    (referral,) = read_nr3d(_write(tmp_path / "nr3d.csv", {**NR3D, "stimulus_id": stimulus}))
    assert difficulty in referral.tags


@pytest.mark.parametrize(
    ("utterance", "tokens", "kind"),
    [
        ("the bin behind me", "", "view-dependent"),
        ("Left of it.", "", "view-dependent"),
        ("the leftover bin", "", "view-independent"),
        ("the bin to the lefft", "['the', 'bin', 'to', 'the', 'left']", "view-dependent"),
    ],
)
def test_view_dependent_is_what_holds_one_of_the_ten_words(
    tmp_path: Path, utterance: str, tokens: str, kind: str
) -> None:
    (referral,) = read_nr3d(_write(tmp_path / "nr3d.csv", {**NR3D, "utterance": utterance, "tokens": tokens}))
    assert kind in referral.tags


def test_a_test_takes_what_people_found_and_training_takes_all(tmp_path: Path) -> None:
    path = _write(tmp_path / "nr3d.csv", NR3D, {**NR3D, "correct_guess": "false"})
    assert len(read_nr3d(path)) == 1
    assert len(read_nr3d(path, only_correct=False)) == 2


def test_sr3d_takes_what_names_the_category(tmp_path: Path) -> None:
    path = _write(tmp_path / "sr3d.csv", SR3D, {**SR3D, "mentions_target_class": "False"})
    assert len(read_sr3d(path)) == 1
    assert len(read_sr3d(path, only_mentioning=False)) == 2


def test_only_the_scenes_asked_for_are_looked_at(tmp_path: Path) -> None:
    path = _write(tmp_path / "nr3d.csv", NR3D, {**NR3D, "scan_id": "scene0001_00", "target_id": "broken"})
    assert [r.scene_id for r in read_nr3d(path, scans={"scene0525_00"})] == ["scene0525_00"]
    assert read_nr3d(path, scans=()) == ()


def test_a_sentence_over_several_lines_and_blank_lines_are_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "nr3d.csv", {**NR3D, "utterance": 'the "big"\n one'})
    path.write_text(path.read_text() + "\n\n")
    assert read_nr3d(path)[0].sentence == 'the "big" one'


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        ({"target_id": "nine"}, "target_id", "'nine', expected a whole number"),
        ({"target_id": "-9"}, "target_id", "'-9', expected a whole number"),
        ({"target_id": "8"}, "target_id", "'8', but stimulus_id is 'scene0525_00-trash_can-3-9-10-11'"),
        ({"scan_id": "scene0001_00"}, "scan_id", "'scene0001_00', but stimulus_id"),
        ({"instance_type": "chair"}, "instance_type", "'chair', but stimulus_id"),
        ({"stimulus_id": "scene0525_00-trash_can-4-9-10-11"}, "stimulus_id", "4 objects, but 2 beside the target"),
        ({"stimulus_id": "scene0525_00"}, "stimulus_id", "expected such as scene0525_00-plant-3-9-10-11"),
        ({"stimulus_id": "s-" + "1-" * 60_000}, "stimulus_id", "expected such as"),
        ({"utterance": "  "}, "utterance", "found nothing, expected text"),
        ({"correct_guess": "yes"}, "correct_guess", "'yes', expected True or False"),
        ({"tokens": "['the', __import__('os')]"}, "tokens", "as item 1, expected quoted words"),
        ({"tokens": "the bin"}, "tokens", "'the bin', expected a list"),
    ],
)
def test_a_broken_row_of_nr3d_names_line_and_column(
    tmp_path: Path, change: dict[str, str], column: str, found: str
) -> None:
    path = _write(tmp_path / "nr3d.csv", NR3D, NR3D, {**NR3D, **change})
    with pytest.raises(CorruptFile) as caught:
        read_nr3d(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: line 4, column {column}: ")
    assert found in message
    assert "fetch the file again or mend the row" in message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        ({"distractor_ids": "[10, 11]"}, "distractor_ids", "[10, 11], but stimulus_id has [10]"),
        ({"distractor_ids": "10"}, "distractor_ids", "'10', expected a list"),
        ({"distractor_ids": "[-1]"}, "distractor_ids", "-1, expected ids of at least 0"),
        ({"anchor_ids": "[3, '4']"}, "anchor_ids", "as item 1, expected whole numbers"),
        ({"anchor_ids": "[3]"}, "anchors_types", "2 categories for 1 anchor_ids"),
        ({"anchors_types": "[table]"}, "anchors_types", "as item 0, expected quoted words"),
        ({"reference_type": "beside"}, "reference_type", "'beside', expected one of closest"),
        ({"mentions_target_class": ""}, "mentions_target_class", "'', expected True or False"),
    ],
)
def test_a_broken_row_of_sr3d_names_line_and_column(
    tmp_path: Path, change: dict[str, str], column: str, found: str
) -> None:
    path = _write(tmp_path / "sr3d.csv", SR3D, {**SR3D, **change})
    with pytest.raises(CorruptFile) as caught:
        read_sr3d(path)
    assert str(caught.value).startswith(f"{path}: line 3, column {column}: ")
    assert found in str(caught.value)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nr3d.csv"
    with pytest.raises(
        MissingPart, match=r"no such file; it is NR3D's table nr3d\.csv, published by ReferIt3D at http"
    ):
        read_nr3d(path)
    path.write_text("")
    with pytest.raises(MissingPart, match="no column scan_id, target_id"):
        read_nr3d(path)
    _write(path, {name: value for name, value in NR3D.items() if name != "correct_guess"})
    with pytest.raises(MissingPart, match="no column correct_guess in"):
        read_nr3d(path)
    assert len(read_nr3d(path, only_correct=False)) == 1
    path.write_text(",".join([*NR3D, "utterance"]) + "\n")
    with pytest.raises(CorruptFile, match="line 1: a column stands twice"):
        read_nr3d(path)


def test_truncated_and_garbled_tables_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "nr3d.csv", NR3D, NR3D)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(CorruptFile, match=r"line 3: (no CSV|found)"):
        read_nr3d(path)
    path.write_bytes(whole + b"one,two\n")
    with pytest.raises(CorruptFile, match="line 4: found 2 values for 9 columns"):
        read_nr3d(path)
    path.write_bytes(whole.replace(b"The bin", b"\xff\xfe"))
    with pytest.raises(CorruptFile, match="line 2: no text in UTF-8"):
        read_nr3d(path)


CATEGORIES = {"a": {0: "chair", 1: "chair", 2: "chair", 3: "trash can", 4: "coffee table"}}
SAID = (
    Referral("a", "the chair next to the trash can", 0, "chair", (3,), ("hard", "view-independent", "closest")),
    Referral("a", 'it\'s left of "it", I think', 3, "trash can", (4, 0), ("easy", "view-dependent", "left")),
)


def test_what_is_written_in_either_layout_is_read_again(tmp_path: Path) -> None:
    write_sr3d(tmp_path / "sr3d.csv", SAID, CATEGORIES)
    assert read_sr3d(tmp_path / "sr3d.csv") == SAID

    write_nr3d(tmp_path / "nr3d.csv", SAID, CATEGORIES)
    for read, said in zip(read_nr3d(tmp_path / "nr3d.csv"), SAID, strict=True):
        assert (read.scene_id, read.sentence, read.target_id, read.category) == (
            said.scene_id,
            said.sentence,
            said.target_id,
            said.category,
        )
        assert read.tags == said.tags[:2]
        assert read.anchor_ids == ()


def test_what_sr3d_cannot_say_is_not_written(tmp_path: Path) -> None:
    for bad in (Referral("a", "x", 0, "chair", (3,), ("color",)), Referral("a", "x", 0, "chair", (), ("closest",))):
        with pytest.raises(InvalidInput, match="SR3D needs one of the types closest, "):
            write_sr3d(tmp_path / "sr3d.csv", [bad], CATEGORIES)
    with pytest.raises(InvalidInput, match="scene a has no object 9"):
        write_nr3d(tmp_path / "nr3d.csv", [Referral("a", "x", 9, "chair")], CATEGORIES)
    assert not list(tmp_path.iterdir())


def test_reference_types_fall_into_the_five_published_groups() -> None:
    assert set(COARSE_TYPES.values()) == {"horizontal", "vertical", "support", "between", "allocentric"}


def test_scan_lists_are_read_in_both_layouts(tmp_path: Path) -> None:
    path = tmp_path / "scans.txt"
    write_scan_list(path, ["scene0000_00", "scene0001_00"])
    assert path.read_text() == '["scene0000_00", "scene0001_00"]'
    assert read_scan_list(path) == ("scene0000_00", "scene0001_00")
    path.write_text("scene0000_00\nscene0001_00\n")
    assert read_scan_list(path) == ("scene0000_00", "scene0001_00")
    path.write_text("")
    assert read_scan_list(path) == ()


@pytest.mark.parametrize("content", ["[scene0000_00]", "['a',", "../../secret", "a\x00b"])
def test_what_is_no_scan_list_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scans.txt"
    path.write_text(content)
    with pytest.raises(CorruptFile, match=r"scans\.txt: the list of scenes: found"):
        read_scan_list(path)
