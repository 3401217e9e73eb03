"""Which categories there are, in how many styles and colours, and which styles training never sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import appliances, fixtures, household, seating, storage, surfaces
from .colors import FABRIC, WOOD, Rgb
from .shapes import Shape

N_HELD_OUT_STYLES = 3
"""The last styles of every category; rooms of the split "train" have none of them."""


@dataclass(frozen=True)
class Kind:
    """A category of furniture."""

    build: Callable[[int, np.random.Generator, Rgb], Shape]
    n_styles: int
    colors: tuple[str, ...]

    @property
    def held_out(self) -> range:
        """Styles kept for evaluation."""
        return range(self.n_styles - N_HELD_OUT_STYLES, self.n_styles)


_SMALL = ("red", "blue", "green", "black", "white", "gray", "yellow", "brown")
_BRIGHT = ("red", "blue", "green", "yellow", "orange", "purple", "pink", "white", "gray", "black", "brown")

KINDS: dict[str, Kind] = {
    "chair": Kind(seating.chair, seating.CHAIR_STYLES, FABRIC),
    "armchair": Kind(seating.armchair, seating.PADDED_STYLES, FABRIC),
    "couch": Kind(seating.couch, seating.PADDED_STYLES, FABRIC),
    "stool": Kind(seating.stool, seating.STOOL_STYLES, _BRIGHT),
    "bed": Kind(seating.bed, seating.BED_STYLES, FABRIC),
    "table": Kind(surfaces.table, surfaces.TABLE_STYLES, WOOD),
    "coffee table": Kind(surfaces.coffee_table, surfaces.TABLE_STYLES, WOOD),
    "desk": Kind(surfaces.desk, surfaces.DESK_STYLES, WOOD),
    "monitor": Kind(surfaces.monitor, surfaces.MONITOR_STYLES, ("black", "black", "gray", "white")),
    "lamp": Kind(surfaces.lamp, surfaces.LAMP_STYLES, ("white", "beige", "black", "red", "blue", "yellow", "green")),
    "pillow": Kind(surfaces.pillow, surfaces.PILLOW_STYLES, FABRIC),
    "plant": Kind(surfaces.plant, surfaces.PLANT_STYLES, ("green",)),
    "bookshelf": Kind(storage.bookshelf, storage.BOOKSHELF_STYLES, WOOD),
    "cabinet": Kind(storage.cabinet, storage.CABINET_STYLES, (*WOOD, "blue", "green")),
    "dresser": Kind(storage.dresser, storage.DRESSER_STYLES, WOOD),
    "nightstand": Kind(storage.nightstand, storage.NIGHTSTAND_STYLES, WOOD),
    "trash can": Kind(storage.trash_can, storage.BIN_STYLES, _SMALL),
    "box": Kind(storage.box, storage.BOX_STYLES, ("brown", "beige", "white", "blue", "red", "green", "gray", "black")),
    "backpack": Kind(storage.backpack, storage.BACKPACK_STYLES, _BRIGHT),
    "refrigerator": Kind(fixtures.refrigerator, fixtures.FRIDGE_STYLES, ("white", "gray", "black")),
    "toilet": Kind(fixtures.toilet, fixtures.TOILET_STYLES, ("white",)),
    "sink": Kind(fixtures.sink, fixtures.SINK_STYLES, ("white",)),
    "bathtub": Kind(fixtures.bathtub, fixtures.TUB_STYLES, ("white",)),
    "counter": Kind(appliances.counter, appliances.COUNTER_STYLES, (*WOOD, "blue", "green")),
    "washing machine": Kind(appliances.washing_machine, appliances.WASHER_STYLES, ("white", "white", "gray", "black")),
    "tv": Kind(appliances.tv, appliances.TV_STYLES, ("black", "black", "gray")),
    "laptop": Kind(appliances.laptop, appliances.LAPTOP_STYLES, ("gray", "black", "white")),
    "microwave": Kind(appliances.microwave, appliances.MICROWAVE_STYLES, ("white", "black", "gray", "red")),
    "curtain": Kind(household.curtain, household.CURTAIN_STYLES, FABRIC),
    "whiteboard": Kind(household.whiteboard, household.WHITEBOARD_STYLES, ("white",)),
    "ottoman": Kind(household.ottoman, household.OTTOMAN_STYLES, FABRIC),
    "bench": Kind(household.bench, household.BENCH_STYLES, (*WOOD, "blue", "red", "green")),
    "suitcase": Kind(household.suitcase, household.SUITCASE_STYLES, _BRIGHT),
}
"""Furniture by ScanNet category."""

FIXED_CATEGORIES = ("door", "window", "picture")
"""Set in or hung on walls; mostly anchors, for their thin boxes are ill-posed targets."""
