"""From a written sentence to what the network reads."""

from __future__ import annotations

import json
from inspect import unwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.sparse3d.text import TokenStates, load_text_encoder, prepare_sentence
from trisparse.sparse3d.text_normalize import Rules
from trisparse.sparse3d.vocabulary import ObjectVocabulary, default_vocabulary

CHAIRS = ObjectVocabulary.of(["chair", "desk"])
PREFIX = "This is an object . "


@pytest.mark.parametrize(
    ("written", "rules", "expected"),
    [
        ("The chair, by the desk.", "free", "The chair , by the desk ."),
        ("it's red.", "free", f"{PREFIX}it's red ."),
        ("it 's red .", "scanrefer", f"{PREFIX}it is red ."),
        ("it's the 3-seater chair!", "nr3d", "it is the 3 seater chair !"),
        ("by the wall", "sr3d", f"{PREFIX}by the wall"),
        ("  chair  ", "scanrefer", "chair"),
    ],
)
def test_a_sentence_is_prepared_by_the_rules(written: str, rules: Rules, expected: str) -> None:
    assert prepare_sentence(written, CHAIRS, dataset=rules) == expected


def test_free_rules_are_the_default() -> None:
    assert prepare_sentence("a chair, red", CHAIRS) == prepare_sentence("a chair, red", CHAIRS, dataset="free")


@pytest.mark.parametrize("sentence", ["", "   ", "...", ",;!", "\n"])
def test_a_sentence_without_words_is_refused(sentence: str) -> None:
    with pytest.raises(InvalidInput, match="has no words"):
        prepare_sentence(sentence, CHAIRS)


@given(st.text(alphabet="chair desk,.x1'", min_size=1, max_size=30).filter(lambda text: any(map(str.isalnum, text))))
def test_preparing_twice_changes_nothing(sentence: str) -> None:
    once = prepare_sentence(sentence, CHAIRS)
    known = ObjectVocabulary.of(["chair", "desk", "object"])  # as the default: it knows the prefix's own object
    assert prepare_sentence(once, known) == once


def test_few_real_sentences_get_the_prefix(shared: Path) -> None:
    records = json.loads((shared / "data" / "scanrefer_utterances" / "utterances.json").read_text(encoding="utf-8"))
    vocabulary = default_vocabulary()
    prepared = [prepare_sentence(record["description"], vocabulary, dataset="scanrefer") for record in records]
    assert len(prepared) == 1027
    fired = [text for text in prepared if text.startswith(PREFIX)]
    assert 0.002 < len(fired) / len(prepared) < 0.03  # 5 of 1,027 when this was written (docs/text.md)
    assert all("  " not in text for text in prepared)


def test_states_of_several_sentences_are_padded_behind() -> None:
    both = TokenStates.padded([torch.ones(2, 3), torch.full((4, 3), 2.0)])
    assert both.padding.tolist() == [[False, False, True, True], [False] * 4]
    assert both.states[0, 2:].eq(0).all()
    assert both.states[1].eq(2).all()


def test_states_and_padding_must_agree() -> None:
    wrong = SimpleNamespace(states=torch.zeros(1, 3, 2), padding=torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(ShapeMismatch, match="do not agree"):
        unwrap(TokenStates.__post_init__)(wrong)  # without the tests' own check of shapes


def test_unknown_encoders_and_weights_for_minilm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no text encoder 'bert'; choose from minilm, roberta"):
        load_text_encoder("bert")
    with pytest.raises(InvalidInput, match="minilm has its own weights"):
        load_text_encoder("minilm", weights=tmp_path / "w.safetensors")
