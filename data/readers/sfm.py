"""Cameras of photos that come without any: structure from motion with pycolmap, on the CPU."""

from __future__ import annotations

import math
import os
import struct
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError, MissingPart
from ..image_files import LazyPhoto, image_size
from ..posed_images import PosedImages
from .colmap import colmap_view, read_model, sparse_points
from .optional_pycolmap import import_pycolmap, silent
from .photo_folders import list_photos, some_of
from .photo_set import View, photo_set
from .photo_writing import png_bytes

MATCHES_NEEDED = 15
"""Of two photos, after those that no camera motion explains are dropped: with fewer, COLMAP ignores the pair."""
_REASONS = 10
"""Photos of which it is said why they were left out."""
_DIAGONAL_35MM = math.hypot(36, 24)
_HELP = (
    "what helps: photos taken a step apart, not turning on the spot, that share two thirds of what they show; sharp, of "
    "things with texture that stand still; more photos in between; or cameras from elsewhere (COLMAP, nerfstudio, a phone "
    "app that records poses)"
)


@dataclass(frozen=True, eq=False)
class _Matching:
    """What was found in the photos before any camera was."""

    features: list[int]
    """Of each photo."""
    matches: np.ndarray
    """(n, n) int64: matches of each pair that a camera motion explains; symmetric, 0 on the diagonal."""

    def partners(self) -> list[int]:
        """With how many others each photo shares enough."""
        return (self.matches >= MATCHES_NEEDED).sum(1).tolist()


def find_cameras(
    path: str | PathLike[str], *, seed: int = 0, longest: int = 1600, threads: int | None = None
) -> PosedImages:
    """Find the cameras of a folder of photos, sorted by name, and the points that they see.

    The world has any scale and any direction up. Photos of one shape are taken for photos of one camera with one radial
    coefficient, whose focal length starts from their EXIF data where they agree. The same photos and seed give the same
    cameras on one machine, from any number of threads.

    Args:
        path: The folder of photos, or one that holds them as ``images``.
        seed: Of the random choices on the way.
        longest: Photos are matched at most so many pixels long or high; their cameras are for their full size.
        threads: For features and matches; all cores by default.

    Returns:
        The photos whose cameras were found; ``warnings`` name the others and say why.

    Raises:
        MissingPart: Fewer than two photos.
        DataError: No two cameras were found; says how many features and matches there were, and what helps.
        BackendUnavailable: pycolmap cannot be imported.
    """
    pycolmap = import_pycolmap(
        "cameras of photos are found", "give photos with cameras: COLMAP, transforms.json and others"
    )
    path = Path(path)
    folder = path if list_photos(path) or not (path / "images").is_dir() else path / "images"
    photos = [folder / name for name in list_photos(folder)]
    if len(photos) < 2:
        raise MissingPart(f"{folder}: {len(photos)} photos, expected at least 2 to find their cameras from")
    with tempfile.TemporaryDirectory() as scratch, silent(pycolmap):
        work = _Work(pycolmap, Path(scratch), seed, threads or os.cpu_count() or 1)
        names = work.lay_out(photos, longest)
        matching = work.match(photos, names, longest)
        model = work.reconstruct()
        if model is None:
            raise DataError(
                f"{folder}: the cameras of none of {len(photos)} photos were found: {_why(matching)}; {_HELP}"
            )
        return _posed(folder, photos, names, model, matching)


@dataclass(frozen=True, eq=False)
class _Work:
    """One run of COLMAP in an empty folder."""

    pycolmap: Any
    folder: Path
    seed: int
    threads: int

    @property
    def _database(self) -> Path:
        return self.folder / "database.db"

    @property
    def _images(self) -> Path:
        return self.folder / "images"

    def lay_out(self, photos: Sequence[Path], longest: int) -> list[str]:
        """Write the photos as COLMAP is to see them: upright, on black, small. Their names there."""
        self._images.mkdir()
        names = []
        for i, photo in enumerate(photos):
            width, height = image_size(photo)
            shrink = min(1.0, longest / max(width, height))
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            names.append(f"{i:06d}.png")
            (self._images / names[-1]).write_bytes(png_bytes(LazyPhoto(photo, size=size)()))
        return names

    def match(self, photos: Sequence[Path], names: Sequence[str], longest: int) -> _Matching:
        """Features of all photos, and matches of all pairs."""
        pycolmap = self.pycolmap
        extraction, pairing = pycolmap.FeatureExtractionOptions(), pycolmap.FeatureMatchingOptions()
        extraction.num_threads = pairing.num_threads = self.threads
        extraction.use_gpu = pairing.use_gpu = False
        geometry = pycolmap.TwoViewGeometryOptions()
        geometry.ransac.random_seed = self.seed
        shapes = {image_size(photo) for photo in photos}
        mode = pycolmap.CameraMode.SINGLE if len(shapes) == 1 else pycolmap.CameraMode.PER_IMAGE
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = "SIMPLE_RADIAL"
        reader.camera_params = _start(photos, shapes, longest)
        # Extraction numbers photos in the order in which its threads finish, and the rest depends on the numbers.
        pycolmap.Database.open(self._database).close()
        pycolmap.import_images(self._database, self._images, camera_mode=mode, options=reader)
        pycolmap.extract_features(
            *(self._database, self._images),
            camera_mode=mode,
            reader_options=reader,
            extraction_options=extraction,
            device=pycolmap.Device.cpu,
        )
        pycolmap.match_exhaustive(
            self._database, matching_options=pairing, verification_options=geometry, device=pycolmap.Device.cpu
        )
        return self._counts(names)

    def _counts(self, names: Sequence[str]) -> _Matching:
        with self.pycolmap.Database.open(self._database) as database:
            numbers = {image.name: image.image_id for image in database.read_all_images()}
            features = [database.num_keypoints_for_image(numbers[n]) if n in numbers else 0 for n in names]
            matches = np.zeros((len(names), len(names)), np.int64)
            for i, a in enumerate(names):
                for j, b in enumerate(names[:i]):
                    if a in numbers and b in numbers:
                        count = database.read_two_view_geometry(numbers[a], numbers[b]).inlier_matches
                        matches[i, j] = matches[j, i] = len(count)
        return _Matching(features, matches)

    def reconstruct(self) -> Path | None:
        """The folder of the model with most photos; None where two are never put together."""
        pycolmap = self.pycolmap
        options = pycolmap.IncrementalPipelineOptions()
        options.min_num_matches = MATCHES_NEEDED
        options.min_model_size = 2
        options.num_threads = 1  # sums of several threads come in any order
        options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = self.seed
        options.mapper.num_threads = 1
        pycolmap.set_random_seed(self.seed)
        out = self.folder / "models"
        out.mkdir()
        models = pycolmap.incremental_mapping(self._database, self._images, out, options=options)
        if not models:
            return None
        best = max(sorted(models), key=lambda i: (models[i].num_reg_images(), models[i].num_points3D()))
        chosen = self.folder / "model"
        chosen.mkdir()
        models[best].write_binary(chosen)
        return chosen


def _posed(
    folder: Path, photos: Sequence[Path], names: Sequence[str], model_folder: Path, matching: _Matching
) -> PosedImages:
    model = read_model(model_folder)
    rows = {image.name: row for row, image in enumerate(model.images)}
    views: list[View] = []
    for photo, name in zip(photos, names, strict=True):
        if name in rows:
            view = colmap_view(model_folder, model, rows[name], photo.name, photo)
            views.append(replace(view, lens=view.lens.resized(*image_size(photo))))
    numbers = {image.name: image.number for image in model.images}
    points, notes = sparse_points(
        model.points, [numbers[name] for name in names if name in rows], set(numbers.values())
    )
    said = [
        f"the cameras of {len(views)} of {len(photos)} photos were found by structure from motion; scale and up are any"
    ]
    lost = [i for i, name in enumerate(names) if name not in rows]
    if lost:
        partners = matching.partners()
        reasons = [f"{some_of([photos[i].name])} ({_reason(matching, i, partners[i])})" for i in lost[:_REASONS]]
        more = [f"{len(lost) - _REASONS} more"] if len(lost) > _REASONS else []
        said.append(f"left out: {', '.join(reasons + more)}; {_HELP}")
    return replace(photo_set(folder, views, warnings=[*said, *notes], upright=True), points=points)


# Words


def _reason(matching: _Matching, photo: int, partners: int) -> str:
    if matching.features[photo] < 10 * MATCHES_NEEDED:
        return f"{matching.features[photo]} features: dark, blurred or without texture"
    if partners == 0:
        most = int(matching.matches[photo].max())
        return f"{most} matches with its best partner, {MATCHES_NEEDED} are needed: it overlaps none"
    return f"it matches {partners} others, but no camera position explains it with those that were found"


def _why(matching: _Matching) -> str:
    n, partners = len(matching.features), matching.partners()
    pairs = sum(partners) // 2
    features = f"{min(matching.features)} to {max(matching.features)} features a photo"
    found = f"{features}, {pairs} of {n * (n - 1) // 2} pairs of photos"
    if max(matching.features) < 10 * MATCHES_NEEDED:
        return f"{found} match: the photos are dark, blurred or without texture"
    if pairs == 0:
        return f"{found} have {MATCHES_NEEDED} matches (the best has {int(matching.matches.max())}): they hardly show the same"
    return f"{found} match, but no two from places far enough apart to tell depth"


# COLMAP


def _start(photos: Sequence[Path], shapes: set[tuple[int, int]], longest: int) -> str:
    """Focal length, centre and radial coefficient to start from, in pixels of the small photos; empty where none is known."""
    focals = {_focal_35mm(photo) for photo in photos}
    focal = focals.pop()
    if focal is None or focals or len(shapes) != 1:
        return ""
    ((width, height),) = shapes
    shrink = min(1.0, longest / max(width, height))
    pixels = focal / _DIAGONAL_35MM * math.hypot(width, height) * shrink
    return f"{pixels},{round(width * shrink) / 2},{round(height * shrink) / 2},0"


def _focal_35mm(photo: Path) -> float | None:
    """The focal length that would show the same on 35 mm film, in millimetres, by EXIF; None where that says nothing sound."""
    from PIL import ExifTags, Image

    try:
        with warnings.catch_warnings(), Image.open(photo) as image:
            warnings.simplefilter("ignore")  # of damage elsewhere in the EXIF data
            value = Image.Image.getexif(image).get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, struct.error):
        return None
    return float(value) if isinstance(value, int) and 4 <= value <= 2000 else None
