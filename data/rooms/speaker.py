"""Says claims: from one template, or as a description put together from clauses, with synonyms, spare colours and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from . import relations as rel
from .claims import name_of
from .clauses import CLAUSES, COUNTS, EXTRAS, JOINTS, MORE, OPENINGS, RELATIVES, Piece
from .relations import ATTRIBUTES, Claim, Thing
from .templates import SYNONYMS, TEMPLATES, Template

Rng = np.random.Generator
_Said = TypeVar("_Said", Template, Piece)


@dataclass(frozen=True)
class Saying:
    """A sentence, what it claims, and its labels."""

    text: str
    claim: Claim
    tags: tuple[str, ...]


@dataclass(frozen=True)
class SayingConfig:
    """How many sentences a room gets, and of what sort."""

    n_sentences: int = 36
    share_several: float = 0.68
    """Share about targets with two or more others of their category."""
    share_attribute: float = 0.5
    """Chance that a colour or size word is chosen to decide, where one can; in the end some 35 % of sentences are such."""
    share_composed: float = 0.5
    """Share put together from clauses, one or two sentences long, rather than from one template."""
    share_more: float = 0.25
    """Share of these that add a second relation, as people do."""
    use_held_out: bool = False
    """Whether templates, openings and clauses held out of training are used too."""
    share_held_out: float = 0.4
    """How often, choice by choice, where they are."""


VIEW_DEPENDENT = ("left", "right", "front", "behind", "leftmost", "rightmost", "from left", "from right")
"""Relations that depend on where one stands or on an anchor's front."""

_FAMILY_OF = {
    **dict.fromkeys(rel.SIZES, "size"),
    **dict.fromkeys(("left", "right"), "beside"),
    **dict.fromkeys(("front", "behind"), "along"),
    **dict.fromkeys(("leftmost", "rightmost"), "outermost"),
    **dict.fromkeys(("from left", "from right"), "rank"),
}
_SIDES = {"from left": "left", "from right": "right", "front": "in front of"}
_SIZE_WORDS = {
    "largest": ("largest", "biggest"),
    "smallest": ("smallest",),
    "tallest": ("tallest",),
    "shortest": ("shortest",),
}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ORDINALS = ("", "first", "second", "third")


@dataclass(frozen=True)
class Speaker:
    """Says claims about one room's things."""

    things: Sequence[Thing]
    claims: dict[int, list[Claim]]
    rng: Rng
    config: SayingConfig

    def say(self, claim: Claim) -> Saying:
        """A sentence from one template, or a description put together from clauses."""
        family = self.family_of(claim)
        composed = family not in TEMPLATES or (family in CLAUSES and self.rng.random() < self.config.share_composed)
        return self._compose(claim, family) if composed else self._from_template(claim, family)

    @staticmethod
    def family_of(claim: Claim) -> str:
        """The family of templates and clauses that a claim's relation belongs to."""
        return _FAMILY_OF.get(claim.relation, claim.relation)

    def fill(self, text: str, claim: Claim) -> str:
        """A text with its blanks filled; its colour is named where it decides."""
        return _tidy(text.format(**self._blanks(claim, claim.color)))

    def clause(self, claim: Claim) -> str | None:
        """A clause that training uses too, with blanks; ``None`` where the relation has none."""
        known = [p.text for p in CLAUSES.get(self.family_of(claim), ()) if not p.is_held_out]
        return known[int(self.rng.integers(len(known)))] if known else None

    def _from_template(self, claim: Claim, family: str) -> Saying:
        template = self._choose(TEMPLATES[family])
        color = claim.color or self._spare_color(claim)
        text = _tidy(template.text.format(**self._blanks(claim, color)))
        return Saying(text, claim, self._tags(claim, [template.template_id], template.is_held_out))

    def _compose(self, claim: Claim, family: str) -> Saying:
        """[How many there are.] Opening or relative sentence with the deciding clause. [What is true besides.]"""
        decides = {"color": "color", "word": "word"}.get(claim.relation, "")
        color = None if decides == "color" else claim.color or self._spare_color(claim)
        clause = self._choose(CLAUSES[family])
        frames = [self._choose(RELATIVES)] if self.rng.random() < 0.4 else [self._choose(p) for p in (OPENINGS, JOINTS)]
        others = n_others(self._target(claim), self.things)
        before = [self._choose(COUNTS)] if others > 1 and self.rng.random() < 0.15 else []
        blanks = self._blanks(claim, color)
        more, said = self._more(claim)
        after = [] if more else self._extras(claim, color)
        blanks["c"] = claim.color or self._target(claim).color or ""
        blanks["x"] = clause.text.format(**blanks)
        count = {**blanks, "k": _NUMBERS[min(others + 1, 12)]}
        words = [p.text.format(**count) for p in before] + [p.text.format(**blanks) for p in (*frames, *after)] + said
        used = [*before, *frames, clause, *after, *more]
        tags = self._tags(claim, [p.piece_id for p in used], any(p.is_held_out for p in used))
        kind = ("count",) if before or claim.relation == "surrounded" else ()
        return Saying(_tidy(" ".join(words)), claim, (*tags, "composed", *kind))

    def _more(self, claim: Claim) -> tuple[list[Piece], list[str]]:
        """A second relation of the target, as people add one to be sure; the pieces, and the sentence."""
        others = [c for c in self.claims.get(claim.target, ()) if c.relation != claim.relation and c.color is None]
        others = [c for c in others if _FAMILY_OF.get(c.relation, c.relation) in CLAUSES and c.relation != "color"]
        if not others or self.rng.random() > self.config.share_more:
            return [], []
        second = others[int(self.rng.integers(len(others)))]
        clause = self._choose(CLAUSES[_FAMILY_OF.get(second.relation, second.relation)])
        frame = self._choose(MORE)
        blanks = self._blanks(second, None)
        blanks["x"] = clause.text.format(**blanks)
        return [frame, clause], [frame.text.format(**blanks)]

    def _extras(self, claim: Claim, color: str | None) -> list[Piece]:
        target = self._target(claim)
        possible = []
        if target.color is not None and color is None and claim.relation != "color" and self._is_spare(target):
            possible.append("color")
        if target.wall is not None and target.low[2] < 0.2 and target.category not in ("door", "picture"):
            possible.append("wall")
        if claim.relation != "word" and target.words:
            possible.append("word")
        if not possible or self.rng.random() > 0.3:
            return []
        return [self._choose(EXTRAS[possible[int(self.rng.integers(len(possible)))]])]

    def _target(self, claim: Claim) -> Thing:
        return next(t for t in self.things if t.object_id == claim.target)

    def _thing(self, object_id: int) -> Thing:
        return next(t for t in self.things if t.object_id == object_id)

    def _choose(self, options: Sequence[_Said]) -> _Said:
        seen = [t for t in options if not t.is_held_out]
        unseen = [t for t in options if t.is_held_out]
        chosen = unseen if self.config.use_held_out and self.rng.random() < self.config.share_held_out else seen
        return chosen[int(self.rng.integers(len(chosen)))]

    def _blanks(self, claim: Claim, color: str | None) -> dict[str, str]:
        target = self._target(claim)
        noun, other_noun = _noun(target, color, self.rng), _noun(target, None, self.rng)
        sizes = _SIZE_WORDS.get(claim.relation, ("",))
        number = _ORDINALS[claim.number] if claim.relation.startswith("from ") else _NUMBERS[min(claim.number, 12)]
        words = target.words or ("",)
        blanks = {
            "t": noun,
            "ts": _plural(noun),
            "n": other_noun,
            "ns": _plural(other_noun),
            "c": color or "",
            "side": _SIDES.get(claim.relation, claim.relation),
            "size": sizes[int(self.rng.integers(len(sizes)))],
            "k": number,
            "w": claim.word or words[int(self.rng.integers(len(words)))],
        }
        for letter, anchor in zip("ab", claim.anchors, strict=False):
            blanks[letter] = "the " + _anchor_noun(self._thing(anchor), self.things, self.rng)
        return blanks

    def _spare_color(self, claim: Claim) -> str | None:
        """A true colour that decides nothing, as people add it."""
        target = self._target(claim)
        if target.color is None or claim.relation in ATTRIBUTES or self.rng.random() > 0.4:
            return None
        return target.color if self._is_spare(target) else None

    def _is_spare(self, target: Thing) -> bool:
        """Whether its colour alone would not decide."""
        alike = len(rel.may_be_meant(self.things, target.category, target.color))
        return alike > 1 or len(rel.may_be_meant(self.things, target.category)) == 1

    def _tags(self, claim: Claim, pieces: Sequence[str], is_held_out: bool) -> tuple[str, ...]:
        target = self._target(claim)
        others = n_others(target, self.things)
        tags = ["multiple" if others else "unique", f"distractors-{others}", claim.relation.replace(" ", "-")]
        if others:
            tags.append("hard" if others > 1 else "easy")
        if claim.color is not None and claim.relation != "color":
            tags.append("color")
        tags.append("view-dependent" if claim.relation in VIEW_DEPENDENT else "view-independent")
        tags += [f"template:{p}" for p in pieces]
        if is_held_out:
            tags.append("heldout-template")
        if target.is_held_out:
            tags.append("heldout-shape")
        return tuple(tags)


def n_others(thing: Thing, things: Sequence[Thing]) -> int:
    """Objects of the same category beside this one."""
    return sum(t.category == thing.category for t in things) - 1


def _noun(thing: Thing, color: str | None, rng: Rng) -> str:
    words = SYNONYMS.get(thing.category, (thing.category,))
    noun = thing.category if rng.random() < 0.5 else words[int(rng.integers(len(words)))]
    return f"{color} {noun}" if color else noun


def _anchor_noun(thing: Thing, things: Sequence[Thing], rng: Rng) -> str:
    named = name_of(thing, things)
    color = named[1] if named is not None else None
    if color is None and thing.color is not None and rng.random() < 0.15:
        color = thing.color
    return _noun(thing, color, rng)


def _plural(noun: str) -> str:
    if noun.endswith("shelf"):
        return noun[:-1] + "ves"
    if noun.startswith("chest of"):
        return "chests" + noun[5:]
    return noun + ("es" if noun.endswith(("x", "ch", "s")) else "s")


def _tidy(text: str) -> str:
    words = text.split()
    for k, word in enumerate(words[:-1]):
        if word in ("a", "an"):
            words[k] = "an" if words[k + 1][0] in "aeio" else "a"
    return " ".join(words)
