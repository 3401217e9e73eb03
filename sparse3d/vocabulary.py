"""Names of objects: does a sentence name one at all?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike

from ..data.readers.scannet import read_label_table

_NAMES = """
air conditioner|alarm clock|armchair|backpack|bag|ball|banister|bar|bar stool|basket|bathrobe|bathroom cabinet|
bathroom counter|bathroom stall|bathroom vanity|bathtub|bean bag|bed|bench|bicycle|bike|bin|blanket|blinds|
blackboard|board|boat|book|books|bookcase|bookshelf|boots|bottle|bowl|box|breakfast bar|broom|bucket|bulletin board|
bunk bed|cabinet|cable|calendar|can|candle|car|card|cardboard|carpet|cart|case|ceiling|ceiling fan|ceiling light|
chair|chandelier|chest|clock|closet|closet door|cloth|clothes|clothes dryer|clothing|clothing rack|coat|coat rack|
coatrack|coffee kettle|coffee maker|coffee table|column|computer|computer tower|container|cooker|cooler|copier|
couch|counter|countertop|counter top|crate|crib|cup|cupboard|curtain|cushion|cutting board|desk|desk lamp|detergent|
dining table|dish rack|dishwasher|dispenser|display|display case|divider|door|door frame|doorframe|doorway|drawer|
drawers|dresser|drum|dryer|dumbbell|dustbin|dustpan|easel|electric panel|elevator|end table|exercise bike|
exercise machine|exit sign|fan|faucet|file|file cabinet|filing cabinet|fire alarm|fire extinguisher|fireplace|flag|
flower|flowerpot|folder|foosball table|footrest|footstool|frame|freezer|fridge|furniture|futon|garbage|garbage bag|
garbage bin|garbage can|glass|glass door|globe|golf bag|guitar|guitar case|gym mat|hair dryer|hamper|hand dryer|
hand towel|handicap bar|handrail|hanger|hat|headboard|headphones|heater|hose|ironing board|island|jacket|jar|kettle|
keyboard|keyboard piano|kitchen cabinet|kitchen counter|kitchen island|ladder|lamp|lampshade|laptop|laundry basket|
laundry hamper|ledge|legs|light|light switch|loft bed|locker|loveseat|luggage|machine|magazine|magazine rack|
mailbox|map|mat|mattress|medicine cabinet|messenger bag|microwave|mini fridge|mirror|monitor|mouse|mousepad|mug|
music stand|night lamp|night stand|nightstand|notepad|object|office chair|office table|organizer|ottoman|oven|
oven mitt|painting|pan|panel|pantry|paper|paper bag|paper cutter|paper towel dispenser|paper towel roll|papers|
partition|person|photo|piano|picture|pictures|pillar|pillow|pillows|ping pong table|pipe|pitcher|plant|plate|
plunger|podium|pool table|poster|pot|potted plant|power outlet|power strip|printer|projector|projector screen|purse|
quadcopter|rack|radiator|rail|railing|range hood|recliner|recycling bin|refrigerator|remote|rice cooker|rod|
rolled poster|rope|round table|rug|sack|salt|scale|scanner|screen|seat|seating|sewing machine|sheet|shelf|shelves|
shelving|shirt|shoe|shoe rack|shoes|shopping bag|shorts|shower|shower curtain|shower door|shower floor|shower head|
shower wall|shredder|sign|sink|side table|slippers|smoke detector|soap|soap dish|soap dispenser|sofa|sofa bed|
sofa chair|speaker|stack of chairs|stair|stair rail|staircase|stairs|stand|stapler|statue|step|step stool|sticker|
stool|storage bin|storage box|storage container|storage organizer|stove|structure|stuffed animal|suitcase|sweater|
swiffer|switch|table|table lamp|tank|tap|tape|tea pot|teapot|teddy bear|telephone|phone|telescope|television|
thermos|thermostat|tissue box|tire|toaster|toaster oven|toilet|toilet brush|toilet flush button|toilet paper|
toilet paper dispenser|toilet paper holder|toilet seat cover dispenser|toiletry|toolbox|towel|towel rack|towels|toy|
toy dinosaur|toy piano|traffic cone|trash|trash bag|trash bin|trash can|trashcan|tray|treadmill|tripod|trolley|
trunk|tube|tupperware|tv|tv stand|typewriter|umbrella|unit|urinal|utensil|vacuum|vacuum cleaner|vase|
vending machine|vent|wall hanging|wall lamp|wall mounted coat rack|wardrobe|wardrobe closet|washcloth|
washing machine|waste basket|wastebasket|water bottle|water cooler|water dispenser|water fountain|water heater|
water pitcher|wet floor sign|wheel|wheelchair|whiteboard|whiteboard eraser|white board|window|windowsill|wood|
wooden pillar|workbench|yoga mat
"""
_NOT_ENOUGH = frozenset(["wall", "floor"])
_IRREGULAR = {
    "shelves": "shelf",
    "knives": "knife",
    "leaves": "leaf",
    "people": "person",
    "couches": "couch",
    "benches": "bench",
}


@dataclass(frozen=True)
class ObjectVocabulary:
    """Names of objects in lower case, several words with single spaces; walls and floors do not count."""

    names: frozenset[str]
    longest: int
    """Words of the longest name."""

    @classmethod
    def of(cls, names: Iterable[str]) -> ObjectVocabulary:
        """From names as data sets write them (underscores, capitals)."""
        clean = {" ".join(name.lower().replace("_", " ").split()) for name in names} - {""} - _NOT_ENOUGH
        return cls(frozenset(clean), max((name.count(" ") + 1 for name in clean), default=0))

    @classmethod
    def from_label_table(cls, path: str | PathLike[str]) -> ObjectVocabulary:
        """The raw categories of the user's ``scannetv2-labels.combined.tsv``.

        Raises:
            MissingPart, CorruptFile: The table is not there or cannot be read.
        """
        return cls.of(read_label_table(path))

    def names_an_object(self, sentence: str) -> bool:
        """Whether a known name stands in the sentence, in singular or plural."""
        words = re.findall(r"[a-z]+", sentence.lower())
        for start in range(len(words)):
            for count in range(1, min(self.longest, len(words) - start) + 1):
                *before, last = words[start : start + count]
                if any(" ".join([*before, form]) in self.names for form in _singular_forms(last)):
                    return True
        return False


def default_vocabulary() -> ObjectVocabulary:
    """Our own list of ScanNet's category names, for where the user's label table is absent."""
    return ObjectVocabulary.of(name.strip() for name in _NAMES.replace("\n", "").split("|"))


def _singular_forms(word: str) -> tuple[str, ...]:
    forms = [word, _IRREGULAR.get(word, word)]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s"):
        forms.append(word[:-1])
    return tuple(forms)
