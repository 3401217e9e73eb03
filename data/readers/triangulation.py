"""Points that photos with known cameras see: features, matches and triangulation with pycolmap, on the CPU."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput
from ..cameras import Cameras
from ..point_cloud import PointCloud
from ..posed_images import PosedImages, SparsePoints
from .colmap_writing import colmap_cameras
from .optional_pycolmap import import_pycolmap, silent
from .photo_writing import png_bytes

_MOST_PX = 2.0
"""Distance of a match from where the cameras allow it, and of a point from where it was seen."""
_LEAST_MATCHES = 5
"""Of two photos, that agree with their cameras: fewer may do so by chance."""
_FEW_FEATURES = 150
_MANY_MATCHES = 30
_CHANCE = 0.2
"""Share of wrong matches that may agree with the cameras by chance."""
_LEAST_KEPT = 0.05
"""Points by matches that agree with the cameras; chance alone gives fewer."""
_HELP = (
    "what helps: photos taken a step apart that share most of what they show, sharp and at a larger size; or a plane sweep, "
    "which needs no features, or random points"
)


@dataclass(frozen=True, eq=False)
class _Matching:
    """What was found in the photos."""

    features: list[int]
    """Of each photo."""
    matches: int
    """Of all pairs, by their looks."""
    agreeing: int
    """Those among them that the cameras allow."""


def triangulate(photos: PosedImages, *, seed: int = 0, threads: int | None = None) -> SparsePoints:
    """Find points that at least two of some photos see, by features that match where the given cameras allow it.

    The cameras stay as they are. Points that the photos come with are not looked at. The same photos and seed give the same
    points on one machine, from any number of threads.

    Args:
        photos: At least two, of any lens without skew.
        seed: Of the random choices on the way.
        threads: For features and matches; all cores by default.

    Returns:
        At least one point, in the cameras' world, with colours; visibility in exactly these photos.

    Raises:
        InvalidInput: Too few photos, all from one place, a skewed K, or hardly a point was found; says how many features and
            matches there were, and what helps.
        BackendUnavailable: pycolmap cannot be imported.
    """
    if len(photos) < 2:
        raise InvalidInput(f"{len(photos)} photos to triangulate points from; give at least 2 that overlap")
    pycolmap = import_pycolmap("points are triangulated", "start from a plane sweep or from random points")
    cameras, scale, middle = _unit_sized(photos.cameras)
    photos = replace(photos, cameras=cameras)
    with tempfile.TemporaryDirectory() as scratch, silent(pycolmap):
        work = _Work(pycolmap, Path(scratch), seed, threads or os.cpu_count() or 1)
        names = [f"{row:06d}.png" for row in range(len(photos))]
        model = work.lay_out(photos, names)
        matching = work.match(model, names)
        # Chance matches of cameras that are not these photos' triangulate to something, too.
        fits = matching.agreeing >= _CHANCE * matching.matches or matching.matches < _MANY_MATCHES
        points = work.triangulate(model, names) if matching.agreeing and fits else None
    if points is None or len(points.cloud) < max(_LEAST_KEPT * matching.agreeing, 1):
        raise InvalidInput(f"the points of {len(photos)} photos could not be triangulated: {_why(matching, fits)}")
    cloud = replace(points.cloud, points=(points.cloud.points / scale + middle).float())
    return replace(points, cloud=cloud)


def _unit_sized(cameras: Cameras) -> tuple[Cameras, float, Float[Tensor, "3"]]:
    """The cameras about the origin, at most 1 from it, since COLMAP's refinement is not independent of scale.

    A point x is at ``scale * (x - middle)`` there.
    """
    cameras = cameras.to("cpu").to(torch.float64)
    middle = cameras.centers.mean(0)
    spread = float((cameras.centers - middle).norm(dim=1).max())
    if not spread > 1e-9 * float(1 + middle.norm()):
        raise InvalidInput(
            f"the {len(cameras)} cameras stand at one place: no depth follows from their photos; take photos a step apart"
        )
    new_from_old = torch.eye(4, dtype=torch.float64)
    new_from_old[:3, 3] = -middle / spread
    return cameras.moved(1 / spread, new_from_old), 1 / spread, middle


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

    def lay_out(self, photos: PosedImages, names: list[str]) -> Any:
        """Write the photos and their cameras, and the same cameras as a model without points."""
        pycolmap = self.pycolmap
        lenses, numbers = colmap_cameras(photos.cameras)
        self._images.mkdir()
        for row, name in enumerate(names):
            (self._images / name).write_bytes(png_bytes(photos.image(row)))
        # Extraction would number photos in the order in which its threads finish, and the rest depends on the numbers.
        pycolmap.Database.open(self._database).close()
        pycolmap.import_images(self._database, self._images, camera_mode=pycolmap.CameraMode.PER_IMAGE)
        model = pycolmap.Reconstruction()
        with pycolmap.Database.open(self._database) as database:
            for image in database.read_all_images():
                row = names.index(image.name)
                lens = lenses[numbers[row]]
                camera = pycolmap.Camera(
                    camera_id=image.camera_id,
                    model=lens.kind.name,
                    width=lens.width,
                    height=lens.height,
                    params=lens.parameters,
                )
                database.update_camera(camera)
                model.add_camera_with_trivial_rig(camera)
                pose = photos.cameras.camera_from_world[row, :3].numpy()
                model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
        return model

    def match(self, model: Any, names: list[str]) -> _Matching:
        """Features of all photos, and matches of all pairs that agree with the cameras."""
        pycolmap = self.pycolmap
        extraction, pairing = pycolmap.FeatureExtractionOptions(), pycolmap.FeatureMatchingOptions()
        extraction.num_threads = pairing.num_threads = self.threads
        extraction.use_gpu = pairing.use_gpu = False
        pairing.skip_geometric_verification = True
        pycolmap.extract_features(
            *(self._database, self._images), extraction_options=extraction, device=pycolmap.Device.cpu
        )
        pycolmap.match_exhaustive(self._database, matching_options=pairing, device=pycolmap.Device.cpu)
        geometry = pycolmap.TwoViewGeometryOptions()
        geometry.min_num_inliers = _LEAST_MATCHES
        geometry.ransac.max_error = _MOST_PX
        geometry.ransac.random_seed = self.seed
        pycolmap.guided_geometric_verification(
            model, self._database, two_view_geometry_options=geometry, num_threads=self.threads
        )
        return self._counts(names)

    def _counts(self, names: list[str]) -> _Matching:
        with self.pycolmap.Database.open(self._database) as database:
            numbers = {image.name: image.image_id for image in database.read_all_images()}
            features = [database.num_keypoints_for_image(numbers[n]) if n in numbers else 0 for n in names]
            return _Matching(features, database.num_matches(), database.num_inlier_matches())

    def triangulate(self, model: Any, names: list[str]) -> SparsePoints:
        """The points that follow from the matches."""
        pycolmap = self.pycolmap
        options = pycolmap.IncrementalPipelineOptions()
        options.min_num_matches = _LEAST_MATCHES
        options.num_threads = options.mapper.num_threads = 1  # sums of several threads come in any order
        options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = self.seed
        options.triangulation.ignore_two_view_tracks = False
        options.mapper.filter_max_reproj_error = _MOST_PX
        pycolmap.set_random_seed(self.seed)
        out = self.folder / "points"
        out.mkdir()
        found = pycolmap.triangulate_points(model, self._database, self._images, out, options=options)
        return _points(found, names)


def _points(model: Any, names: list[str]) -> SparsePoints:
    rows = {image.image_id: names.index(image.name) for image in model.images.values()}
    found = [model.point3D(number) for number in sorted(model.point3D_ids())]
    visible = torch.zeros(len(found), len(names), dtype=torch.bool)
    for i, point in enumerate(found):
        visible[i, [rows[sight.image_id] for sight in point.track.elements]] = True
    xyz = np.array([point.xyz for point in found], np.float64).reshape(-1, 3)
    rgb = np.array([point.color for point in found], np.uint8).reshape(-1, 3)
    cloud = PointCloud(torch.from_numpy(xyz), torch.from_numpy(rgb).float() / 255)
    known = visible.sum(1) >= 2
    return SparsePoints(cloud.select(known), visible[known])


def _why(matching: _Matching, fits: bool) -> str:
    features = f"{min(matching.features)} to {max(matching.features)} features a photo"
    found = f"{features}, {matching.matches} matches, {matching.agreeing} of them agree with the cameras"
    if max(matching.features) < _FEW_FEATURES and not matching.agreeing:
        return f"{found}; the photos are dark, blurred, small or without texture; {_HELP}"
    if not fits:
        return (
            f"{found}; these are not the photos' cameras: check their axes (OpenCV: x right, y down, z forward), their order "
            "and their lenses"
        )
    if not matching.agreeing:
        return f"{found}; the photos hardly show the same; {_HELP}"
    return (
        f"{found}, but their rays meet behind the cameras or at less than 1.5 degrees: the photos are from places too near "
        f"each other, or the cameras' axes are others (OpenCV: x right, y down, z forward); {_HELP}"
    )
