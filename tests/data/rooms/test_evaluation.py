"""The fixed evaluation set stays as it was fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, DataError
from trisparse.data.rooms import evaluation
from trisparse.data.rooms.evaluation import EVAL_V2, EvalRoom, generate_eval_room, load_eval_v2, room_hash


@pytest.fixture(scope="module")
def room() -> EvalRoom:
    spec = load_eval_v2()
    return generate_eval_room(spec.seeds[0], spec.config)


@pytest.mark.parametrize("k", [31, 79])
def test_a_few_rooms_of_the_set_are_as_fixed(k: int) -> None:
    spec = load_eval_v2()
    room = generate_eval_room(spec.seeds[k], spec.config)
    spec.verify(spec.seeds[k], room)
    other = replace(room, scene=replace(room.scene, referrals=room.scene.referrals[1:]))
    with pytest.raises(DataError, match=r"has hash .* expected .* make a new set"):
        spec.verify(spec.seeds[k], other)


def test_another_wording_or_absent_sentence_is_another_room(room: EvalRoom) -> None:
    spec = load_eval_v2()
    spec.verify(spec.seeds[0], room)
    assert room_hash(replace(room, absent=room.absent[:-1])) != spec.room_hashes[0]
    fewer = {**room.wordings, "typos": room.wordings["typos"][1:]}
    assert room_hash(replace(room, wordings=fewer)) != spec.room_hashes[0]


def test_the_set_is_large_enough_and_of_the_split_for_evaluation() -> None:
    spec = load_eval_v2()
    assert spec.name == "rooms-eval-v2"
    assert len(spec.seeds) >= 80
    assert spec.n_sentences >= 2000
    assert spec.config.split == "eval"
    assert not spec.config.vary_scan


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.loads(EVAL_V2.read_text())
    raw["room_hashes"][3] = "0" * 64
    path = tmp_path / "eval-v2.json"
    path.write_text(json.dumps(raw))
    monkeypatch.setattr(evaluation, "EVAL_V2", path)
    with pytest.raises(CorruptFile, match=r"eval-v2\.json"):
        load_eval_v2()


def test_the_hash_does_not_look_at_points(room: EvalRoom) -> None:
    scene = replace(room.scene, cloud=room.scene.cloud.select(room.scene.cloud.points[:, 2] > 1))
    assert room_hash(replace(room, scene=scene)) == load_eval_v2().room_hashes[0]


@pytest.mark.slow
def test_all_rooms_of_the_set_are_as_fixed_and_most_sentences_have_distractors() -> None:
    spec = load_eval_v2()
    referrals = [r for room in spec.rooms() for r in room.scene.referrals]
    assert len(referrals) == spec.n_sentences
    hard = [r for r in referrals if "hard" in r.tags]
    assert len(hard) >= 0.6 * len(referrals)
    assert sum("unique" in r.tags for r in referrals) >= 200
