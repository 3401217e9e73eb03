"""Descriptions of one or two sentences, put together from an opening, what decides, and what is true besides.

Blanks as in :mod:`~.templates`. A clause goes on from "it", "that" or the noun; ``{k}`` is a number word, ``{w}`` an
adjective of style. Words that depend on the view (left, right, front, behind ...) stand only where the claim does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Part of a description. ``is_held_out``: rooms of the split "train" never use it."""

    piece_id: str
    text: str
    is_held_out: bool


def _pieces(name: str, seen: tuple[str, ...], unseen: tuple[str, ...]) -> tuple[Piece, ...]:
    held = tuple(Piece(f"{name}.h{k}", text, True) for k, text in enumerate(unseen))
    return tuple(Piece(f"{name}.{k}", text, False) for k, text in enumerate(seen)) + held


OPENINGS = _pieces(
    "opening",
    (
        "look for a {t}.",
        "we mean a {t}.",
        "you should find a {t}.",
        "i want a {t}.",
        "one {t} among several.",
        "go and get a {t}.",
        "a {t} is wanted.",
        "here we have a {t}.",
        "take a {t}.",
        "this time it's a {t}.",
    ),
    ("my object: a {t}.", "we are talking about a {t}."),
)
"""First sentences, before one that says which."""

JOINTS = _pieces(
    "joint",
    ("it {x}.", "this one {x}.", "the {n} {x}.", "that {n} {x}.", "the one we mean {x}.", "what you want {x}."),
    ("the one to choose {x}.", "your pick {x}."),
)
"""Second sentences, which hold the clause."""

RELATIVES = _pieces(
    "relative",
    (
        "the {t} that {x}.",
        "find the {t} which {x}.",
        "a {t} that {x}.",
        "show me whichever {t} {x}.",
        "of the {ns}, the {t} that {x}.",
        "please select the {t} that {x}.",
        "i mean the {t} which {x}.",
    ),
    ("only one {t} {x}. that one.", "any {t} will not do, only what {x}."),
)
"""Whole descriptions in one sentence."""

COUNTS = _pieces(
    "count",
    ("there are {k} {ns} here.", "the room holds {k} {ns}.", "among {k} {ns}:", "you can count {k} {ns}."),
    ("{k} {ns} in all.",),
)
"""How many of the category there are, said first."""

MORE = _pieces(
    "more",
    ("it also {x}.", "besides, it {x}.", "what is more, it {x}.", "and it {x}."),
    ("on top of that, it {x}.",),
)
"""A second clause that would decide too, or is true at least."""

EXTRAS: dict[str, tuple[Piece, ...]] = {
    "color": _pieces(
        "extra-color",
        ("it is colored {c}.", "its color is {c}.", "the color of it is {c}.", "{c} is its color."),
        ("you know it by its {c} color.",),
    ),
    "word": _pieces(
        "extra-word", ("it is a {w} one.", "a {w} one, by the way.", "{w}, i should say."), ("a {w} {n}.",)
    ),
    "wall": _pieces(
        "extra-wall",
        ("it was put against a wall.", "a wall is close to it.", "it touches the wall."),
        ("it leans on a wall.",),
    ),
}
"""True of the target, and decide nothing."""

CLAUSES: dict[str, tuple[Piece, ...]] = {
    "color": _pieces(
        "is-color", ("is colored {c}", "has a {c} color", "looks {c}", "must be the {c} one"), ("comes in {c}",)
    ),
    "word": _pieces("is-word", ("must be the {w} one", "is of the {w} kind", "looks {w}"), ("could be called {w}",)),
    "size": _pieces(
        "is-size",
        (
            "counts as the {size} of them all",
            "must be the {size} one",
            "turns out the {size} {n} here",
            "proves the {size}",
        ),
        ("has no equal as the {size}",),
    ),
    "nearest": _pieces(
        "is-nearest",
        (
            "comes closest to {a}",
            "stands nearest to {a}",
            "is closer to {a} than the others",
            "has the shortest distance to {a}",
            "must be the nearest one to {a}",
            "sits by {a}",
            "can be found near {a}",
        ),
        ("keeps the least distance to {a}", "lies at the least distance from {a}"),
    ),
    "second nearest": _pieces(
        "is-second",
        (
            "is second closest to {a}",
            "comes second in distance to {a}",
            "must be the second nearest one to {a}",
            "comes second when counting from {a}",
        ),
        ("is number two if you start at {a}",),
    ),
    "farthest": _pieces(
        "is-farthest",
        (
            "is farthest from {a}",
            "stands furthest away from {a}",
            "has the longest way to {a}",
            "must be the most distant from {a}",
            "is far from {a}",
        ),
        ("keeps the most distance from {a}",),
    ),
    "next to": _pieces(
        "is-next",
        (
            "stands next to {a}",
            "is directly beside {a}",
            "has {a} as its neighbor",
            "is side by side with {a}",
            "stands just beside {a}",
        ),
        ("shares its place with {a}",),
    ),
    "between": _pieces(
        "is-between",
        (
            "has its place between {a} and {b}",
            "is halfway between {a} and {b}",
            "has {a} on one side and {b} on the other",
            "fills the gap from {a} to {b}",
        ),
        ("is flanked by {a} and {b}",),
    ),
    "on": _pieces(
        "is-on",
        ("lies on {a}", "was put on top of {a}", "stands atop {a}", "has its place on {a}", "rests on {a}"),
        ("uses {a} as its base",),
    ),
    "under": _pieces(
        "is-under",
        ("belongs under {a}", "stands beneath {a}", "is kept below {a}", "has {a} over it"),
        ("hides underneath {a}",),
    ),
    "above": _pieces(
        "is-above", ("hangs above {a}", "is up over {a}", "is higher than {a} and over it"), ("looks down on {a}",)
    ),
    "below": _pieces(
        "is-below", ("comes below {a}", "stands beneath {a}", "has {a} hanging above it"), ("has {a} over its top",)
    ),
    "beside": _pieces(
        "is-beside",
        (
            "would be {side} of {a} when you face it",
            "stands to the {side} as you look at {a}",
            "lies on the {side} hand of someone facing {a}",
            "lies to the {side} with {a} before you",
        ),
        ("makes the {side} neighbor of {a}, seen from its front",),
    ),
    "along": _pieces(
        "is-along",
        (
            "stands {side} {a}",
            "was placed {side} {a}",
            "can be seen {side} {a}",
            "sits {side} {a}",
        ),
        ("has its place {side} {a}",),
    ),
    "outermost": _pieces(
        "is-outermost",
        (
            "is {side} when you enter by {a}",
            "turns out {side} if you look in from {a}",
            "is {side} as seen from {a}",
            "stands {side} for someone in {a}",
        ),
        ("turns up {side} when you step in at {a}",),
    ),
    "rank": _pieces(
        "is-rank",
        (
            "would be the {k} one counted from the {side} when you enter by {a}",
            "comes {k} from the {side} if you look in from {a}",
            "is {k} from the {side}, seen from {a}",
            "stands {k} from the {side} for someone in {a}",
        ),
        ("makes the {k}, counted from the {side}, as you step in at {a}",),
    ),
    "surrounded": _pieces(
        "is-surrounded",
        (
            "has {k} chairs around it",
            "is surrounded by {k} chairs",
            "has the most chairs around it",
            "is where most of the chairs are",
        ),
        ("seats {k} people",),
    ),
    "corner": _pieces(
        "is-corner",
        ("keeps to a corner", "stands where two walls meet", "is set in a corner here", "is tucked into a corner"),
        ("fills a corner",),
    ),
    "middle": _pieces(
        "is-middle",
        ("takes the room's middle", "stands in the center", "is away from all walls, in the middle"),
        ("takes the center of the floor",),
    ),
}
"""What decides, by relation; each of the wordings for eval rooms is used in half of their composed sentences."""
