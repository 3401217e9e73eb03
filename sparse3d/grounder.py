"""The whole grounding network: a scene is encoded once, then asked any number of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..core.errors import InvalidInput, ShapeMismatch
from .config import GrounderConfig
from .head import GroundingHead, HeadOutput, TrainSampling
from .resnet import SparseResNet
from .shared import SharedTensor
from .suppression import suppress_overlaps
from .tensor import SparseTensor
from .text import TokenStates
from .voxelize import voxelize


@dataclass(frozen=True, eq=False)
class EncodedScene:
    """Backbone features of one or several scenes, ready for any number of sentences."""

    levels: tuple[SparseTensor, SparseTensor, SparseTensor]
    """Fine, target and scene level."""
    origin: Float[Tensor, "b 3"]
    """What was taken off the points' coordinates (m); answers get it back."""
    scene_of: Int64[Tensor, "s"] | None = None
    """Scene of each sentence; None where sentence b is about scene b."""

    def for_sentences(self, scene_of_sentence: Int64[Tensor, "s"]) -> EncodedScene:
        """The same features, read once by each sentence, so that sentences make up the batch."""
        if scene_of_sentence.tolist() == list(range(len(self.origin))):
            return self
        return EncodedScene(self.levels, self.origin, scene_of_sentence)

    @property
    def levels_of_sentences(self) -> tuple[SparseTensor, ...] | tuple[SharedTensor, ...]:
        """The levels with sentences as the batch."""
        if self.scene_of is None:
            return self.levels
        scene_of = self.scene_of
        return tuple(SharedTensor(level, scene_of) for level in self.levels)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes that one sentence may mean, best first; the scene's frame, metres, axis-aligned."""

    centers: Float[Tensor, "k 3"]
    sizes: Float[Tensor, "k 3"]
    scores: Float[Tensor, "k"]
    """Probabilities, not calibrated."""
    fell_back: bool
    """Pruning would have left nothing and the best voxels were kept instead: a weak answer."""


class Grounder(nn.Module):
    """TSP3D: text-guided sparse voxel pruning for visual grounding (Guo et al., CVPR 2025).

    Parameter names are those of the published checkpoints without the text encoder, which is not part of this module: it
    takes the encoder's token states.
    """

    def __init__(self, config: GrounderConfig) -> None:
        super().__init__()
        self.config = config
        self.vision_backbone = SparseResNet(config)
        self.text_projector = nn.Sequential(
            nn.Linear(config.text_width, config.width),
            nn.LayerNorm(config.width, eps=1e-12),
            nn.Dropout(config.dropout),
        )
        self.head = GroundingHead(config)

    def encode_scene(self, points: Float[Tensor, "n 3"], colors: Float[Tensor, "n 3"]) -> EncodedScene:
        """Run the backbone on one scene.

        Args:
            points: Metres, z up, floor near z = 0.
            colors: Red, green, blue in 0..1.

        Raises:
            InvalidInput: No points.
            ShapeMismatch: Not one colour a point.
        """
        return self.encode_scenes([(points, colors)])

    def encode_scenes(self, scenes: Sequence[tuple[Float[Tensor, "_ 3"], Float[Tensor, "_ 3"]]]) -> EncodedScene:
        """Run the backbone on a batch of scenes; see :meth:`encode_scene`."""
        feats, origins, batch = [], [], []
        for number, (points, colors) in enumerate(scenes):
            if not len(points):
                raise InvalidInput("a scene without points cannot be encoded; give at least one")
            if len(points) != len(colors):
                raise ShapeMismatch(f"{len(points)} points but {len(colors)} colours; give one colour a point")
            moved, origin = self._centered(points)
            feats.append(torch.cat([moved, self._network_colors(colors)], 1))
            origins.append(origin)
            batch.append(torch.full((len(points),), number, dtype=torch.int64, device=points.device))
        return self.encode_features(torch.cat(feats), torch.cat(batch), torch.stack(origins))

    def encode_features(
        self, feats: Float[Tensor, "n 6"], batch: Int64[Tensor, "n"], origin: Float[Tensor, "b 3"]
    ) -> EncodedScene:
        """Run the backbone on points that are already as the network takes them: xyz (m), colour times scale minus mean."""
        voxels = voxelize(feats[:, :3], feats, voxel_size=self.config.voxel_size, batch=batch)
        return EncodedScene(self.vision_backbone(voxels.tensor), origin)

    def forward(
        self,
        scene: EncodedScene,
        text: TokenStates,
        *,
        sampling: TrainSampling | None = None,
    ) -> HeadOutput:
        """Ground sentence b in scene b.

        Args:
            scene: One scene a sentence (see :meth:`EncodedScene.for_sentences`).
            text: Token states of the text encoder.
            sampling: Given in training only.
        """
        padding: Bool[Tensor, "b l"] | None = text.padding if bool(text.padding.any()) else None
        return self.head(scene.levels_of_sentences, self.text_projector(text.states), padding, sampling=sampling)

    @torch.no_grad()
    def answer(self, scene: EncodedScene, text: TokenStates, *, top_k: int = 1) -> list[Candidates]:
        """The best boxes for each of several sentences about one scene.

        Each sentence is asked alone, so that no answer depends on the others.

        Args:
            scene: One scene.
            text: One row a sentence.
            top_k: Boxes a sentence at most; boxes that overlap a better one by more than half are left out.

        Raises:
            InvalidInput: More than one scene, or ``top_k`` below 1.
        """
        if len(scene.origin) != 1:
            raise InvalidInput(f"answer() takes one encoded scene, got {len(scene.origin)}; encode them one by one")
        if top_k < 1:
            raise InvalidInput(f"top_k must be at least 1, got {top_k}")
        if self.training:
            raise InvalidInput("the network is in training mode; call eval() before answer()")
        return [self._answer_one(scene, text, row, top_k) for row in range(len(text.states))]

    def _answer_one(self, scene: EncodedScene, text: TokenStates, row: int, top_k: int) -> Candidates:
        tokens = ~text.padding[row]
        states = text.states[row : row + 1, tokens].to(scene.origin.dtype)
        output = self(scene, TokenStates(states, torch.zeros_like(tokens[tokens])[None]))
        rows = suppress_overlaps(output.centers, output.sizes, output.score_logits, top_k=top_k)
        return Candidates(
            output.centers[rows] + scene.origin[0],
            output.sizes[rows],
            output.score_logits[rows].sigmoid(),
            bool(output.fell_back[0]),
        )

    def _centered(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "3"]]:
        """Training leaves scans where the augmentation put them, so that the network learns to bear a shift."""
        origin = points.new_zeros(3)
        if self.config.center_input and not self.training:
            origin[:2] = ((points.min(0).values + points.max(0).values) / 2)[:2]
        return points - origin, origin

    def _network_colors(self, colors: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return colors * self.config.color_scale - colors.new_tensor(self.config.color_mean)
