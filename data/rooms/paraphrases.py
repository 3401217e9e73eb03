"""Sentences of the evaluation only, written apart from the templates and clauses that training draws from.

Blanks as in :mod:`~.templates`; ``{k}`` is a number word or an ordinal, ``{w}`` an adjective of style.
"""

from __future__ import annotations

PARAPHRASES: dict[str, tuple[str, ...]] = {
    "plain": ("could you point out the {t}?", "the room's {t}, wherever it may be.", "locate any {t} you can spot."),
    "color": (
        "somebody painted this {n} {c}.",
        "not every {n} here is {c}, but mine is.",
        "grab me the {n} in {c}, will you?",
    ),
    "word": (
        "the {n} i have in mind could be described as {w}.",
        "mine's the {w} sort of {n}.",
        "take the {w} {n} rather than any other kind.",
    ),
    "size": (
        "no other {t} measures up: it's the {size}.",
        "in terms of dimensions, choose the {size} {t}.",
        "line the {ts} up and the {size} wins.",
    ),
    "nearest": (
        "if you walked away from {a}, you would bump into this {t} before the rest.",
        "{a} has several {ts} around; mine is the one with the smallest gap.",
        "which {t} could you touch most easily while standing at {a}?",
    ),
    "second nearest": (
        "forget the closest {t} as seen from {a} and take whichever follows.",
        "ranked by distance from {a}, this {t} takes silver.",
        "one {t} is nearer {a} than mine, all the rest are more remote.",
    ),
    "farthest": (
        "{a} and this {t} could hardly be more separated.",
        "every other {t} is closer to {a} than mine.",
        "walk as far as possible away from {a} until the last {t}.",
    ),
    "next to": (
        "{a} and my {t} are neighbors.",
        "adjacent to {a} there's a {t}.",
        "reach out from {a} and you can put your hand on the {t}.",
    ),
    "between": (
        "draw a line joining {a} with {b}; the {t} lies along it.",
        "sandwiched by {a} and {b}, that's the {t}.",
        "{a} is one neighbor of the {t}, {b} the opposite one.",
    ),
    "on": (
        "{a} carries a {t}.",
        "someone left the {t} sitting upon {a}.",
        "the surface of {a} is where you will see the {t}.",
    ),
    "under": (
        "crouch down at {a} to reach the {t}.",
        "the {t} has been shoved below {a}.",
        "the space beneath {a} is occupied by a {t}.",
    ),
    "above": (
        "raise your eyes over {a}: a {t}.",
        "higher up on the same wall as {a} there's the {t}.",
        "overhead of {a} they mounted a {t}.",
    ),
    "below": (
        "lower your eyes from {a}: a {t}.",
        "lower down than {a}, on that side of the room, is the {t}.",
        "{a} has been mounted over this {t}.",
    ),
    "beside": (
        "with {a} ahead of me, my {side} arm points to the {t}.",
        "imagine looking {a} in the face; the {t} would be on your {side}.",
        "{side} of {a}, viewed from its front, they put a {t}.",
    ),
    "along": (
        "{side} {a}, that's where they left the {t}.",
        "the {t} occupies the floor {side} {a}.",
        "step up to {a}: {side} it you come upon a {t}.",
    ),
    "outermost": (
        "someone opening {a} would have this {t} {side} of all.",
        "scan the {ts} from the threshold of {a}; pick what is {side}.",
        "arriving by way of {a}, the {side} {t} is mine.",
    ),
    "rank": (
        "someone opening {a} counts the {ts} from the {side}: the {k}.",
        "arriving by way of {a}, start at the {side} and stop at {t} number {k}.",
        "from the threshold of {a}, the {k} {t} reading from the {side}.",
    ),
    "surrounded": (
        "people could gather at this {t}, it has {k} seats.",
        "{k} chairs belong to the {t}.",
        "count the chairs at every {t}: this has the most.",
    ),
    "corner": (
        "wedged into an angle of the walls sits a {t}.",
        "the {t} stands at the meeting of two walls.",
        "cornered, that's how i'd call this {t}.",
    ),
    "middle": (
        "centrally located, a {t}.",
        "you could walk all around this {t} since it's at the heart of the room.",
        "the {t} keeps clear of every wall, mid-room.",
    ),
}
"""Ways to say each relation that rooms never use."""

UNKNOWN_NOUNS: dict[str, str] = {
    "armchair": "easy chair",
    "backpack": "knapsack",
    "bathtub": "bath",
    "bed": "bedstead",
    "bench": "form",
    "bookshelf": "book rack",
    "box": "carton",
    "cabinet": "sideboard",
    "chair": "seat",
    "coffee table": "cocktail table",
    "couch": "settee",
    "counter": "worktop",
    "curtain": "drapes",
    "desk": "writing table",
    "door": "doorway",
    "dresser": "bureau",
    "lamp": "light",
    "monitor": "computer display",
    "nightstand": "night table",
    "ottoman": "pouf",
    "picture": "painting",
    "pillow": "throw pillow",
    "plant": "houseplant",
    "refrigerator": "icebox",
    "sink": "washbasin",
    "stool": "barstool",
    "suitcase": "luggage",
    "table": "dining table",
    "toilet": "lavatory",
    "trash can": "dustbin",
    "tv": "telly",
    "washing machine": "laundry machine",
    "whiteboard": "dry-erase board",
    "window": "pane",
}
"""A word for each category that no template, clause or synonym holds."""

UNKNOWN_COLORS: dict[str, str] = {
    "beige": "tan",
    "black": "jet-black",
    "blue": "navy",
    "brown": "chocolate",
    "gray": "ash-colored",
    "green": "emerald",
    "orange": "tangerine",
    "pink": "rose",
    "purple": "violet",
    "red": "crimson",
    "white": "ivory",
    "yellow": "lemon",
}
"""Likewise for colours."""

OTHER_SPELLINGS: tuple[tuple[str, str], ...] = (
    ("gray", "grey"),
    ("colored", "coloured"),
    ("color", "colour"),
    ("center", "centre"),
    ("neighbor", "neighbour"),
    ("armchair", "arm-chair"),
    ("bookshelf", "book shelf"),
    ("bookcase", "book-case"),
    ("trash can", "trashcan"),
    ("waste basket", "wastebasket"),
    ("coffee table", "coffeetable"),
    ("nightstand", "night stand"),
    ("backpack", "back pack"),
    ("farthest", "fartherst"),
    ("bathtub", "bath tub"),
    ("whiteboard", "white board"),
    ("suitcase", "suit case"),
    ("is the", "'s the"),
)
"""British, joined or split, and one that is plainly wrong."""

ABSENT: tuple[str, ...] = (
    "aquarium",
    "motorcycle",
    "fireplace",
    "drum kit",
    "billiard table",
    "rocking horse",
    "treadmill",
    "grand piano",
    "vending machine",
    "christmas tree",
)
"""Things that no room has."""
