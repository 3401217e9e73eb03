"""Ways to say things.

``{t}`` is the target's noun, perhaps with its colour, ``{n}`` its noun alone (``{ts}``, ``{ns}``: plural), ``{c}`` its colour,
``{a}`` and ``{b}`` the anchors with their article, ``{side}`` left / right / leftmost / rightmost, ``{size}`` a superlative.
"""

from __future__ import annotations

from dataclasses import dataclass

SYNONYMS: dict[str, tuple[str, ...]] = {
    "couch": ("couch", "sofa"),
    "trash can": ("trash can", "garbage can", "bin", "waste basket"),
    "refrigerator": ("refrigerator", "fridge"),
    "bookshelf": ("bookshelf", "bookcase"),
    "nightstand": ("nightstand", "bedside table"),
    "monitor": ("monitor", "computer screen", "screen", "computer monitor"),
    "plant": ("plant", "potted plant"),
    "backpack": ("backpack", "bag", "rucksack"),
    "armchair": ("armchair", "arm chair"),
    "cabinet": ("cabinet", "cupboard"),
    "pillow": ("pillow", "cushion"),
    "bathtub": ("bathtub", "tub"),
    "sink": ("sink", "wash basin"),
    "dresser": ("dresser", "chest of drawers"),
    "picture": ("picture", "framed picture"),
    "counter": ("counter", "countertop"),
    "curtain": ("curtain", "curtains"),
    "whiteboard": ("whiteboard", "white board"),
    "ottoman": ("ottoman", "footstool"),
    "washing machine": ("washing machine", "washer"),
    "suitcase": ("suitcase", "trolley case"),
    "tv": ("tv", "television"),
    "laptop": ("laptop", "notebook computer"),
    "microwave": ("microwave", "microwave oven"),
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
            "here is a {t}.",
            "there is one {t} in the room.",
            "find the {t}.",
            "a {t}, the only {n} here.",
            "please show me the {t}.",
            "it is the {t} of this room.",
            "i am looking for the {t}.",
        ),
        ("where is the {t}?", "you can see just one {t} around here."),
    ),
    "color": _family(
        "color",
        (
            "the {t}.",
            "here is a {t}.",
            "the {n} is {c}.",
            "we want a {n} whose color is {c}.",
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
            "a {t}: no other is the {size}, only this one.",
            "look for the {size} {t} here.",
        ),
        ("compare the {ts} and take the {size} one.", "of the {ts} here i mean the {size}."),
    ),
    "nearest": _family(
        "nearest",
        (
            "the {t} that comes closest to {a}.",
            "the {t} that is nearest to {a}.",
            "there is a {t} here that is closest to {a}.",
            "this {t} is the nearest one to {a}.",
            "find the {t} by {a}.",
            "we want a {t}. take whichever is closest to {a}.",
            "of all the {ts} take the closest to {a}.",
            "please find the {t} nearest {a}.",
            "the very closest {t} to {a}.",
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
            "we want a {t}. take whichever is farthest from {a}.",
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
            "the {t} just next to {a}.",
            "there is a {t} right beside {a}.",
            "look for a {t}. you find it next to {a}.",
            "the {t} is placed next to {a}.",
            "a {t} standing beside {a}.",
            "find the {t} right next to {a}.",
            "you see a {t} and it stands beside {a}.",
            "the {t} located directly by {a}.",
        ),
        ("right by {a} you will find the {t}.", "{a} has a {t} at its side. that {n}."),
    ),
    "between": _family(
        "between",
        (
            "the {t} between {a} and {b}.",
            "look for a {t}. you find it between {a} and {b}.",
            "this is the {t} in between {a} and {b}.",
            "find the {t} you see between {a} and {b}.",
            "the {t} has {a} on one side and {b} on the other.",
            "a {t}, placed between {b} and {a}.",
            "it is the {t} midway from {a} to {b}.",
            "the {t} located between {b} and {a}.",
        ),
        ("on the way from {a} to {b} stands a {t}.", "go half way from {a} to {b} and take the {t}."),
    ),
    "on": _family(
        "on",
        (
            "the {t} on {a}.",
            "the {t} atop {a}.",
            "look for a {t}. you find it on {a}.",
            "here is the {t} put on {a}.",
            "find the {t} placed on {a}.",
            "a {t}. it has been placed on {a}.",
            "it is the {t} up on {a}.",
            "the {t} lying on {a}.",
        ),
        ("{a} has a {t} on top. take that {n}.", "look on {a}, you want the {t} there."),
    ),
    "under": _family(
        "under",
        (
            "the {t} under {a}.",
            "there is a {t} underneath {a}.",
            "here is a {t}, put under {a}.",
            "find the {t} beneath {a}.",
            "the {t} is kept on the floor beneath {a}.",
            "a {t} that stands below {a}.",
            "it is the {t} kept under {a}.",
            "the {t} put underneath {a}.",
        ),
        ("look under {a}, you want the {t} there.", "beneath {a} you see a {t}."),
    ),
    "above": _family(
        "above",
        (
            "the {t} above {a}.",
            "there is a {t} hanging over {a}.",
            "here is a {t}, up above {a}.",
            "find the {t} over {a}.",
            "the {t} is fixed on the wall over {a}.",
            "a {t} mounted above {a}.",
            "it is the {t} higher up, over {a}.",
            "the {t} hung above {a}.",
        ),
        ("right over {a} hangs a {t}.", "look up from {a} and you see the {t}."),
    ),
    "below": _family(
        "below",
        (
            "the {t} below {a}.",
            "there is a {t} under {a}.",
            "look for a {t}. you find it below {a}.",
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
            "facing {a}, the {t} at the {side}.",
            "look at {a} from its front and take the {t} at the {side}.",
            "stand before {a} and look at it: the {t} is to its {side}.",
            "a {t} that is {side} from {a} when you face it.",
            "this {t} stands {side} from {a}, if you are facing it.",
            "the {t} to the {side} as you face {a}.",
            "find the {t} {side} from {a}, looking at its front.",
            "facing {a} from the front, a {t} is on its {side}.",
        ),
        (
            "turn towards {a}. to the {side} you notice a {t}.",
            "for someone who faces {a}, the {side} hand points at that {t}.",
        ),
    ),
    "outermost": _family(
        "outermost",
        (
            "the {side} {t} when you come in through {a}.",
            "standing at {a} and looking into the room, it is the {side} {t}.",
            "enter by {a}: the {t} you want is {side}.",
            "looking in from {a}, the {t} that is {side}.",
            "this is the {side} {t}, as seen from {a}.",
            "with your back to {a}, take the {side} {t}.",
            "the {t} is {side} when you enter through {a}.",
            "from {a} you see some {ns}. it is the {side} {t}.",
        ),
        ("walk in through {a}: i want the {side} {t}.", "as you step in at {a}, which {t} is {side}?"),
    ),
    "corner": _family(
        "corner",
        (
            "the {t} in the corner.",
            "by two walls, in a corner, you see a {t}.",
            "look for a {t}. you find it in a corner.",
            "find the {t} standing in the corner.",
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
            "the {t} at the room's center.",
            "there is a {t} standing in the room's center.",
            "look for a {t}. you find it in the room's middle.",
            "find the {t} at the center of the room.",
            "a {t} at the middle of the open floor.",
            "it is the {t} close to the room's center.",
            "the {t} is right in the room's middle.",
            "the {t} placed centrally in the room.",
        ),
        ("away from the walls, in the middle, is the {t}.", "which {t} is at this room's center?"),
    ),
}
"""Templates by relation; at least a fifth of each are held out."""
