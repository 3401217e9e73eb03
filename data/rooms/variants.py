"""Other wordings of a room's sentences, to measure what a network's understanding of language withstands.

Each keeps the target of the sentence that it comes from; the last sort asks for what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..referral import Referral
from .catalog import KINDS
from .colors import PALETTE
from .paraphrases import ABSENT, OTHER_SPELLINGS, PARAPHRASES, UNKNOWN_COLORS, UNKNOWN_NOUNS
from .relations import Claim, Thing, may_be_meant
from .speaker import Speaker
from .templates import SYNONYMS

Rng = np.random.Generator

WORDINGS = ("paraphrase", "clause first", "synonyms", "typos", "spelling", "keywords")
"""Sorts of other wordings."""


def reworded(kind: str, referrals: Sequence[Referral], claims: Sequence[Claim], speaker: Speaker) -> Iterator[Referral]:
    """The same meanings in other words.

    Args:
        kind: One of :data:`WORDINGS`: sentences from templates that training never uses; the deciding clause before the noun;
            nouns and colours outside the generator's vocabulary; one or two typing errors; other spellings, capitals and no
            punctuation; telegram style.
        claims: What each referral means.
        speaker: Of the room; its generator decides.
    """
    for referral, claim in zip(referrals, claims, strict=True):
        text = _REWORD[kind](referral.sentence, claim, speaker)
        tags = tuple(t for t in referral.tags if not t.startswith(("template:", "heldout-template")))
        if text != referral.sentence:
            yield replace(referral, sentence=text, tags=(*tags, f"wording:{kind.replace(' ', '-')}"))


def _paraphrase(text: str, claim: Claim, speaker: Speaker) -> str:
    options = PARAPHRASES[speaker.family_of(claim)]
    return speaker.fill(options[int(speaker.rng.integers(len(options)))], claim)


def _clause_first(text: str, claim: Claim, speaker: Speaker) -> str:
    clause = speaker.clause(claim)
    if clause is None:
        return text
    frame = ("it {x}: the {t}.", "something {x}. it is the {t}.")[int(speaker.rng.integers(2))]
    return speaker.fill(frame.replace("{x}", clause), claim)


def _synonyms(text: str, claim: Claim, speaker: Speaker) -> str:
    words = {**_UNKNOWN_WORDS, **UNKNOWN_COLORS}
    for known in sorted(words, key=len, reverse=True):
        text = f" {text} ".replace(f" {known}", f" \0{known}").strip()
        text = _replace_words(text, "\0" + known, words[known])
    return text.replace("\0", "")


def _replace_words(text: str, old: str, new: str) -> str:
    """Replace whole words; a plural s stays."""
    for end in (" ", ".", ",", ":", "?", "s ", "s.", "s:", "s,"):
        text = f"{text} ".replace(old + end, new + end).rstrip()
    return text


_UNKNOWN_WORDS = {word: new for c, new in UNKNOWN_NOUNS.items() for word in {c, *SYNONYMS.get(c, ())}}


def _typos(text: str, claim: Claim, speaker: Speaker) -> str:
    return mistyped(text, speaker.rng)


def mistyped(text: str, rng: Rng) -> str:
    """A sentence with an error in one or two of its longer words."""
    words = text.split()
    long = [k for k, w in enumerate(words) if len(w.strip(".,:?")) >= 4]
    for k in rng.permutation(long)[: 1 + int(rng.random() < 0.5)].tolist():
        words[k] = _mistyped_word(words[k], rng)
    return " ".join(words)


def _mistyped_word(word: str, rng: Rng) -> str:
    at = int(rng.integers(1, len(word.rstrip(".,:?")) - 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    near = _NEAR_KEYS.get(word[at], "e")
    return word[:at] + near[int(rng.integers(len(near)))] + word[at + 1 :]


_NEAR_KEYS = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "f": "dg",
    "g": "fh",
    "h": "gj",
    "i": "uo",
    "j": "hk",
    "k": "jl",
    "l": "k",
    "m": "n",
    "n": "bm",
    "o": "ip",
    "p": "o",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "u": "yi",
    "v": "cb",
    "w": "qe",
    "x": "zc",
    "y": "tu",
    "z": "x",
}


def _spelling(text: str, claim: Claim, speaker: Speaker) -> str:
    for usual, other in OTHER_SPELLINGS:
        text = text.replace(f" {usual}", f" {other}" if other[0] != "'" else other)
    style = int(speaker.rng.integers(3))
    return (text.upper(), text.capitalize(), "".join(c for c in text if c not in ".,:?"))[style]


def _keywords(text: str, claim: Claim, speaker: Speaker) -> str:
    return keywords_of(text)


def keywords_of(text: str) -> str:
    """A sentence without its small words and punctuation."""
    kept = [w for w in text.split() if w.strip(".,:?") not in _SMALL_WORDS]
    return " ".join(kept).translate(str.maketrans("", "", ".,:?"))


_SMALL_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "is",
        "it",
        "this",
        "that",
        "which",
        "one",
        "i",
        "you",
        "we",
        "me",
        "please",
        "find",
        "look",
        "for",
    ]
) | {"here", "there", "has", "its", "and", "be", "want"}

_REWORD: dict[str, Callable[[str, Claim, Speaker], str]] = {
    "paraphrase": _paraphrase,
    "clause first": _clause_first,
    "synonyms": _synonyms,
    "typos": _typos,
    "spelling": _spelling,
    "keywords": _keywords,
}


def absent_sentences(things: Sequence[Thing], rng: Rng, n: int) -> list[tuple[str, str]]:
    """Sentences that mean nothing in the room, each with its sort.

    Sorts: "absent:category" (a category of the generator that this room has none of), "absent:color" (the category is there, in
    no colour that could be called so), "absent:unknown" (a thing that no room has).

    Returns:
        ``n`` pairs of sentence and sort, the sorts in turn as far as the room allows.
    """
    categories = [c for c in sorted(KINDS) if not may_be_meant(things, c)]
    there = sorted({t.category for t in things} & set(KINDS))
    colors = [(color, c) for c in there for color in PALETTE if not may_be_meant(things, c, color)]
    sorts = {
        "absent:category": [f"the {categories[i]}" for i in rng.permutation(len(categories))],
        "absent:color": ["the {} {}".format(*colors[i]) for i in rng.permutation(len(colors))],
        "absent:unknown": [f"the {ABSENT[i]}" for i in rng.permutation(len(ABSENT))],
    }
    picked: list[tuple[str, str]] = []
    while len(picked) < n and any(sorts.values()):
        for sort in list(sorts):
            if sorts[sort] and len(picked) < n:
                picked.append((sorts[sort].pop(), sort))
    return picked
