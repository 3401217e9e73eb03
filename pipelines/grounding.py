"""From a scan and sentences to boxes in the scan's own frame: alignment, words, network, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import InvalidInput, MissingPart
from ..data.alignment import Alignment, Up, align_scan
from ..data.answers import Answer, AnswerSheet
from ..data.boxes import Boxes3D
from ..data.point_cloud import PointCloud
from ..sparse3d.checkpoint import load_grounder_network, text_weights_of
from ..sparse3d.config import PRESETS
from ..sparse3d.grounder import Candidates, EncodedScene, Grounder
from ..sparse3d.pruning import sample_by_coordinate
from ..sparse3d.text import TextEncoder, load_text_encoder, prepare_sentence
from ..sparse3d.vocabulary import ObjectVocabulary, default_vocabulary
from .splat_scans import read_any_scan

WEIGHTS = Path(__file__).resolve().parents[1] / "sparse3d" / "weights"
"""Bundled weights, ``<name>.safetensors``."""

ROOM_POINTS = 50_000
"""Points of a scan that the network sees, as in training."""
POINTS_PER_M2 = 500
"""Beyond 100 square metres the number grows with the ground: with fewer points an object is too few to be known."""
MOST_POINTS = 200_000

Points = PointCloud | Tensor | np.ndarray | str | Path


@dataclass(frozen=True, eq=False)
class GroundedScene:
    """A scan that was brought into the network's frame and encoded, ready for any number of sentences."""

    name: str
    source: PointCloud
    """As in the file."""
    alignment: Alignment
    encoded: EncodedScene
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Grounded:
    """Answers to some sentences, and the same boxes in the network's frame for pictures."""

    sheet: AnswerSheet
    boxes: tuple[Boxes3D, ...]
    """For each sentence its boxes, best first."""


class SceneGrounder:
    """Finds what sentences describe. One network, one text encoder; scans are encoded once.

    Args:
        network: In evaluation mode.
        encoder: The text encoder that it was trained with.
        vocabulary: Names of objects.
    """

    def __init__(self, network: Grounder, encoder: TextEncoder, vocabulary: ObjectVocabulary | None = None) -> None:
        if encoder.width != network.config.text_width:
            raise InvalidInput(
                f"the network reads {network.config.text_width} text channels, the encoder {encoder.name} gives {encoder.width}"
            )
        self.network = network
        self._encoder = encoder
        self._vocabulary = default_vocabulary() if vocabulary is None else vocabulary

    @classmethod
    def load(cls, weights: str | Path = "small", *, device: str | torch.device = "cpu") -> SceneGrounder:
        """Bundled weights by name, or a file of them.

        Raises:
            MissingPart: No such weights, or the text encoder's files are not there.
            CorruptFile, DataError: The file holds something else.
        """
        file = find_weights(weights)
        network = load_grounder_network(file).to(device)
        encoder = load_text_encoder(network.config.text_encoder, weights=text_weights_of(file), device=device)
        return cls(network, encoder)

    def encode(
        self,
        points: Points,
        *,
        up: Up = "auto",
        scale: Literal["auto"] | float = "auto",
        align: bool = True,
    ) -> GroundedScene:
        """Read, align and encode a scan; the backbone runs here and nowhere else.

        Args:
            points: A point cloud, an array (n, 6) of xyz and red, green, blue in 0..1 (or (n, 3) without colour), or a file.
            up: The file's axis that points up.
            scale: Metres per unit of the file.
            align: Off where the points are in metres, z up, floor at 0, walls along the axes already.

        Raises:
            InvalidInput: No points.
            DataError: The file cannot be read.
        """
        name, cloud, notes, hint, known = _opened(points)
        if not len(cloud):
            raise InvalidInput(f"{name}: a scan without points; nothing can be found in it")
        alignment = align_scan(cloud, up=up, scale=scale, align=align, up_hint=hint, network_from_file=known)
        return self.encode_aligned(name, cloud, alignment, notes)

    def encode_aligned(
        self, name: str, source: PointCloud, alignment: Alignment, notes: tuple[str, ...] = ()
    ) -> GroundedScene:
        """Encode a scan whose alignment is known."""
        warnings = [*notes, *alignment.warnings]
        cloud = alignment.cloud
        if cloud.colors is None:
            warnings.append("the scan has no colours: all points are taken as grey, and colour words mean nothing")
            cloud = replace(cloud, colors=torch.full_like(cloud.points, 0.5))
        cloud = cloud.select(choose_points(cloud))
        device = next(self.network.parameters()).device
        assert cloud.colors is not None
        with torch.no_grad():
            encoded = self.network.encode_scene(cloud.points.float().to(device), cloud.colors.float().to(device))
        return GroundedScene(name, source, alignment, encoded, tuple(dict.fromkeys(warnings)))

    def ask(self, scene: GroundedScene, sentences: Sequence[str], *, top_k: int = 5) -> Grounded:
        """Boxes for each sentence.

        Args:
            scene: Of :meth:`encode`.
            sentences: What to find.
            top_k: Boxes a sentence at most.

        Raises:
            InvalidInput: A sentence without words or too long, or ``top_k`` below 1.
        """
        rules = self.network.config.text_rules
        prepared = [prepare_sentence(s, self._vocabulary, dataset=rules) for s in sentences]
        if not prepared:
            raise InvalidInput("no sentence; give at least one")
        states = self._encoder.encode(prepared)
        found = self.network.answer(scene.encoded, states, top_k=top_k)
        answers: list[Answer] = []
        warnings = list(scene.warnings)
        for sentence, candidates in zip(sentences, found, strict=True):
            answers += _answers(sentence, candidates, scene.alignment)
            if candidates.fell_back:
                warnings.append(f"{sentence!r}: the network saw nothing that fits; its best guess is weak")
        unit = float(f"{scene.alignment.scale:.9g}")  # a cube root: 0.001 and not 0.0010000000000000005
        if unit != 1:
            warnings.append(
                f"the file's unit is {unit:g} m; centres and sizes are in metres; divide by {unit:g} for the file's numbers"
            )
        sheet = AnswerSheet(scene.name, tuple(answers), tuple(dict.fromkeys(warnings)), unit)
        boxes = tuple(Boxes3D.axis_aligned(c.centers.cpu(), c.sizes.cpu()) for c in found)
        return Grounded(sheet, boxes)

    def ground(self, points: Points, sentence: str, *, top_k: int = 5) -> list[Answer]:
        """Encode a scan and ask one sentence; see :meth:`encode` and :meth:`ask`."""
        return list(self.ask(self.encode(points), [sentence], top_k=top_k).sheet.answers)


def choose_points(cloud: PointCloud, *, count: int | None = None) -> Bool[Tensor, "n"]:
    """At most ``count`` points; by default as many as the network was trained on, and more where a scan is larger than a room.

    The choice is random but depends on the coordinates alone (to a tenth of a millimetre), not on their order.

    Args:
        cloud: Metres, z up.
        count: By default ROOM_POINTS, or POINTS_PER_M2 for each square metre where that is more; never above MOST_POINTS.
    """
    if count is None:
        count = max(ROOM_POINTS, min(MOST_POINTS, POINTS_PER_M2 * _square_metres(cloud.points)))
    cells = torch.round(cloud.points * 1e4).to(torch.int64)
    coords = torch.cat([torch.zeros_like(cells[:, :1]), cells], 1)
    return sample_by_coordinate(coords, count=count, seed=1184, n_batch=1)


def _square_metres(points: Float[Tensor, "n 3"]) -> int:
    """Ground that the points lie over, in cells of a metre with more than a few points each."""
    _, counts = torch.unique(torch.floor(points[:, :2]), dim=0, return_counts=True)
    return int((counts >= 10).sum())


def find_weights(weights: str | Path) -> Path:
    """The file of bundled weights, or the file named.

    Raises:
        MissingPart: Neither is there.
    """
    path = Path(weights)
    if path.suffix:
        return path
    bundled = WEIGHTS / f"{weights}.safetensors"
    if not bundled.is_file():
        names = sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))
        known = f"bundled are {', '.join(names) or 'none'}"
        hint = "; convert a published checkpoint first" if str(weights) in PRESETS else ""
        raise MissingPart(f"no weights {str(weights)!r}: {known}, or give a .safetensors file{hint}")
    return bundled


def inside(cloud: PointCloud, boxes: Boxes3D) -> Bool[Tensor, "n"]:
    """Points in the first of some axis-aligned boxes; a point on a face counts."""
    if not len(boxes):
        return torch.zeros(len(cloud), dtype=torch.bool)
    low, high = boxes.low[0].to(cloud.points), boxes.high[0].to(cloud.points)
    return ((cloud.points >= low) & (cloud.points <= high)).all(1)


def _opened(points: Points) -> tuple[str, PointCloud, tuple[str, ...], str | None, Tensor | None]:
    if isinstance(points, (str, Path)):
        scan = read_any_scan(points)
        return str(points), scan.cloud, scan.notes, scan.up, scan.network_from_file
    if isinstance(points, PointCloud):
        return "points", points, (), None, None
    try:
        # A copy: torch refuses views with negative strides.
        values = torch.from_numpy(points.copy()) if isinstance(points, np.ndarray) else torch.as_tensor(points)
    except TypeError as error:
        raise InvalidInput(f"points must be numbers: {error}") from error
    if values.ndim != 2 or values.shape[1] not in (3, 6):
        raise InvalidInput(
            f"points must be an array (n, 6) of xyz and colour, or (n, 3), got shape {tuple(values.shape)}"
        )
    values = values if values.is_floating_point() else values.float()
    colors = values[:, 3:].float() if values.shape[1] == 6 else None
    if colors is not None and len(colors) and (float(colors.max()) > 1 or float(colors.min()) < 0):
        raise InvalidInput(f"colours must be in 0..1, got up to {float(colors.max()):g}; divide 8-bit colours by 255")
    return "points", PointCloud(values[:, :3].contiguous(), colors), (), None, None


def _answers(sentence: str, candidates: Candidates, alignment: Alignment) -> list[Answer]:
    placed = alignment.boxes_to_file(Boxes3D.axis_aligned(candidates.centers.cpu(), candidates.sizes.cpu()))
    centers, sizes = (placed.centers * alignment.scale).tolist(), (placed.sizes * alignment.scale).tolist()
    return [
        Answer(
            sentence,
            rank,
            round(score, 6),
            _rounded(center),
            _rounded(size),
            (_rounded(turn[0], 9), _rounded(turn[1], 9), _rounded(turn[2], 9)),
        )
        for rank, (score, center, size, turn) in enumerate(
            zip(candidates.scores.tolist(), centers, sizes, placed.rotations.tolist(), strict=True), 1
        )
    ]


def _rounded(values: Sequence[float], digits: int = 6) -> tuple[float, float, float]:
    x, y, z = (round(value, digits) for value in values)
    return x, y, z
