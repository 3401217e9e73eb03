"""Sentences from claims: templates, synonyms, and a choice that favours sentences that need more than the noun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import relations as rel
from .claims import can_be_target, claims_about, name_of
from .relations import ATTRIBUTES, Claim, Thing
from .templates import SYNONYMS, TEMPLATES, Template

Rng = np.random.Generator


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
    share_several: float = 0.74
    """Share about targets with two or more others of their category."""
    share_attribute: float = 0.5
    """Chance that a colour or size word is chosen to decide, where one can; in the end some 35 % of sentences are such."""
    use_held_out: bool = False
    """Whether half of the sentences use templates held out of training."""


def describe(things: Sequence[Thing], room: tuple[float, float], rng: Rng, config: SayingConfig) -> list[Saying]:
    """Sentences about a room's objects, each meaning exactly one.

    Args:
        room: Width (x) and depth (y) in metres; the room is centred on the origin.
    """
    claims = {t.object_id: list(claims_about(t, things, *room)) for t in things if can_be_target(t)}
    by_id = {t.object_id: t for t in things}
    several = [c for i, cs in claims.items() if n_others(by_id[i], things) >= 2 for c in cs]
    few = [c for i, cs in claims.items() if n_others(by_id[i], things) < 2 for c in cs]
    n_several = round(config.n_sentences * config.share_several)
    picked = _pick(several, n_several, rng, config, by_id)
    n_few = min(config.n_sentences - n_several, 4 + len(picked) // 2)
    picked += _pick(few, n_few, rng, config, by_id)
    sayings = {}
    for claim in picked:
        saying = _say(claim, by_id, things, rng, config)
        sayings.setdefault((saying.text, claim.target), saying)
    return list(sayings.values())


def n_others(thing: Thing, things: Sequence[Thing]) -> int:
    """Objects of the same category beside this one."""
    return sum(t.category == thing.category for t in things) - 1


def _pick(claims: Sequence[Claim], n: int, rng: Rng, config: SayingConfig, by_id: dict[int, Thing]) -> list[Claim]:
    """Claims of varied relations: first the sort, then the relation, then one claim."""
    pools: dict[bool, dict[str, list[Claim]]] = {True: {}, False: {}}
    for claim in claims:
        pools[claim.relation in ATTRIBUTES].setdefault(claim.relation, []).append(claim)
    picked: list[Claim] = []
    n_thin = 0
    for _ in range(4 * n):
        if len(picked) >= n or not (pools[True] or pools[False]):
            break
        is_attribute = bool(rng.random() < config.share_attribute)
        pool = pools[is_attribute] or pools[not is_attribute]
        families = sorted(pool)
        weights = np.array([_WEIGHTS.get(f, 1.0) for f in families])
        family = families[int(rng.choice(len(families), p=weights / weights.sum()))]
        options = pool[family]
        claim = options[int(rng.integers(len(options)))]
        if by_id[claim.target].category in ("door", "picture"):
            if n_thin >= 1:
                continue
            n_thin += 1
        picked.append(claim)
        if sum(c == claim for c in picked) >= (4 if is_attribute else 2):
            options.remove(claim)
            if not options:
                del pool[family]
    return picked


_WEIGHTS = {"nearest": 2.5, "farthest": 1.4, "color": 2.0, "next to": 1.3, "on": 1.5, "under": 1.5, "plain": 2.0}


def _say(claim: Claim, by_id: dict[int, Thing], things: Sequence[Thing], rng: Rng, config: SayingConfig) -> Saying:
    template = _choose(claim.relation, rng, config.use_held_out)
    target = by_id[claim.target]
    color = claim.color or _spare_color(claim, target, things, rng)
    noun, other_noun = _noun(target, color, rng), _noun(target, None, rng)
    words = {
        "t": noun,
        "ts": _plural(noun),
        "n": other_noun,
        "ns": _plural(other_noun),
        "c": color or "",
        "side": claim.relation,
        "size": _size_word(claim.relation, rng),
    }
    for letter, anchor in zip("ab", claim.anchors, strict=False):
        words[letter] = "the " + _anchor_noun(by_id[anchor], things, rng)
    text = _tidy(template.text.format(**words))
    return Saying(text, claim, _tags(claim, template, target, by_id, things))


def _choose(relation: str, rng: Rng, use_held_out: bool) -> Template:
    options = TEMPLATES[_TEMPLATE_OF.get(relation, relation)]
    seen = [t for t in options if not t.is_held_out]
    unseen = [t for t in options if t.is_held_out]
    chosen = unseen if use_held_out and rng.random() < 0.5 else seen
    return chosen[int(rng.integers(len(chosen)))]


_TEMPLATE_OF = {
    **dict.fromkeys(rel.SIZES, "size"),
    **dict.fromkeys(("left", "right"), "beside"),
    **dict.fromkeys(("leftmost", "rightmost"), "outermost"),
}
_SIZE_WORDS = {
    "largest": ("largest", "biggest"),
    "smallest": ("smallest",),
    "tallest": ("tallest",),
    "shortest": ("shortest",),
}


def _size_word(relation: str, rng: Rng) -> str:
    words = _SIZE_WORDS.get(relation, ("",))
    return words[int(rng.integers(len(words)))]


def _spare_color(claim: Claim, target: Thing, things: Sequence[Thing], rng: Rng) -> str | None:
    """A true colour that decides nothing, as people add it."""
    if target.color is None or claim.relation in ATTRIBUTES or rng.random() > 0.4:
        return None
    alike = len(rel.may_be_meant(things, target.category, target.color))
    return target.color if alike > 1 or len(rel.may_be_meant(things, target.category)) == 1 else None


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


def _tags(
    claim: Claim, template: Template, target: Thing, by_id: dict[int, Thing], things: Sequence[Thing]
) -> tuple[str, ...]:
    others = n_others(target, things)
    tags = ["multiple" if others else "unique", f"distractors-{others}", claim.relation.replace(" ", "-")]
    if claim.color is not None and claim.relation != "color":
        tags.append("color")
    if claim.relation in ("left", "right", "leftmost", "rightmost"):
        tags.append("view-dependent")
    tags.append(f"template:{template.template_id}")
    if template.is_held_out:
        tags.append("heldout-template")
    if target.is_held_out:
        tags.append("heldout-shape")
    return tuple(tags)
