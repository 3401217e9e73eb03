"""What labels of other data sets mean among our categories and styles."""

from __future__ import annotations

from .catalog import FIXED_CATEGORIES, KINDS
from .style_words import STYLE_WORDS
from .templates import SYNONYMS

SHELL_LABELS = ("floor", "wall", "ceiling", "room")
"""Labels of what the room itself is made of."""

_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "chair": ("stack of chairs",),
    "armchair": ("sofa chair", "recliner", "lounge chair", "single sofa"),
    "couch": ("sofa", "loveseat", "sofa bed", "futon"),
    "stool": ("barstool", "step stool"),
    "ottoman": ("footstool", "footrest", "pouf", "beanbag chair"),
    "bed": ("bunk bed", "loft bed", "mattress"),
    "coffee table": ("end table", "side table", "low table"),
    "desk": ("office table",),
    "monitor": ("computer display",),
    "tv": ("television",),
    "lamp": ("night lamp", "light stand"),
    "bookshelf": ("shelf", "shelves", "bookshelves", "storage shelf"),
    "cabinet": ("cupboard", "wardrobe", "closet", "locker", "file cabinet", "tv stand", "credenza", "sideboard"),
    "counter": ("countertop", "kitchen island"),
    "dresser": ("drawer", "drawers"),
    "nightstand": ("night stand",),
    "trash can": ("trash bin", "trashcan", "trash", "dustbin", "recycling bin", "recycle bin", "wastebasket"),
    "box": ("boxes", "carton", "storage bin", "storage container", "crate", "storage box"),
    "backpack": ("book bag", "schoolbag"),
    "suitcase": ("luggage", "suitcases"),
    "refrigerator": ("fridges", "mini fridge", "fridge"),
    "washing machine": ("washer", "washing machines", "clothes dryer", "clothes dryers"),
    "curtain": ("curtains", "blinds", "drapes", "shower curtain"),
    "whiteboard": ("white board", "blackboard"),
    "picture": ("painting", "poster", "photo", "pictures", "mirror"),
    "sink": ("basin", "washbasin"),
    "bathtub": ("tub",),
    "plant": ("flower", "houseplant"),
}


_ONLY_ALONE = ("bag", "bin", "screen", "display")
"""Names that mean something else after another word ("paper bag", "projector screen")."""


def _names() -> dict[str, str]:
    found = {name: name for name in (*KINDS, *FIXED_CATEGORIES)}
    for table in (SYNONYMS, _OTHER_NAMES):
        for category, names in table.items():
            for name in names:
                found.setdefault(name, category)
    return found


_CATEGORY_OF = _names()


def category_of(label: str) -> str | None:
    """Our category for a label: the longest known name at its end ("kitchen table": table), in the singular or plural.

    Returns:
        ``None`` for what we have no furniture for.
    """
    words = label.lower().replace("_", " ").replace("-", " ").split()
    for start in range(len(words)):
        name = " ".join(words[start:])
        for form in (name, name.removesuffix("s"), name.removesuffix("es")):
            if form in _CATEGORY_OF and (start == 0 or form not in _ONLY_ALONE):
                return _CATEGORY_OF[form]
    return None


def styles_of(label: str, category: str) -> tuple[int, ...]:
    """The styles of a category that a label's adjectives allow ("office chair"); all where it has none that we know."""
    words = set(label.lower().replace("_", " ").split())
    by_style = STYLE_WORDS.get(category, {})
    known = words & {word for named in by_style.values() for word in named}
    every = tuple(range(KINDS[category].n_styles))
    return tuple(s for s in every if known <= set(by_style.get(s, ()))) or every
