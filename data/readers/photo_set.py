"""Photos that lie in files, and the cameras that a file gives them: what every reader of posed photos ends with.

Photos that are not there are left out, photos at another size than their camera's bring the camera to theirs, and lenses of
several kinds are brought to one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ..cameras import Cameras
from ..distortion import PARAMETERS, Model
from ..image_files import TURNED, LazyPhoto, image_notes, image_size
from ..posed_images import PosedImages, SparsePoints
from .lens_and_pose import Lens, check_lens, inverse
from .photo_folders import some_of
from .stored_photo import StoredPhoto, orientation, stored_size

_FAR = 1e4
"""A world this many times as far from the origin as its cameras are from one another loses digits in single precision."""
_SAME_SHAPE = 0.01
"""By which share a photo's aspect ratio may differ from its camera's, beside the rounding of a size to whole pixels."""
_SIMILAR_SHAPE = 0.05
"""By which share the aspect ratios of photos may differ for them to be brought to one size."""


@dataclass(frozen=True, eq=False)
class View:
    """One photo as a file tells it."""

    where: str
    """Its place in that file, for messages ("frame 12")."""
    name: str
    photo: Path | None
    """None where it is not there."""
    lens: Lens
    camera_from_world: np.ndarray
    """(4, 4), checked, in OpenCV's axes."""


def photo_set(
    source: Path,
    views: Sequence[View],
    *,
    background: tuple[int, int, int] = (0, 0, 0),
    warnings: Sequence[str] = (),
    upright: bool = False,
) -> PosedImages:
    """Photos with their cameras, in the order of the views, in single precision.

    Args:
        source: The file or folder that names them, for messages.
        views: At least one of them with a photo.
        background: What shows through transparent photos, 0..255.
        warnings: What the reader says already.
        upright: The cameras are those of photos turned by their EXIF orientation. Otherwise they are those of the pixels as
            they are stored, as COLMAP and most others count them, unless only the turned photo has their shape.

    Raises:
        MissingPart: There is no photo at all.
        CorruptFile: A photo or a name occurs twice, or a photo has another shape than its camera.
        InvalidInput: The photos have several shapes, or lenses of kinds that do not go together.
    """
    if not views:
        raise MissingPart(f"{source}: names no photos; expected at least one with its camera")
    _refuse_repeated(source, views)
    said = list(warnings)
    there = [view for view in views if view.photo is not None]
    if not there:
        raise MissingPart(f"{source}: none of its {len(views)} photos is there")
    if len(there) < len(views):
        missing = [view.name for view in views if view.photo is None]
        said.append(f"{len(missing)} of {len(views)} photos are not there ({some_of(missing)}): left out")
    stored = [not upright and _is_stored(view) for view in there]
    views, notes = _at_photo_size(source, there, stored)
    views, sizes, more = _at_one_size(source, views)
    cameras = _cameras(source, views)
    if any(stored):
        notes.append(
            f"{sum(stored)} photos would be turned by their EXIF orientation: read as they are stored, as their cameras are"
        )
    said += notes + _photo_notes(views, stored, background) + more + _far_from_origin(views)
    loads = tuple(
        (StoredPhoto if as_stored else LazyPhoto)(view.photo, background, size)
        for view, size, as_stored in zip(views, sizes, stored, strict=True)
        if view.photo is not None
    )
    return PosedImages(cameras, tuple(v.name for v in views), loads, warnings=tuple(said))


def checked_sights(points: SparsePoints | None, cameras: Cameras) -> tuple[SparsePoints | None, list[str]]:
    """Points as a file gives them, without sights by cameras that they lie behind, and what is to be said of it."""
    if points is None:
        return None, []
    axes, shifts = cameras.forwards, cameras.camera_from_world[:, 2, 3]
    ahead = points.cloud.points.to(axes) @ axes.mT + shifts > 0
    wrong = int((points.visible & ~ahead).sum())
    if not wrong:
        return points, []
    note = f"{wrong} sights of points are by cameras that the points lie behind: left out; are the poses' axes right?"
    return replace(points, visible=points.visible & ahead), [note]


def _refuse_repeated(source: Path, views: Sequence[View]) -> None:
    first: dict[str, View] = {}
    for view in views:
        other = first.setdefault(view.name, view)
        if other is not view:
            raise CorruptFile(
                source, view.where, f"the photo {view.name!r} is that of {other.where} already; expected each once"
            )


def _is_stored(view: View) -> bool:
    """Whether a photo that EXIF data would turn is to be left as it is stored."""
    assert view.photo is not None
    if orientation(view.photo) == 1:
        return False
    width, height = view.lens.width, view.lens.height
    if width is None or height is None or min(width, height) < 1:
        return True
    size = (width, height)
    return _same_shape(size, stored_size(view.photo)) or not _same_shape(size, image_size(view.photo))


def _at_photo_size(source: Path, views: Sequence[View], stored: Sequence[bool]) -> tuple[list[View], list[str]]:
    """Lenses at their photos' sizes, and what had to be said of it."""
    sized, changed = [], Counter[str]()
    for view, as_stored in zip(views, stored, strict=True):
        assert view.photo is not None
        width, height = (stored_size if as_stored else image_size)(view.photo)
        lens = check_lens(source, view.where, view.lens)
        if lens.width is not None and lens.height is not None and (lens.width, lens.height) != (width, height):
            if not _same_shape((lens.width, lens.height), (width, height)):
                raise CorruptFile(
                    source,
                    view.where,
                    f"its camera sees {lens.width} x {lens.height} pixels, but the photo {view.photo} has {width} x {height}: "
                    "another shape; was it cropped or turned?",
                )
            changed[f"{lens.width} x {lens.height} to {width} x {height}"] += 1
        sized.append(replace(view, lens=check_lens(source, view.where, lens.resized(width, height))))
    notes = [
        f"cameras of {count} photos were brought from {what}, their photos' size" for what, count in changed.items()
    ]
    return sized, notes


def _photo_notes(views: Sequence[View], stored: Sequence[bool], background: tuple[int, int, int]) -> list[str]:
    """What reading the photos changes."""
    counts = Counter[str]()
    for view, as_stored in zip(views, stored, strict=True):
        assert view.photo is not None
        notes = image_notes(view.photo, background=background)
        counts.update(note for note in notes if not (as_stored and note == TURNED))
    return [f"{count} photos: each {note}" for note, count in counts.items()]


def _same_shape(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether one image is the other at another size, rounded to whole pixels."""
    expected = a[1] * b[0] / a[0]
    slack = max(_SAME_SHAPE * expected, 1 + 0.5 * a[1] / a[0])
    return abs(expected - b[1]) <= slack


def _at_one_size(source: Path, views: Sequence[View]) -> tuple[list[View], list[tuple[int, int] | None], list[str]]:
    """The views at the size that most photos have, the size for those that have another, and what had to be said of it."""
    sizes = [(view.lens.width or 0, view.lens.height or 0) for view in views]
    counts = Counter(sizes)
    (width, height), _ = counts.most_common(1)[0]
    if any(not _similar(size, (width, height)) for size in counts):
        shown = "; ".join(
            f"{count} of {w} x {h} ({some_of([v.name for v, size in zip(views, sizes, strict=True) if size == (w, h)])})"
            for (w, h), count in counts.most_common(4)
        )
        raise InvalidInput(
            f"{source}: the photos have several shapes: {shown}; expected one: leave the others out, or crop them to one shape "
            "and give their cameras that"
        )
    others = [view.name for view, size in zip(views, sizes, strict=True) if size != (width, height)]
    notes = (
        [f"{len(others)} photos of other sizes ({some_of(others)}) are brought to {width} x {height}"] if others else []
    )
    targets = [None if size == (width, height) else (width, height) for size in sizes]
    return [replace(view, lens=view.lens.resized(width, height)) for view in views], targets, notes


def _similar(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether little is lost when an image of one size is stretched to the other: undistorted photos differ by a few pixels."""
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) < _SIMILAR_SHAPE


def _cameras(source: Path, views: Sequence[View]) -> Cameras:
    kinds: dict[Model, View] = {}
    for view in views:
        kinds.setdefault(view.lens.model, view)
    if "fisheye" in kinds and len(kinds) > 1:
        other = next(view for kind, view in kinds.items() if kind != "fisheye")
        raise InvalidInput(
            f"{source}: {kinds['fisheye'].name!r} has a fisheye lens, {other.name!r} none; expected one kind: undistort "
            "the photos first, or read them apart"
        )
    model: Model = next(iter(kinds)) if len(kinds) == 1 else "opencv"
    first = views[0].lens
    assert first.width is not None
    assert first.height is not None
    coefficients = np.zeros((len(views), PARAMETERS[model]))
    for row, view in zip(coefficients, views, strict=True):
        row[: len(view.lens.coefficients)] = view.lens.coefficients
    return Cameras(
        torch.from_numpy(np.stack([v.camera_from_world for v in views])).float(),
        torch.from_numpy(np.stack([v.lens.matrix() for v in views])).float(),
        first.width,
        first.height,
        model,
        torch.from_numpy(coefficients).float(),
    )


def _far_from_origin(views: Sequence[View]) -> list[str]:
    centers = np.stack([inverse(view.camera_from_world)[:3, 3] for view in views])
    middle = centers.mean(0)
    spread, away = float(np.linalg.norm(centers - middle, axis=1).max()), float(np.linalg.norm(middle))
    if not 0 < spread * _FAR < away:
        return []
    return [
        f"the cameras lie {away:.3g} units from the origin and within {spread:.3g} of one another: positions lose digits; "
        "move the origin near them before you export them"
    ]
