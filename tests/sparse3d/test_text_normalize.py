"""Text normalisation: every rule of the table, and the order in which they act."""

from __future__ import annotations

from inspect import unwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import InvalidInput
from trisparse.sparse3d.text_normalize import Rules, normalize, squeeze

DATASETS: tuple[Rules, ...] = ("scanrefer", "nr3d", "sr3d")

COMMON = [
    ("a,b", "a , b"),
    ("a  ,  b ", "a , b"),
    ("i 'm here", "i am here"),
    ("it 's red", "it is red"),
    ("it's red", "itis red"),
    ("a 2-tiered shelf", "a 2 - tiered shelf"),
    ("a 4-drawers chest", "a 4 - drawers chest"),
    ("a 5-drawer chest", "a 5 - drawer chest"),
    ("an 8-hole board", "an 8 - hole board"),
    ("a 7-shaped desk", "a 7 - shaped desk"),
    ("a 2-door cabinet", "a 2 - door cabinet"),
    ("a 3-compartment bin", "a 3 - compartment bin"),
    ("a 3-tier shelf", "a 3 - tier shelf"),
    ("a 3-seater couch", "a 3 - seater couch"),
    ("a 4-seat table", "a 4 - seat table"),
    ("theses chairs", "these chairs"),
    ("a computer/ desk", "a computer / desk"),
    ("Case Is Kept", "Case Is Kept"),
]

NR3D = [
    ("the chair.", "the chair ."),
    ("a;b", "a ; b"),
    ("a-b", "a b"),
    ('the "big" one', "the big one"),
    ("which?", "which"),
    ("a*b", "a b"),
    ("a:b", "a b"),
    ("a$b", "a b"),
    ("a#1", "a 1"),
    ("a/b", "a / b"),
    ("you're there", "you are there"),
    ("it isn't", "it is not"),
    ("thats it", "that is it"),
    ("it doesn't", "it does not"),
    ("it doesnt", "it does not"),
    ("it's red", "it is red"),
    ("the left-hand one", "the left hand one"),
    ("a [b]", "a [ b ]"),
    ("a (b)", "a ( b )"),
    ("a wheel-chair", "a wheel chair"),
    ("tha=e chair", "the chair"),
    ("it’s red", "it is red"),
    ("the chair’s leg", "the chair is leg"),
    ("it isnt", "it is not"),
    ("Don't take it", "Do not take it"),
    ("they arent", "they are not"),
    ("you cant", "you can not"),
    ("you’re there", "you are there"),
    ("here!", "here !"),
    ("did the", "d , the"),
    ("youre there", "you are there"),
    ("the chairs' legs", "the chairs legs"),
    ("significant", "significan not"),
]


@pytest.mark.parametrize("rules", ["scanrefer", "sr3d"])
@pytest.mark.parametrize(("written", "expected"), COMMON)
def test_common_rules(written: str, expected: str, rules: Rules) -> None:
    assert normalize(written, rules) == expected


@pytest.mark.parametrize(("written", "expected"), NR3D)
def test_rules_of_nr3d(written: str, expected: str) -> None:
    assert normalize(written, "nr3d") == expected


def test_rules_of_nr3d_act_in_their_order() -> None:
    # Semicolons are spaced before ";s" is looked for, and hyphens go before "left-hand" is: neither ever matches.
    assert normalize("a;s b", "nr3d") == "a ; s b"
    assert normalize("left-hand", "nr3d") == "left hand"
    # The common rules come first: their " - " loses its hyphen, their "itis" becomes "it is".
    assert normalize("a 2-door cabinet, it's white.", "nr3d") == "a 2 door cabinet , it is white ."
    # "isn't" is replaced before single quotes go.
    assert normalize("it isn't 'big'", "nr3d") == "it is not big"


@pytest.mark.parametrize("rules", ["scanrefer", "sr3d", "free"])
@pytest.mark.parametrize("written", ["a;b", "a-b", "which?", "a/b", "thats it", "here!"])
def test_rules_of_nr3d_are_of_nr3d_alone(written: str, rules: Rules) -> None:
    assert normalize(written, rules) == written


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("The chair.", "The chair ."),
        ("a, b.c", "a , b . c"),
        ("it's a 3-seater", "it's a 3-seater"),
        ("  two   spaces ", "two spaces"),
        ("", ""),
    ],
)
def test_free_sentences_only_get_commas_and_full_stops_spaced(written: str, expected: str) -> None:
    assert normalize(written, "free") == expected


@given(st.text(alphabet="ab ,.;s'-5drawe\t\n", max_size=30), st.sampled_from(["free", "scanrefer", "sr3d", "nr3d"]))
def test_spaces_are_single_and_none_at_the_ends(sentence: str, rules: Rules) -> None:
    text = normalize(sentence, rules)
    assert text == squeeze(text)


@given(st.text(max_size=40))
def test_free_rules_are_idempotent(sentence: str) -> None:
    once = normalize(sentence, "free")
    assert normalize(once, "free") == once


@pytest.mark.parametrize("rules", DATASETS)
@pytest.mark.parametrize(
    "written", [written for written, _ in COMMON + NR3D if written not in ("it's red", "theses chairs")]
)
def test_normal_text_stays_as_it_is(written: str, rules: Rules) -> None:
    once = normalize(written, rules)
    assert normalize(once, rules) == once


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no text rules 'other'; choose from scanrefer, nr3d, sr3d, free"):
        unwrap(normalize)("a", "other")  # without the tests' own check of arguments
