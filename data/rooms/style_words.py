"""Words of shape that people say of a style: of two things of a category, one with and one without a word look different."""

from __future__ import annotations

from . import appliances, household, seating, storage, surfaces


def _where(n_styles: int, words: dict[str, tuple[int, ...]]) -> dict[int, tuple[str, ...]]:
    by_style = {s: tuple(word for word, styles in words.items() if s in styles) for s in range(n_styles)}
    return {s: found for s, found in by_style.items() if found}


_PLAIN_CHAIRS = tuple(
    s for s in range(seating.CHAIR_STYLES) if s not in (*seating.OFFICE_CHAIRS, *seating.FOLDING_CHAIRS)
)
_FLOOR_LAMPS = tuple(s for s in range(surfaces.LAMP_STYLES) if s not in surfaces.TABLE_LAMP_STYLES)
_FLAT_TVS = tuple(s for s in range(appliances.TV_STYLES) if s not in appliances.TUBE_TVS)
_TABLE_WORDS = {
    "round": surfaces.table_styles("round"),
    "square": surfaces.table_styles("square"),
    "rectangular": surfaces.table_styles("rect"),
}

STYLE_WORDS: dict[str, dict[int, tuple[str, ...]]] = {
    "chair": _where(
        seating.CHAIR_STYLES,
        {
            "office": seating.OFFICE_CHAIRS,
            "swivel": seating.OFFICE_CHAIRS,
            "folding": seating.FOLDING_CHAIRS,
            "dining": _PLAIN_CHAIRS,
        },
    ),
    "couch": _where(seating.PADDED_STYLES, {"l-shaped": seating.L_SHAPED_COUCHES}),
    "stool": _where(
        seating.STOOL_STYLES,
        {
            "round": seating.ROUND_STOOLS,
            "square": tuple(s for s in range(seating.STOOL_STYLES) if s not in seating.ROUND_STOOLS),
            "bar": seating.BAR_STOOLS,
        },
    ),
    "table": _where(surfaces.TABLE_STYLES, _TABLE_WORDS),
    "coffee table": _where(
        surfaces.TABLE_STYLES,
        {
            word: tuple((s - surfaces.COFFEE_TABLE_SHIFT) % surfaces.TABLE_STYLES for s in styles)
            for word, styles in _TABLE_WORDS.items()
        },
    ),
    "lamp": _where(surfaces.LAMP_STYLES, {"floor": _FLOOR_LAMPS, "table": surfaces.TABLE_LAMP_STYLES}),
    "plant": _where(surfaces.PLANT_STYLES, {"tall": surfaces.TALL_PLANTS}),
    "cabinet": _where(storage.CABINET_STYLES, {"filing": storage.FILING_CABINETS}),
    "trash can": _where(
        storage.BIN_STYLES,
        {
            "round": storage.ROUND_BINS,
            "square": tuple(s for s in range(storage.BIN_STYLES) if s not in storage.ROUND_BINS),
        },
    ),
    "box": _where(storage.BOX_STYLES, {"open": storage.OPEN_BOXES}),
    "curtain": _where(
        household.CURTAIN_STYLES,
        {
            "short": household.SHORT_CURTAINS,
            "long": tuple(s for s in range(household.CURTAIN_STYLES) if s not in household.SHORT_CURTAINS),
        },
    ),
    "ottoman": _where(
        household.OTTOMAN_STYLES,
        {
            "round": household.ottoman_styles("round"),
            "square": household.ottoman_styles("square"),
            "rectangular": household.ottoman_styles("long"),
        },
    ),
    "tv": _where(appliances.TV_STYLES, {"flat": _FLAT_TVS}),
}
"""Words by category and style; categories and styles that are not here have none."""


def words_of(category: str, style: int) -> tuple[str, ...]:
    """The words of a style."""
    return STYLE_WORDS.get(category, {}).get(style, ())
