"""Other wordings keep their meaning; absent things are absent."""

from __future__ import annotations

import re

import pytest
from trisparse.core.random import numpy_rng
from trisparse.data.rooms.catalog import KINDS
from trisparse.data.rooms.clauses import CLAUSES, EXTRAS, JOINTS, OPENINGS, RELATIVES
from trisparse.data.rooms.generate import DescribedRoom, RoomConfig, generate_described_room
from trisparse.data.rooms.paraphrases import ABSENT, PARAPHRASES, UNKNOWN_COLORS, UNKNOWN_NOUNS
from trisparse.data.rooms.relations import may_be_meant
from trisparse.data.rooms.speaker import SayingConfig, Speaker
from trisparse.data.rooms.templates import SYNONYMS, TEMPLATES
from trisparse.data.rooms.variants import WORDINGS, absent_sentences, reworded


@pytest.fixture(scope="module")
def room() -> DescribedRoom:
    return generate_described_room(20_001, RoomConfig(split="eval"))


def _reworded(kind: str, room: DescribedRoom) -> list[tuple[str, str]]:
    """Pairs of usual and other sentence."""
    speaker = Speaker(room.things, {}, numpy_rng(1, kind), SayingConfig())
    usual = {(r.target_id, tuple(t for t in r.tags if not _of_template(t))): r.sentence for r in room.scene.referrals}
    pairs = []
    for r in reworded(kind, room.scene.referrals, room.claims, speaker):
        assert r.tags[-1] == f"wording:{kind.replace(' ', '-')}"
        pairs.append((usual[r.target_id, tuple(t for t in r.tags[:-1] if not _of_template(t))], r.sentence))
    return pairs


def _of_template(tag: str) -> bool:
    return tag.startswith(("template:", "heldout-template"))


@pytest.mark.parametrize("kind", WORDINGS)
def test_a_wording_says_nearly_every_sentence_otherwise_and_the_same_on_every_run(
    kind: str, room: DescribedRoom
) -> None:
    pairs = _reworded(kind, room)
    assert len(pairs) >= 0.8 * len(room.scene.referrals)
    assert all("{" not in other and other.strip() for _, other in pairs)
    assert pairs == _reworded(kind, room)


def test_synonyms_leave_no_known_noun_or_color(room: DescribedRoom) -> None:
    for _, text in _reworded("synonyms", room):
        words = set(re.findall(r"[a-z-]+", text))
        assert not words & set(UNKNOWN_COLORS), text
        assert not words & {"couch", "sofa", "bookshelf", "backpack", "pillow", "cushion", "monitor"}, text


def test_typing_errors_change_one_or_two_words_a_little(room: DescribedRoom) -> None:
    speaker = Speaker(room.things, {}, numpy_rng(1, "typos"), SayingConfig())
    other = list(reworded("typos", room.scene.referrals, room.claims, speaker))
    assert len(other) > 10
    for usual, changed in zip(room.scene.referrals, other, strict=True):
        a, b = usual.sentence.split(), changed.sentence.split()
        assert len(a) == len(b)
        assert 1 <= sum(x != y for x, y in zip(a, b, strict=True)) <= 2
        assert all(abs(len(x) - len(y)) <= 1 for x, y in zip(a, b, strict=True))


def test_every_relation_has_paraphrases_that_no_template_or_clause_holds() -> None:
    assert set(TEMPLATES) | set(CLAUSES) == set(PARAPHRASES)
    known = {t.text for family in TEMPLATES.values() for t in family}
    pieces = [*OPENINGS, *JOINTS, *RELATIVES, *(p for ps in (*EXTRAS.values(), *CLAUSES.values()) for p in ps)]
    known |= {p.text for p in pieces}
    for texts in PARAPHRASES.values():
        assert len(texts) >= 3
        assert not known & set(texts)


def test_unknown_nouns_are_unknown_and_there_is_one_for_every_common_category() -> None:
    vocabulary = {*KINDS, *(w for words in SYNONYMS.values() for w in words)}
    assert not vocabulary & set(UNKNOWN_NOUNS.values())
    assert len(set(KINDS) - set(UNKNOWN_NOUNS)) <= 3


def test_training_rooms_can_hold_typing_errors_and_keywords_about_the_same_objects() -> None:
    usual = generate_described_room(20_001, RoomConfig(split="train")).scene.referrals
    typed = generate_described_room(20_001, RoomConfig(split="train", vary_words=True)).scene.referrals
    assert [r.target_id for r in typed] == [r.target_id for r in usual]
    changed = sum(a.sentence != b.sentence for a, b in zip(usual, typed, strict=True))
    assert 1 <= changed < len(usual) / 2


def test_absent_things_cannot_be_meant(room: DescribedRoom) -> None:
    pairs = absent_sentences(room.things, numpy_rng(2, "absent"), 12)
    assert {kind for _, kind in pairs} == {"absent:category", "absent:color", "absent:unknown"}
    for sentence, kind in pairs:
        what = sentence.removeprefix("the ")
        if kind == "absent:unknown":
            assert what in ABSENT
        elif kind == "absent:category":
            assert not may_be_meant(room.things, what)
        else:
            color, _, category = what.partition(" ")
            assert may_be_meant(room.things, category)
            assert not may_be_meant(room.things, category, color)
