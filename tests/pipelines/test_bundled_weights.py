"""The weights that come with the package: small enough, what their card says, and better than chance."""

from __future__ import annotations

from pathlib import Path

import pytest
from trisparse.core.errors import MissingPart
from trisparse.data.rooms.evaluation import load_eval_v2
from trisparse.pipelines.grounding import find_weights
from trisparse.pipelines.rooms_evaluation import cached_room, evaluate_condition, evaluate_rooms, sentence_states
from trisparse.sparse3d.checkpoint import load_grounder_network
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.minilm import find_model


def test_the_weights_are_at_most_8_mb_and_of_the_preset() -> None:
    file = find_weights("small")
    assert file.stat().st_size <= 8_000_000
    assert load_grounder_network(file).config == preset("small"), "retrain, or keep the preset"
    assert file.with_suffix(".md").is_file(), "every file of weights has a model card beside it"


@pytest.mark.long
def test_the_weights_find_more_than_a_random_object_of_the_category(tmp_path: Path) -> None:
    try:
        find_model()
    except MissingPart as error:
        pytest.skip(str(error))
    made = evaluate_rooms("small", data=tmp_path, rooms=2, parts=("sentences", "absent"), progress=False)
    several = next(row for row in made.rows if row.name == "multiple")
    assert several.count > 20
    assert several.accuracy[0].value > several.random_of_category[0].value + 0.1
    assert several.accuracy[0].value > several.shuffled[0].value + 0.1
    assert sum(made.misses.values()) == len(made.results)
    assert made.calibration is not None
    assert made.calibration.auroc_right > 0.5


@pytest.mark.long
def test_boxes_of_a_turned_room_come_back_in_its_own_frame(tmp_path: Path) -> None:
    try:
        find_model()
    except MissingPart as error:
        pytest.skip(str(error))
    chosen, grounder = load_eval_v2(), load_grounder_network(find_weights("small"))
    room = cached_room(chosen, chosen.seeds[0], tmp_path)
    states = sentence_states(grounder)
    usual = evaluate_condition(grounder, states, room, chosen, "as made")
    turned = evaluate_condition(grounder, states, room, chosen, "unknown yaw")
    pairs = [(a.iou, b.iou) for a, b in zip(usual, turned, strict=True) if a.iou > 0.5]
    assert len(pairs) > 5
    assert sum(b > 0.25 for _, b in pairs) > 0.6 * len(pairs), "a wrong turn back leaves hardly any"
