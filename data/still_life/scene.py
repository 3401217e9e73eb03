"""Still lifes from seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.errors import InvalidInput
from ...core.random import numpy_rng
from . import courtyard, sculpture, table
from .casting import Solids
from .composition import Composition
from .gather import gather
from .lighting import Ambience, Light, measure_ambience
from .solids import Solid, Vec
from .textures import Materials

_KINDS = {"table": table.compose, "object": sculpture.compose, "courtyard": courtyard.compose}
_CELLS = 40


@dataclass(frozen=True)
class StillLife:
    """Solids with materials, a light, and where one looks at them from. Metres, z up, floor at 0."""

    name: str
    solids: tuple[Solid, ...]
    light: Light
    center: Vec
    """What cameras look at."""
    radius: float
    """About what lies within belongs to the subject."""
    distance: float
    """From the centre, where cameras stand as a rule."""
    front: float
    """Azimuth of the cameras as seen from the centre, radians from x towards y."""
    elevation: float
    """Angle above the horizontal at which the centre sees them, radians."""

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.distance > 0 and math.isfinite(self.front)):
            raise InvalidInput(
                f"radius {self.radius} and distance {self.distance} m; expected both above 0 and a finite front"
            )

    @property
    def has_backdrop(self) -> bool:
        """Whether something lies behind the subject in every direction; otherwise pixels can be empty."""
        return any(solid.is_backdrop for solid in self.solids)

    @cached_property
    def arrays(self) -> tuple[Solids, Materials]:
        """The solids as ray casting wants them; made once."""
        return gather(self.solids)

    @cached_property
    def ambience(self) -> Ambience:
        """Where the sky's light reaches; cast once."""
        middle, reach = np.array(self.center), 1.3 * self.radius
        low, high = middle - reach, middle + reach
        low[2] = max(low[2], -0.1)
        return measure_ambience(self.arrays[0], self.light, low, high, _CELLS)


def make_still_life(seed: int, kind: str = "table", *, background: str | None = None) -> StillLife:
    """Make a scene; the same seed and kind make the same scene.

    Args:
        kind: ``table``: things on a table in a room, for cameras in front of it. ``object``: one built-up thing on a
            plinth, for cameras all around. ``courtyard``: facades, towers and trees at several depths under the sky.
        background: ``white`` leaves floor, walls and sky out, so that photos have empty, white pixels there; ``scene``
            keeps them. By default an object is before white and the others are not.

    Raises:
        InvalidInput: Another kind or background.
    """
    if kind not in _KINDS:
        raise InvalidInput(f"no still life of kind {kind!r}; choose from {', '.join(_KINDS)}")
    if background not in (None, "scene", "white"):
        raise InvalidInput(f"no background {background!r}; choose scene or white")
    made: Composition = _KINDS[kind](numpy_rng(seed, "still life", kind))
    is_white = background == "white" or (background is None and kind == "object")
    solids = tuple(solid for solid in made.solids if not (is_white and solid.is_backdrop))
    place = (made.center, made.radius, made.distance, made.front, made.elevation)
    return StillLife(f"{kind}{seed:04d}", solids, made.light, *place)
