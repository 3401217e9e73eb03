"""``trisparse render``."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

if TYPE_CHECKING:
    from ...data.cameras import Cameras
    from ...data.posed_images import PosedImages
    from ...rendering.gaussians import GaussianCloud
    from ..sparse_splats import SplatMethod

How = Literal["auto", "planesweep", "sfm", "random", "depth-anything-3", "mapanything", "vggt"]
SPLAT_SUFFIXES = (".ply", ".splat", ".spz")


@dataclass(frozen=True)
class Look:
    """What belongs to splats beside their file."""

    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """0..1."""
    antialiased: bool = False


@dataclass(frozen=True)
class Render:
    """Render new views from a few photos, or from a file of Gaussian splats.

    PHOTOS is a folder or file of photos with cameras: COLMAP, transforms.json (nerfstudio, instant-ngp), Blender, LLFF,
    DTU, Middlebury, cameras.json; or a folder of photos alone, whose cameras are then found (extra [sfm]). Gaussians are
    fitted to them; the run can be stopped at any time, and the same command goes on. A .ply, .splat or .spz file of splats
    is rendered as it is.

    Writes a video along a path around the place, pictures and depth of photos that were held back, the splats as files, and a
    coloured point cloud that `trisparse ground` takes.
    """

    photos: tyro.conf.Positional[Path]
    """Folder or file of photos with cameras, folder of photos, or a splat file (.ply .splat .spz)."""
    train: tuple[int, ...] = ()
    """Numbers of the photos to learn from, from 0 in the file's order; all by default. The others are rendered and compared."""
    views: int | None = None
    """Learn from so many photos, chosen evenly by the rule of LLFF (every eighth is held back)."""
    method: str = "ours"
    """How Gaussians are fitted: "ours", "3dgs" and others (see docs/views.md)."""
    initialise: How | None = None
    """Where the first Gaussians are; the method's choice by default, mostly a plane sweep. The last three are learned models,
    which run in packages of their own (see docs/views.md)."""
    weights: Path | None = None
    """Of the learned model; the hub's copy on this machine by default."""
    allow_download: bool = False
    """Fetch weights of the learned model that are missing; nothing is fetched otherwise."""
    steps: int | None = None
    """Optimiser steps; the method's by default."""
    longest: int | None = 480
    """Longer side of photos and renders, pixels, at most."""
    frames: int = 60
    """Of the video; 0 for none."""
    fps: int = 24
    """Frames a second."""
    video: Literal["auto", "mp4", "webp"] = "auto"
    """MP4 needs the extra [video]; "auto" takes WebP without it."""
    export: tuple[Literal["ply", "splat", "spz", "points"], ...] = ("ply", "points")
    """Files of splats, and "points" for a point cloud."""
    seed: int = 0
    """Of everything random."""
    out: Path | None = None
    """Folder for the results; runs/render/<name> by default."""
    runs: Path = Path("runs")
    """Folder of fits; a fit that is there is used again."""
    json: bool = False
    """Print what was made as JSON and nothing else."""

    def run(self) -> None:
        from rich.console import Console

        say = Console(quiet=self.json)
        folder = self.out if self.out is not None else self.runs / "render" / self.photos.stem
        if self.photos.is_file() and self.photos.suffix.lower() in SPLAT_SUFFIXES:
            made = self._from_splats(folder)
        else:
            made = self._from_photos(folder)
        if self.json:
            print(json.dumps(made, ensure_ascii=False))
        else:
            for note in dict.fromkeys((*made["warnings"], *made["notes"])):
                say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
            say.print(f"results: {folder}", highlight=False, soft_wrap=True)

    def _from_splats(self, folder: Path) -> dict[str, Any]:
        from ...core.errors import MissingPart
        from ...rendering.splat_files.files import read_splats
        from ..splat_views import cameras_around

        file = read_splats(self.photos, drop_bad=True)
        if not len(file.cloud):
            raise MissingPart(
                f"{self.photos}: no Gaussian to render ({'; '.join(file.notes) or 'the file holds none'})"
            )
        longest = self.longest or 640
        cameras = cameras_around(file.cloud, max(self.frames, 1), longest, round(longest * 0.75))
        made = self._write(folder, file.cloud, cameras, Look(antialiased=bool(file.antialiased)), normalize=None)
        return {"gaussians": len(file.cloud), "warnings": list(file.notes), **made}

    def _from_photos(self, folder: Path) -> dict[str, Any]:
        from ...data.camera_paths import orbit
        from ...data.readers.photos import read_photos
        from ...rendering.splat_files.files import read_splats
        from ..runner import Machine, run_stage
        from ..sparse_splats import prepare_photos
        from ..stages.fit_splats import FitSplats
        from ..store import Store
        from ..to_answer import record_alone

        photos = read_photos(self.photos)
        train, test = self._split(photos)
        method = self._method()
        stage = FitSplats(
            photos=self.photos,
            method=method,
            train=None if len(train) == len(photos) else train,
            longest=self.longest,
            progress=not self.json,
        )
        artifact = run_stage(stage, Store(self.runs), machine=Machine())
        record_alone(Store(self.runs), "render", self.photos, artifact)
        cloud = read_splats(artifact.folder / "splats.ply").cloud
        about = json.loads((artifact.folder / "about.json").read_text(encoding="utf-8"))
        small = prepare_photos(photos, self.longest)
        cameras = orbit(small.select(train).cameras, max(self.frames, 1))
        red, green, blue = about["background"]
        look = Look((red, green, blue), method.fit.antialiased)
        made = self._write(folder, cloud, cameras, look, normalize=about["camera_distance"])
        scores = self._compare(folder, cloud, small.select(test), look)
        return {"fit": str(artifact.folder), "gaussians": len(cloud), "warnings": about["warnings"], **made, **scores}

    def _method(self) -> SplatMethod:
        from ...core.errors import InvalidInput
        from ...rendering.learned.depth import LEARNED_MODELS, LearnedDepth
        from ..sparse_splats import METHODS

        method = METHODS.get(self.method)
        if method is None:
            raise InvalidInput(f"no method {self.method!r}; choose from {', '.join(METHODS)}")
        if self.steps is not None:
            method = method.with_steps(self.steps)
        model = LEARNED_MODELS.get(self.initialise or "")
        if model is not None:
            learned = LearnedDepth(model, self.weights, allow_download=self.allow_download)
            method = replace(method, initialise=learned)
        elif self.weights is not None or self.allow_download:
            raise InvalidInput(
                f"--weights and --allow-download belong to a learned model; name it: --initialise {'|'.join(LEARNED_MODELS)}"
            )
        elif self.initialise is not None:
            method = replace(method, initialise=self.initialise)
        return replace(method, fit=replace(method.fit, seed=self.seed))

    def _split(self, photos: PosedImages) -> tuple[tuple[int, ...], tuple[int, ...]]:
        from ...core.errors import InvalidInput
        from ...data.views import split_llff

        n = len(photos)
        if self.train and self.views is not None:
            raise InvalidInput("both --train and --views are given; choose one")
        if self.views is not None:
            split = split_llff(n, self.views)
            return split.train, split.test
        wrong = [row for row in self.train if not 0 <= row < n]
        if wrong:
            raise InvalidInput(f"--train names photo {wrong[0]}; there are {n}, numbered from 0")
        train = self.train or tuple(range(n))
        return train, tuple(row for row in range(n) if row not in train)

    def _write(
        self, folder: Path, cloud: GaussianCloud, cameras: Cameras, look: Look, *, normalize: float | None
    ) -> dict[str, object]:
        from ...data.readers.ply import write_ply
        from ...data.readers.scannet import cloud_columns
        from ...rendering.splat_files.files import write_splats
        from ...rendering.splat_files.points import to_point_cloud
        from ..animation import write_video
        from ..views import as_bytes, render_views

        made: dict[str, object] = {}
        if self.frames:
            frames = [
                as_bytes(view.image)
                for view in render_views(cloud, cameras, background=look.background, antialiased=look.antialiased)
            ]
            made["video"] = str(write_video(folder, "orbit", frames, fps=self.fps, kind=self.video))
        notes: list[str] = []
        for kind in self.export:
            if kind == "points":
                write_ply(folder / "points.ply", {"vertex": cloud_columns(to_point_cloud(cloud))})
            else:
                notes += write_splats(
                    folder / f"splats.{kind}", cloud, normalize=normalize, antialiased=look.antialiased
                )
        if any(look.background):
            red, green, blue = (round(255 * value) for value in look.background)
            notes.append(
                f"the splats belong on a background of colour #{red:02x}{green:02x}{blue:02x}; files cannot say so"
            )
        return {**made, "exports": list(self.export), "notes": notes}

    def _compare(self, folder: Path, cloud: GaussianCloud, photos: PosedImages, look: Look) -> dict[str, object]:
        from ..views import as_bytes, depth_limits, depth_picture, render_views, write_picture
        from ..views_evaluation import Reconstruction, score_views, summarise, table, write_views_page

        if not len(photos):
            return {}
        for name, view in zip(
            photos.names,
            render_views(cloud, photos.cameras, background=look.background, antialiased=look.antialiased),
            strict=True,
        ):
            stem = Path(name).stem
            write_picture(folder / "views" / f"{stem}.png", as_bytes(view.image))
            limits = depth_limits(view.depth_z, view.alpha)
            write_picture(folder / "views" / f"{stem}_depth.png", depth_picture(view.depth_z, view.alpha, limits))
        made = Reconstruction(self.photos.stem, self.method, self.seed, cloud, 0.0, look.background, look.antialiased)
        results = score_views(made, photos)
        rows = summarise(results)
        write_views_page(folder / "report.html", f"{self.photos.stem}: views held back", rows, [made], photos)
        if not self.json:
            print(table(rows))
        return {"psnr": rows[0].mean["psnr"], "ssim": rows[0].mean["ssim_3dgs"]}
