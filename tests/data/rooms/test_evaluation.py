"""The fixed evaluation set stays as it was fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, DataError
from trisparse.data.rooms import evaluation
from trisparse.data.rooms.evaluation import EVAL_V1, load_eval_v1, room_hash
from trisparse.data.rooms.generate import generate_room


@pytest.mark.parametrize("k", [0, 31, 59])
def test_a_few_rooms_of_the_set_are_as_fixed(k: int) -> None:
    spec = load_eval_v1()
    scene = generate_room(spec.seeds[k], spec.config)
    spec.verify_room(spec.seeds[k], scene)
    other = replace(scene, referrals=scene.referrals[1:])
    with pytest.raises(DataError, match=r"has hash .* expected .* make a new set"):
        spec.verify_room(spec.seeds[k], other)


def test_the_set_is_large_enough_and_of_the_split_for_evaluation() -> None:
    spec = load_eval_v1()
    assert spec.name == "rooms-eval-v1"
    assert len(spec.seeds) >= 60
    assert spec.n_sentences >= 1000
    assert spec.config.split == "eval"


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.loads(EVAL_V1.read_text())
    raw["room_hashes"][3] = "0" * 64
    path = tmp_path / "eval-v1.json"
    path.write_text(json.dumps(raw))
    monkeypatch.setattr(evaluation, "EVAL_V1", path)
    with pytest.raises(CorruptFile, match=r"eval-v1\.json"):
        load_eval_v1()


def test_the_hash_does_not_look_at_points() -> None:
    spec = load_eval_v1()
    scene = generate_room(spec.seeds[0], spec.config)
    assert room_hash(replace(scene, cloud=scene.cloud.select(scene.cloud.points[:, 2] > 1))) == spec.room_hashes[0]


@pytest.mark.slow
def test_all_rooms_of_the_set_are_as_fixed_and_most_sentences_have_distractors() -> None:
    spec = load_eval_v1()
    referrals = [r for scene in spec.rooms() for r in scene.referrals]
    assert len(referrals) == spec.n_sentences
    hard = [r for r in referrals if not {"distractors-0", "distractors-1"} & set(r.tags)]
    assert len(hard) >= 0.6 * len(referrals)
