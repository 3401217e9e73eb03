import json
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, MissingPart
from trisparse.data.readers.scanrefer import read_scanrefer, write_scanrefer
from trisparse.data.referral import Referral

ENTRY = {
    "scene_id": "scene0000_00",
    "object_id": "12",
    "object_name": "office_chair",
    "ann_id": "3",
    "description": "The chair, by the window.",
    "token": ["the", "chair", ",", "by", "the", "window", "."],
}


def _write(folder: Path, content: object) -> Path:
    path = folder / "ScanRefer_filtered_val.json"
    path.write_text(json.dumps(content))
    return path


def test_a_sentence_is_its_tokens_joined(tmp_path: Path) -> None:
    (referral,) = read_scanrefer(_write(tmp_path, [ENTRY]))

    assert referral == Referral("scene0000_00", "the chair , by the window .", 12, "office chair")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    referrals = (
        Referral("a", "the red chair", 0, "office chair", (3, 4), ("multiple", "nearest")),
        Referral("a", "the chair that is red", 0, "office chair"),
    )
    write_scanrefer(tmp_path / "r.json", referrals)

    assert read_scanrefer(tmp_path / "r.json") == referrals
    assert [r["ann_id"] for r in json.loads((tmp_path / "r.json").read_text())] == ["0", "1"]


def test_no_sentences_are_no_error(tmp_path: Path) -> None:
    assert read_scanrefer(_write(tmp_path, [])) == ()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"object_id": "x7"}, "'object_id' is 'x7', expected a whole number"),
        ({"object_id": None}, "'object_id' is None, expected str or int"),
        ({"token": "the chair"}, "'token' is 'the chair', expected list"),
        ({"token": ["the", 3]}, "'token' holds 3, expected only str"),
        ({"token": []}, "empty sentence"),
        ({"scene_id": 5}, "'scene_id' is 5, expected str"),
        ({"anchor_ids": ["-1"]}, "'anchor_ids' is '-1'"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path: Path, change: dict, found: str) -> None:
    path = _write(tmp_path, [ENTRY, {**ENTRY, **change}])
    with pytest.raises(CorruptFile, match=rf"ScanRefer_filtered_val\.json: entry 1: .*{found}"):
        read_scanrefer(path)


def test_a_missing_key_and_another_layout_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="entry 0: no key 'object_name'"):
        read_scanrefer(_write(tmp_path, [{"scene_id": "a", "object_id": "1", "token": ["a"]}]))
    with pytest.raises(CorruptFile, match="found dict, expected a list"):
        read_scanrefer(_write(tmp_path, {"data": []}))
    with pytest.raises(MissingPart, match=r"nowhere\.json: no such file; it is ScanRefer's list.*github"):
        read_scanrefer(tmp_path / "nowhere.json")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, [ENTRY])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CorruptFile, match=r"line 1, column \d+: not JSON"):
        read_scanrefer(path)
