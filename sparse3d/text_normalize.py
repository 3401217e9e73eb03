"""Text normalisation of the data sets, as the published networks were trained.

Plain substring replacements in a fixed order, with all that follows from that ("significant" changes too): the tokens that a
published network saw are what counts.
"""

from __future__ import annotations

from typing import Literal, get_args

from ..core.errors import InvalidInput

Rules = Literal["scanrefer", "nr3d", "sr3d", "free"]

_COMMON = (
    ("'m", "am"),  # without a space before: "it's" becomes "itis", ScanRefer's tokens "it 's" become "it is"
    ("'s", "is"),
    ("2-tiered", "2 - tiered"),
    ("4-drawers", "4 - drawers"),
    ("5-drawer", "5 - drawer"),
    ("8-hole", "8 - hole"),
    ("7-shaped", "7 - shaped"),
    ("2-door", "2 - door"),
    ("3-compartment", "3 - compartment"),
    ("3-tier", "3 - tier"),
    ("3-seater", "3 - seater"),
    ("4-seat", "4 - seat"),
    ("theses", "these"),
)

_NR3D = (
    (".", " ."),
    (";", " ; "),
    ("-", " "),
    ('"', " "),
    ("?", " "),
    ("*", " "),
    (":", " "),
    ("$", " "),
    ("#", " "),
    ("/", " / "),
    ("you're", "you are"),
    ("isn't", "is not"),
    ("thats", "that is"),
    ("doesn't", "does not"),
    ("doesnt", "does not"),
    ("itis", "it is"),
    ("left-hand", "left - hand"),
    ("[", " [ "),
    ("]", " ] "),
    ("(", " ( "),
    (")", " ) "),
    ("wheel-chair", "wheel - chair"),
    (";s", "is"),
    ("tha=e", "the"),
    ("it\u2019s", "it is"),
    ("\u2019s", " is"),
    ("isnt", "is not"),
    ("Don't", "Do not"),
    ("arent", "are not"),
    ("cant", "can not"),
    ("you\u2019re", "you are"),
    ("!", " !"),
    ("id the", " , the"),
    ("youre", "you are"),
    ("'", " "),
)


def squeeze(text: str) -> str:
    """Single spaces between words, none at the ends."""
    return " ".join(text.split())


def normalize(sentence: str, rules: Rules) -> str:
    """A sentence by a data set's rules, without the prefix for sentences that name no object.

    Args:
        sentence: As written.
        rules: "scanrefer", "nr3d" and "sr3d" as published; "free" for people's own sentences: commas and full stops spaced,
            nothing else changed.

    Raises:
        InvalidInput: No such rules.
    """
    if rules not in get_args(Rules):
        raise InvalidInput(f"no text rules {rules!r}; choose from {', '.join(get_args(Rules))}")
    text = squeeze(sentence.replace(",", " , "))
    if rules == "free":
        return squeeze(text.replace(".", " . "))
    for old, new in _COMMON:
        text = squeeze(text.replace(old, new))
    text = squeeze(text.replace("computer/", "computer /"))
    if rules == "nr3d":
        for old, new in _NR3D:
            text = squeeze(text.replace(old, new))
    return text
