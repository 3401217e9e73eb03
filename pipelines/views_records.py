"""What a study of new views keeps in its folder: a JSON line a view, curves, and the Gaussians of every finished fit."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from ..core.errors import CorruptFile
from ..core.files import write_text
from ..data.posed_images import PosedImages
from ..rendering.gaussians import GaussianCloud
from ..rendering.metrics import ImageMetrics
from ..rendering.splat_files.files import read_splats, write_splats
from .fingerprint import hash_value
from .views_evaluation import Reconstruction, ViewResult

_ABOUT = "about.json"
_UNBOUNDED = ("psnr", "psnr_8bit")
"""Infinite for equal images, for which JSON has no number: null in lines."""


def hash_photos(photos: PosedImages, masks: Bool[Tensor, "n h w"] | None = None) -> tuple[str, ...]:
    """Fingerprint of each photo: its pixels, its camera, and where it counts."""
    cameras = photos.cameras
    return tuple(
        _hash_tensors(
            cameras.camera_from_world[row],
            cameras.K[row],
            photos.image(row),
            *(() if masks is None else (masks[row],)),
        )
        for row in range(len(photos))
    )


def hash_training(photos: PosedImages) -> str:
    """Fingerprint of all that a fit to some photos can see: the photos in their order, and the points that any of them sees."""
    points = "none"
    if photos.points is not None:
        seen = photos.points.visible.any(1)
        cloud = photos.points.cloud
        colors = () if cloud.colors is None else (cloud.colors[seen],)
        points = _hash_tensors(cloud.points[seen], photos.points.visible[seen], *colors)
    return hash_value([*hash_photos(photos), points])


def _hash_tensors(*tensors: Tensor) -> str:
    state = hashlib.sha256()
    for tensor in tensors:
        state.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        state.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


@dataclass(frozen=True)
class KeptFit:
    """Gaussians in a file, and what belongs to them beside it."""

    key: str
    """Fingerprint of all that they depend on."""
    method: str
    seed: int
    splats: Path
    gaussians: int
    seconds: float
    """That the fit took, without looks at test photos."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    antialiased: bool = False
    warnings: tuple[str, ...] = ()
    scale: float = 1.0
    """Units of the file for one unit of the photos' world."""

    def open(self, scene: str) -> Reconstruction:
        """Read the Gaussians, in the photos' world.

        Raises:
            MissingPart, UnknownFormat, CorruptFile: See :func:`trisparse.rendering.splat_files.files.read_splats`.
        """
        cloud = read_splats(self.splats, drop_bad=True).cloud
        if self.scale != 1:
            cloud = cloud.moved(1 / self.scale, torch.eye(3), torch.zeros(3))
        return Reconstruction(scene, self.method, self.seed, cloud, self.seconds, self.background, self.antialiased)


@dataclass(frozen=True)
class FitFolder:
    """``fits/<method>-seed<n>-<key>/``: ``splats.ply``, and ``about.json``, which is written last: all is there then."""

    path: Path
    key: str

    @classmethod
    def of(cls, out: Path, method: str, seed: int, key: str) -> FitFolder:
        """The place of one fit in a study's folder."""
        return cls(out / "fits" / f"{method}-seed{seed}-{key[:12]}", key)

    @property
    def splats(self) -> Path:
        """File of the Gaussians."""
        return self.path / "splats.ply"

    def find(self) -> KeptFit | None:
        """The finished fit, or None.

        Raises:
            CorruptFile: ``about.json`` is not what :meth:`finish` wrote.
        """
        about, splats = self.path / _ABOUT, self.splats
        if not about.is_file() or not splats.is_file():
            return None
        try:
            values = json.loads(about.read_text(encoding="utf-8"))
            red, green, blue = values["background"]
            warnings = tuple(map(str, values["warnings"]))
            changed = {"background": (red, green, blue), "warnings": warnings, "splats": splats}
            found = KeptFit(**{**values, **changed})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            problem = f"not what a study wrote ({error!r:.80}); remove the folder, and the fit is run again"
            raise CorruptFile(about, "whole file", problem) from error
        return found if found.key == self.key else None

    def keep_splats(self, cloud: GaussianCloud) -> tuple[str, ...]:
        """Write the Gaussians; what had to be changed."""
        return write_splats(self.splats, cloud, drop_bad=True)

    def finish(self, fit: KeptFit) -> None:
        """Say that the fit is finished."""
        values = {name: value for name, value in asdict(fit).items() if name not in ("splats", "scale")}
        write_text(self.path / _ABOUT, json.dumps(values, indent=1) + "\n")


@dataclass(frozen=True)
class ResultLines:
    """``results.jsonl``: a line a view, with the fingerprints of the fit and of the photo that it was compared with.

    Lines of other fits, photos or settings stay in the file. Of two for the same fit and photo the later counts.
    """

    path: Path

    def start(self) -> dict[tuple[str, str], ViewResult]:
        """Results that are there, by fit and photo; a line that a kill cut off, and lines that later ones replace, are dropped.

        Raises:
            CorruptFile: A line is no JSON or has no fingerprints.
        """
        latest = {(record["fit"], record["photo"]): record for record in _tidied(self.path, ("fit", "photo"))}
        return {key: result for key, record in latest.items() if (result := _result(record)) is not None}

    def append(self, fit: str, photos: Sequence[str], results: Sequence[ViewResult]) -> None:
        """Add views of one fit, ``photos`` being the fingerprints."""
        rows = zip(photos, results, strict=True)
        _append(self.path, [{"fit": fit, "photo": photo, **_plain(result)} for photo, result in rows])


@dataclass(frozen=True)
class CurvePoint:
    """PSNR of the test photos at one moment of a fit; for reports only, never for a choice."""

    step: int
    psnr: float
    """Mean over the photos, dB."""
    views: Mapping[str, float]
    """By the photo's name, dB."""


@dataclass(frozen=True)
class Curves:
    """``curves.jsonl``: a line a look at a fit. ``curve`` is a fingerprint of how often and at which photos was looked."""

    path: Path

    def start(self) -> dict[tuple[str, str], list[CurvePoint]]:
        """Curves that are there, by fit and curve, by step.

        Raises:
            CorruptFile: A line is no point of a curve.
        """
        found: dict[tuple[str, str], list[CurvePoint]] = {}
        for record in _tidied(self.path, ("fit", "curve", "step")):
            try:
                point = CurvePoint(record["step"], float(record["psnr"]), dict(record["views"]))
            except (KeyError, TypeError, ValueError) as error:
                raise CorruptFile(
                    self.path, f"step {record['step']!r:.20}", "no point of a curve; remove it"
                ) from error
            found.setdefault((record["fit"], record["curve"]), []).append(point)
        return {key: sorted(points, key=lambda point: point.step) for key, points in found.items()}

    def append(self, fit: KeptFit, curve: str, points: Sequence[CurvePoint]) -> None:
        """Add the whole curve of one fit."""
        names = {"fit": fit.key, "curve": curve, "method": fit.method, "seed": fit.seed}
        _append(self.path, [{**names, **asdict(point)} for point in points])


def _result(record: Mapping[str, Any]) -> ViewResult | None:
    """None for what another version wrote: it is scored again."""
    try:
        values = {name: value for name, value in record.items() if name not in ("fit", "photo")}
        metrics = dict(values["metrics"])
        for name in _UNBOUNDED:
            metrics[name] = math.inf if metrics[name] is None else float(metrics[name])
        return ViewResult(**{**values, "metrics": ImageMetrics(**metrics)})
    except (KeyError, TypeError, ValueError):
        return None


def _plain(result: ViewResult) -> dict[str, Any]:
    record = asdict(result)
    for name in _UNBOUNDED:
        if not math.isfinite(record["metrics"][name]):
            record["metrics"][name] = None
    return record


def _append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """In one write: a kill cuts off at most the last lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _tidied(path: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Records of a file, later ones in place of earlier ones with the same names; the file is rewritten to match."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    latest: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for line, record in _records(path, content, names):
        latest[tuple(record[name] for name in names)] = (line, record)
    tidy = "".join(f"{line}\n" for line, _ in latest.values()).encode()
    if tidy != content:
        write_text(path, tidy.decode())
    return [record for _, record in latest.values()]


def _records(path: Path, content: bytes, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, raw in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            line = raw.decode()
            record = json.loads(line)
            if not isinstance(record, dict) or not all(isinstance(record[name], (str, int)) for name in names):
                raise TypeError("names")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"no line of a study: {raw[:60]!r}; remove it, or the whole file: what it says is measured again"
            raise CorruptFile(path, f"line {number}", problem) from error
        yield line, record
