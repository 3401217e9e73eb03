"""Does a sentence name an object?"""

from __future__ import annotations

import pytest
from trisparse.sparse3d.vocabulary import ObjectVocabulary, default_vocabulary


@pytest.mark.parametrize(
    "sentence",
    [
        "the brown chair",
        "Two CHAIRS.",
        "a couch,by the window",
        "the benches are white",
        "one of the shelves",
        "a person, or people",
        "boxes in the corner",
        "the two trash cans",
        "the counter top is black",
        "it hangs above the wall-mounted coat rack",
    ],
)
def test_a_sentence_with_an_object_names_one(sentence: str) -> None:
    assert default_vocabulary().names_an_object(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "...",
        "it is brown and to the left",
        "the thing at the wall",
        "it is on the floor",
        "between two walls and floors",
        "this is chairless",
        "12 34",
    ],
)
def test_walls_floors_and_parts_of_words_do_not_count(sentence: str) -> None:
    assert not default_vocabulary().names_an_object(sentence)


@pytest.mark.parametrize("sentence", ["it stands here", "you can see it", "it is light brown"])
def test_words_that_also_name_objects_count_whatever_they_mean_here(sentence: str) -> None:
    # There is no parser: "stand", "can" and "light" are objects in ScanNet (see docs/text.md).
    assert default_vocabulary().names_an_object(sentence)


def test_names_are_cleaned_as_data_sets_write_them() -> None:
    vocabulary = ObjectVocabulary.of(["Trash_Can", " office  chair ", "wall", "FLOOR", ""])
    assert vocabulary.names == {"trash can", "office chair"}
    assert vocabulary.longest == 2


def test_a_name_of_several_words_needs_them_in_order_and_together() -> None:
    vocabulary = ObjectVocabulary.of(["trash can"])
    assert vocabulary.names_an_object("two trash cans")
    assert not vocabulary.names_an_object("trash")
    assert not vocabulary.names_an_object("can trash")
    assert not vocabulary.names_an_object("trash in a can")


@pytest.mark.parametrize(
    ("plural", "singular"), [("shelves", "shelf"), ("boxes", "box"), ("vanities", "vanity"), ("cups", "cup")]
)
def test_plurals_lead_to_their_singular(plural: str, singular: str) -> None:
    assert ObjectVocabulary.of([singular]).names_an_object(f"the {plural} there")


def test_an_empty_vocabulary_knows_nothing() -> None:
    vocabulary = ObjectVocabulary.of([])
    assert vocabulary.longest == 0
    assert not vocabulary.names_an_object("a chair")


def test_the_default_vocabulary_is_clean() -> None:
    names = default_vocabulary().names
    assert 400 < len(names) < 700
    assert all(name == " ".join(name.lower().split()) for name in names)
    assert not {"wall", "floor"} & names
