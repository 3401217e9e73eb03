"""Which claims about a room are said: a choice that favours sentences that need more than the noun."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .claims import can_be_target, claims_about
from .relations import ATTRIBUTES, Claim, Thing
from .speaker import Saying, SayingConfig, Speaker, n_others

Rng = np.random.Generator


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
    n_few = min(config.n_sentences - n_several, 6 + len(picked) // 2)
    picked += _pick(few, n_few, rng, config, by_id)
    speaker = Speaker(things, claims, rng, config)
    sayings = {}
    for claim in picked:
        saying = speaker.say(claim)
        sayings.setdefault((saying.text, claim.target), saying)
    return list(sayings.values())


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
        if by_id[claim.target].category in ("door", "picture", "whiteboard", "curtain"):
            if n_thin >= 1:
                continue
            n_thin += 1
        picked.append(claim)
        if sum(c == claim for c in picked) >= (4 if is_attribute else 2):
            options.remove(claim)
            if not options:
                del pool[family]
    return picked


_WEIGHTS = {
    "nearest": 2.5,
    "farthest": 1.4,
    "color": 2.0,
    "next to": 1.3,
    "on": 4.0,
    "under": 4.0,
    "above": 4.0,
    "below": 3.0,
    "between": 3.0,
    "front": 3.0,
    "behind": 3.0,
    "left": 2.0,
    "right": 2.0,
    "middle": 2.0,
    "word": 2.5,
    "surrounded": 3.0,
    "plain": 2.0,
}
