"""Ways to say things.

``{t}`` is the target's noun, perhaps with its colour, ``{n}`` its noun alone (``{ts}``, ``{ns}``: plural), ``{c}`` its colour, ``{a}`` and ``{b}`` the anchors with
their article, ``{side}`` left / right / leftmost / rightmost, ``{size}`` a superlative.
"""

from __future__ import annotations

from dataclasses import dataclass

SYNONYMS: dict[str, tuple[str, ...]] = {
    "couch": ("couch", "sofa"),
    "trash can": ("trash can", "garbage can", "bin", "waste basket", "trash bin"),
    "refrigerator": ("refrigerator", "fridge"),
    "bookshelf": ("bookshelf", "bookcase", "book shelf"),
    "nightstand": ("nightstand", "night stand", "bedside table"),
    "monitor": ("monitor", "computer screen", "screen", "computer monitor"),
    "plant": ("plant", "potted plant"),
    "backpack": ("backpack", "bag", "rucksack"),
    "armchair": ("armchair", "arm chair"),
    "cabinet": ("cabinet", "cupboard"),
    "pillow": ("pillow", "cushion"),
    "bathtub": ("bathtub", "bath tub"),
    "sink": ("sink", "wash basin"),
    "dresser": ("dresser", "chest of drawers"),
    "picture": ("picture", "framed picture"),
    "box": ("box",),
    "table": ("table",),
}
"""Other words for a category, used half of the time."""


@dataclass(frozen=True)
class Template:
    """A sentence with blanks. ``is_held_out``: rooms of the split "train" never use it."""

    template_id: str
    text: str
    is_held_out: bool


def _family(name: str, seen: tuple[str, ...], unseen: tuple[str, ...]) -> tuple[Template, ...]:
    held = tuple(Template(f"{name}.h{k}", text, True) for k, text in enumerate(unseen))
    return tuple(Template(f"{name}.{k}", text, False) for k, text in enumerate(seen)) + held


TEMPLATES: dict[str, tuple[Template, ...]] = {
    "plain": _family(
        "plain",
        (
            "the {t}.",
            "this is a {t}.",
            "there is a {t} in the room.",
            "find the {t}.",
            "a {t}. it is the only {n} here.",
            "please show me the {t}.",
            "it is the {t} in this room.",
            "i am looking for the {t}.",
        ),
        ("where is the {t}?", "you can see just one {t} around here."),
    ),
    "color": _family(
        "color",
        (
            "the {t}.",
            "this is a {t}.",
            "the {n} is {c}.",
            "there is a {n}. it is {c} in color.",
            "find the {n} that is {c}.",
            "the {c} one of the {ns}.",
            "it is a {n} and its color is {c}.",
            "choose the {t}, not one of another color.",
        ),
        ("which {n} is {c}? that one.", "among the {ns} take the one colored {c}."),
    ),
    "size": _family(
        "size",
        (
            "the {size} {t}.",
            "this is the {size} {t} in the room.",
            "find the {t} that is the {size}.",
            "there are some {ns}. it is the {size} {t}.",
            "the {size} of all {ts}.",
            "please pick the {size} {t}.",
            "it is a {t}. no other is the {size}, only this one.",
            "look for the {size} {t} here.",
        ),
        ("compare the {ts} and take the {size} one.", "of the {ts} here i mean the {size}."),
    ),
    "nearest": _family(
        "nearest",
        (
            "the {t} closest to {a}.",
            "the {t} that is nearest to {a}.",
            "there is a {t} in the room. it is the one closest to {a}.",
            "this is a {t}. it is the nearest one to {a}.",
            "find the {t} by {a}.",
            "we want a {t}. it is nearer to {a} than the others.",
            "of all the {ts} it is the one closest to {a}.",
            "please find the {t} nearest {a}.",
            "the closest {t} to {a}.",
            "it is the {t} near {a}.",
            "starting at {a}, the first {t} you would reach.",
            "the {t} with the least distance to {a}.",
        ),
        (
            "go to {a} and take the closest {t}.",
            "which {t} has the shortest way to {a}?",
            "the {t} sits nearer {a} than any other {n}.",
        ),
    ),
    "farthest": _family(
        "farthest",
        (
            "the {t} farthest from {a}.",
            "the {t} that is furthest away from {a}.",
            "there is a {t}. it is the one farthest from {a}.",
            "this {t} is the furthest one from {a}.",
            "of all the {ts} it is the most distant from {a}.",
            "find the {t} that is far away from {a}.",
            "please show the {t} that is farthest away from {a}.",
            "the most remote {t} as seen from {a}.",
        ),
        ("stay away from {a}: i mean the {t} with the greatest distance to it.", "no other {t} is as far from {a}."),
    ),
    "next to": _family(
        "next-to",
        (
            "the {t} next to {a}.",
            "there is a {t} right beside {a}.",
            "this is a {t}. it is next to {a}.",
            "the {t} is placed next to {a}.",
            "a {t} standing beside {a}.",
            "find the {t} right next to {a}.",
            "it is a {t} and it stands beside {a}.",
            "the {t} located directly by {a}.",
        ),
        ("right by {a} you will find the {t}.", "{a} has a {t} at its side. that {n}."),
    ),
    "between": _family(
        "between",
        (
            "the {t} between {a} and {b}.",
            "there is a {t}. it is between {a} and {b}.",
            "this is the {t} in between {a} and {b}.",
            "find the {t} that stands between {a} and {b}.",
            "the {t} has {a} on one side and {b} on the other.",
            "a {t}, placed between {b} and {a}.",
            "it is the {t} in the middle of {a} and {b}.",
            "the {t} located between {b} and {a}.",
        ),
        ("on the way from {a} to {b} there is a {t}.", "go half way from {a} to {b} and take the {t}."),
    ),
    "on": _family(
        "on",
        (
            "the {t} on {a}.",
            "the {t} on top of {a}.",
            "there is a {t}. it is sitting on {a}.",
            "this is a {t} that is on {a}.",
            "find the {t} standing on {a}.",
            "a {t}. it has been placed on {a}.",
            "it is the {t} on top of {a}.",
            "the {t} lying on {a}.",
        ),
        ("{a} has a {t} on top. take that {n}.", "look on {a}, you want the {t} there."),
    ),
    "under": _family(
        "under",
        (
            "the {t} under {a}.",
            "there is a {t} underneath {a}.",
            "this is a {t}. it is under {a}.",
            "find the {t} beneath {a}.",
            "the {t} is on the floor under {a}.",
            "a {t} that stands below {a}.",
            "it is the {t} kept under {a}.",
            "the {t} put underneath {a}.",
        ),
        ("look under {a}, you want the {t} there.", "beneath {a} there is a {t}."),
    ),
    "above": _family(
        "above",
        (
            "the {t} above {a}.",
            "there is a {t} hanging over {a}.",
            "this is a {t}. it is above {a}.",
            "find the {t} over {a}.",
            "the {t} is on the wall above {a}.",
            "a {t} mounted above {a}.",
            "it is the {t} higher up, over {a}.",
            "the {t} hung above {a}.",
        ),
        ("right over {a} there is a {t}.", "look up from {a} and you see the {t}."),
    ),
    "below": _family(
        "below",
        (
            "the {t} below {a}.",
            "there is a {t} under {a}.",
            "this is a {t}. it stands below {a}.",
            "find the {t} beneath {a}.",
            "the {t} at the wall, below {a}.",
            "a {t}, right under {a}.",
            "it is the {t} underneath {a}.",
            "the {t} placed below {a}.",
        ),
        ("look down from {a} and you see the {t}.", "{a} is over it: the {t}."),
    ),
    "beside": _family(
        "beside",
        (
            "facing {a}, the {t} on the {side}.",
            "when you look at the front of {a}, it is the {t} on the {side} of it.",
            "stand in front of {a} and look at it. the {t} is to its {side}.",
            "there is a {t} to the {side} of {a} when you face {a}.",
            "this {t} is {side} of {a}, if you are facing it.",
            "the {t} to the {side} as you face {a}.",
            "find the {t} on the {side} side of {a}, looking at its front.",
            "facing {a} from the front, a {t} is on its {side}.",
        ),
        (
            "turn towards {a}. on the {side} there is a {t}.",
            "for someone who faces {a} it is the {t} on the {side} hand.",
        ),
    ),
    "outermost": _family(
        "outermost",
        (
            "the {side} {t} when you come in through {a}.",
            "standing at {a} and looking into the room, it is the {side} {t}.",
            "enter by {a}. the {t} is the {side} one.",
            "looking in from {a}, the {t} that is {side}.",
            "this is the {side} {t}, as seen from {a}.",
            "with your back to {a}, take the {side} {t}.",
            "the {t} is the {side} one when you enter through {a}.",
            "from {a} you see some {ns}. it is the {side} {t}.",
        ),
        ("walk in through {a}: i want the {side} {t}.", "as you step in at {a}, which {t} is {side}?"),
    ),
    "corner": _family(
        "corner",
        (
            "the {t} in the corner.",
            "there is a {t} in the corner of the room.",
            "this is a {t}. it is in a corner.",
            "find the {t} standing in the corner of the room.",
            "a {t} placed in the room's corner.",
            "it is the {t} tucked into a corner.",
            "the {t} is where two walls meet.",
            "the {t} in a corner of this room.",
        ),
        ("look into the corners, there is a {t}.", "which {t} is in a corner?"),
    ),
    "middle": _family(
        "middle",
        (
            "the {t} in the middle of the room.",
            "there is a {t} in the center of the room.",
            "this is a {t}. it is in the middle of the room.",
            "find the {t} at the center of the room.",
            "a {t} standing in the middle of the floor.",
            "it is the {t} close to the room's center.",
            "the {t} is in the middle.",
            "the {t} placed centrally in the room.",
        ),
        ("away from the walls, in the middle, is the {t}.", "which {t} is in the center of this room?"),
    ),
}
"""Templates by relation; at least a fifth of each are held out."""
