"""The grounding head: three levels of fusion, two prunings, one completion, box and score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from ..core.errors import InvalidInput
from .assign import keep_target
from .completion import append_missing
from .config import GrounderConfig
from .fusion import CrossAttention, PositionEmbedding, Ragged, TextVoxelTransformer
from .grid import VoxelGrid
from .layers import SparseBatchNorm, SparseConv, SparseConvTranspose
from .ops import generated, interpolate, lookup, prune
from .pruning import keep_above_threshold, keep_top, sample_by_coordinate
from .resnet import relu
from .shared import SharedTensor
from .tensor import SparseTensor


@dataclass(frozen=True, eq=False)
class LevelLogits:
    """One logit for each voxel of a grid: "prune me" at the coarse levels, "target" for the completion."""

    grid: VoxelGrid
    logits: Float[Tensor, "v"]


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """What the head says of every final voxel."""

    grid: VoxelGrid
    corners: Float[Tensor, "v 3"]
    """Lower corners of the final voxels (m)."""
    box6: Float[Tensor, "v 6"]
    """Offset of the box's centre from the corner (m), then the logarithm of its size."""
    score_logits: Float[Tensor, "v"]
    scene_prune: LevelLogits
    target_prune: LevelLogits
    completion: LevelLogits
    fell_back: Bool[Tensor, "b"]
    """Scenes in which pruning would have left nothing and the best voxels were kept instead."""

    @property
    def centers(self) -> Float[Tensor, "v 3"]:
        """Box centres (m)."""
        return self.corners + self.box6[:, :3]

    @property
    def sizes(self) -> Float[Tensor, "v 3"]:
        """Full box sizes (m); never beyond e^4 m, which only an untrained network asks for."""
        return self.box6[:, 3:].clamp(max=4).exp()


@dataclass(frozen=True, eq=False)
class TrainSampling:
    """The random choices of one training step."""

    seed: int
    focus: Sequence[Float[Tensor, "_ 3"]] | None = None
    """For each sentence the centres of all objects (m): voxels near them stay in the samples (``train_focus_reach``)."""


class ConvBlock(nn.Sequential):
    """3x3x3 convolution, batch norm, rectifier."""

    def __init__(self, width: int) -> None:
        super().__init__(SparseConv(width, width, 3), SparseBatchNorm(width))

    def forward(self, input: SparseTensor) -> SparseTensor:
        return relu(super().forward(input))


class UpBlock(nn.Sequential):
    """Generative 3x3x3 transposed convolution to half the stride, batch norm, rectifier."""

    def __init__(self, width: int) -> None:
        super().__init__(SparseConvTranspose(width, width, 3, stride=2), SparseBatchNorm(width))

    def forward(self, input: SparseTensor, onto: VoxelGrid | None = None) -> SparseTensor:
        """Makes every voxel that it reaches, or only those of ``onto``."""
        return relu(self[1](self[0](input, onto)))


class _Fuse(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = SparseConv(2 * width, width, 1)
        self.norm = SparseBatchNorm(width)

    def forward(self, x: SparseTensor, sentence: Float[Tensor, "b c"]) -> SparseTensor:
        joined = torch.cat([x.feats, sentence[x.grid.coords[:, 0].long()]], 1)
        return relu(self.norm(self.conv(x.with_feats(joined))))


class GroundingHead(nn.Module):
    """Backbone levels and a sentence a scene to a box and a score for each surviving voxel."""

    def __init__(self, config: GrounderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        transformer = (width, config.heads, config.fusion_layers, config.dropout)
        self.bbox_conv = SparseConv(width, 6, 1, bias=True)
        self.cls_conv = SparseConv(width, 1, 1, bias=True)
        self.keep_conv = nn.ModuleList(SparseConv(width, 1, 1, bias=True) for _ in range(2))
        self.pos_embed = PositionEmbedding(width)
        self.keep_trans = nn.ModuleList(TextVoxelTransformer(*transformer) for _ in range(2))
        self.com_trans = TextVoxelTransformer(*transformer)
        self.com_cls = nn.Conv1d(width, 1, 1)
        self.up_block_1 = UpBlock(width)
        self.lateral_block_1 = ConvBlock(width)
        self.up_block_2 = UpBlock(width)
        self.lateral_block_2 = ConvBlock(width)
        self.lateral_block_0 = ConvBlock(width)
        self.out_block_0 = ConvBlock(width)
        self.fuse = _Fuse(width)
        if config.prior_probability is not None:
            self._set_prior(config.prior_probability)
        if config.aligned_attention:
            for module in self.modules():
                if isinstance(module, CrossAttention):
                    module.cross_lv.align()
                    module.cross_vl.align()

    def _set_prior(self, probability: float) -> None:
        for bias in (self.cls_conv.bias, self.com_cls.bias):
            assert bias is not None
            nn.init.constant_(bias, math.log(probability / (1 - probability)))

    def forward(
        self,
        levels: Sequence[SparseTensor] | Sequence[SharedTensor],
        text: Float[Tensor, "b l c"],
        text_padding: Bool[Tensor, "b l"] | None,
        *,
        sampling: TrainSampling | None = None,
        candidates: Int[Tensor, "m 4"] | None = None,
    ) -> HeadOutput:
        """Ground one sentence a scene.

        Args:
            levels: Backbone features: fine, target, scene level.
            text: Projected token features; scene b reads row b.
            text_padding: True where there is no token.
            sampling: Given in training: fixed-size random subsets and top-k pruning after up-sampling, as published.
                Without it thresholds prune before up-sampling.
            candidates: Completion candidates (batch, x, y, z) in voxel units, to replay a recorded choice; by default at most
                ``completion_cap`` a scene, chosen by their coordinates.

        Raises:
            InvalidInput: A scene holds no voxel at all.
        """
        fine, target, scene = levels
        n_batch = len(text)
        self._require_voxels(scene, n_batch)

        x = self._sample(scene, self.config.train_scene_voxels, sampling, n_batch)
        x, text = self._fuse_text(self.keep_trans[1], x, text, text_padding)
        scene_prune = LevelLogits(x.grid, self.keep_conv[1](x).feats[:, 0])
        x = self.lateral_block_2(x)

        x, fell_back_scene = self._descend(x, scene_prune, target, self.up_block_2, 1, sampling, n_batch)
        x = self._sample(x, self.config.train_target_voxels, sampling, n_batch)
        x, text = self._fuse_text(self.keep_trans[0], x, text, text_padding)
        target_prune = LevelLogits(x.grid, self.keep_conv[0](x).feats[:, 0])
        x = self.lateral_block_1(x)

        x, fell_back_target = self._descend(x, target_prune, fine, self.up_block_1, 0, sampling, n_batch)
        chosen = self._completion_candidates(fine, candidates, sampling, n_batch)
        chosen, text = self._fuse_text(self.com_trans, chosen, text, text_padding)
        completion = LevelLogits(chosen.grid, self.com_cls(chosen.feats.T[None])[0, 0])
        x = append_missing(x, chosen, completion.logits, threshold=self.config.completion_threshold)

        x = self.out_block_0(self.lateral_block_0(x))
        x = self.fuse(x, text[:, 0])
        return HeadOutput(
            grid=x.grid,
            corners=self._corners(x),
            box6=self.bbox_conv(x).feats,
            score_logits=self.cls_conv(x).feats[:, 0],
            scene_prune=scene_prune,
            target_prune=target_prune,
            completion=completion,
            fell_back=fell_back_scene | fell_back_target,
        )

    def _require_voxels(self, scene: SparseTensor | SharedTensor, n_batch: int) -> None:
        counts = torch.bincount(_batch(scene), minlength=n_batch)
        if len(counts) > n_batch or bool((counts == 0).any()):
            raise InvalidInput(
                f"each of the {n_batch} sentences needs a scene with at least one voxel; voxels a scene: {counts.tolist()}"
            )

    def _corners(self, x: SparseTensor) -> Float[Tensor, "v 3"]:
        return x.grid.coords[:, 1:].to(x.feats.dtype) * self.config.voxel_size

    def _fuse_text(
        self,
        transformer: nn.Module,
        x: SparseTensor,
        text: Float[Tensor, "b l c"],
        text_padding: Bool[Tensor, "b l"] | None,
    ) -> tuple[SparseTensor, Float[Tensor, "b l c"]]:
        position = self.pos_embed(self._corners(x))
        feats, text = transformer(x.feats, position, Ragged.of(_batch(x), len(text)), text, text_padding)
        return x.with_feats(feats), text

    def _sample(
        self, x: SparseTensor | SharedTensor, count: int, sampling: TrainSampling | None, n_batch: int
    ) -> SparseTensor:
        """Training: a random subset of fixed size; the others are lost."""
        if sampling is None:
            return _whole(x)
        return _keep(x, _random_subset(x, count, sampling, n_batch) | self._in_focus(x, sampling))

    def _in_focus(self, x: SparseTensor | SharedTensor, sampling: TrainSampling) -> Bool[Tensor, "v"]:
        """Training: voxels that stay whatever the network thinks, so that boxes are learned before pruning is."""
        reach, focus = self.config.train_focus_reach, sampling.focus
        if reach is None or focus is None:
            return torch.zeros(len(x.grid), dtype=torch.bool, device=x.grid.device)
        if isinstance(x, SharedTensor):
            return x.spread(lambda grid, centers: self._in_reach(grid, centers, reach), focus)
        return self._in_reach(x.grid, focus, reach)

    def _in_reach(self, grid: VoxelGrid, focus: Sequence[Float[Tensor, "_ 3"]], reach: float) -> Bool[Tensor, "v"]:
        corners = grid.coords[:, 1:].to(focus[0]) * self.config.voxel_size
        return keep_target(corners, grid.coords[:, 0].long(), focus, reach=reach)

    def _descend(
        self,
        x: SparseTensor,
        prune_logits: LevelLogits,
        backbone: SparseTensor | SharedTensor,
        up_block: nn.Module,
        level: int,
        sampling: TrainSampling | None,
        n_batch: int,
    ) -> tuple[SparseTensor, Bool[Tensor, "b"]]:
        """Prune, go to the next finer level and add the backbone's features there (zeros where it has no voxel)."""
        config = self.config
        if sampling is None:
            threshold = config.scene_keep_threshold if level == 1 else config.target_keep_threshold
            keep, fell_back = keep_above_threshold(
                prune_logits.logits, _batch(x), threshold=threshold, n_batch=n_batch, fallback=config.fallback_voxels
            )
            x = _keep(x, keep)
            x = up_block(x, onto=self._children(x.grid, backbone) if config.upsample_occupied_only else None)
        else:
            children = self._children(x.grid, backbone)
            low, high = config.train_keep_target
            count = config.train_keep_scene if level == 1 else low + sampling.seed % max(high - low, 1)
            scores = _interpolated_keep_score(prune_logits, children)
            keep = keep_top(scores, children.coords[:, 0].long(), count=count, n_batch=n_batch)
            keep = keep | self._in_focus(SparseTensor(children, scores[:, None]), sampling)
            kept_only = config.train_upsample_kept_only
            x = up_block(x, onto=children.select(keep)) if kept_only else _keep(up_block(x), keep)
            fell_back = torch.zeros(n_batch, dtype=torch.bool, device=x.feats.device)
        shared = isinstance(backbone, SharedTensor)
        below = backbone.lookup(x.grid.coords) if shared else lookup(backbone, x.grid.coords)
        return x.with_feats(x.feats + below), fell_back

    def _children(self, coarse: VoxelGrid, backbone: SparseTensor | SharedTensor) -> VoxelGrid:
        """The finer voxels that up-sampling may make."""
        children = generated(coarse, 3, 2)
        if not self.config.upsample_occupied_only:
            return children
        if isinstance(backbone, SharedTensor):
            return children.select(backbone.contains(children.coords))
        return children.select(backbone.grid.rows_of(children.coords) >= 0)

    def _completion_candidates(
        self,
        fine: SparseTensor | SharedTensor,
        candidates: Int[Tensor, "m 4"] | None,
        sampling: TrainSampling | None,
        n_batch: int,
    ) -> SparseTensor:
        cap = self.config.completion_cap
        if candidates is None:
            if sampling is not None:
                drawn = self.config.train_completion_voxels or cap
                return _whole(fine) if drawn is None else self._sample(fine, drawn, sampling, n_batch)
            return _keep(fine, sample_by_coordinate(fine.grid.coords, count=cap, seed=0, n_batch=n_batch))
        rows = fine.grid.rows_of(candidates)
        if bool((rows < 0).any()):
            missing = candidates[rows < 0][0].tolist()
            raise InvalidInput(f"completion candidate {missing} is no voxel of the fine level (batch, x, y, z)")
        keep = torch.zeros(len(fine.grid), dtype=torch.bool, device=rows.device)
        keep[rows] = True
        return _keep(fine, keep)


def _batch(x: SparseTensor | SharedTensor) -> Int64[Tensor, "v"]:
    return x.grid.coords[:, 0].long()


def _keep(x: SparseTensor | SharedTensor, keep: Bool[Tensor, "v"]) -> SparseTensor:
    if isinstance(x, SharedTensor):
        return x.prune(keep)
    return x if bool(keep.all()) else prune(x, keep)


def _whole(x: SparseTensor | SharedTensor) -> SparseTensor:
    return _keep(x, torch.ones(len(x.grid), dtype=torch.bool, device=x.grid.device))


def _random_subset(
    x: SparseTensor | SharedTensor, count: int, sampling: TrainSampling, n_batch: int
) -> Bool[Tensor, "v"]:
    """A different subset for each sentence, also where several share one scene."""
    sentence = torch.arange(n_batch, device=x.grid.device) * 7919
    return sample_by_coordinate(x.grid.coords, count=count, seed=sampling.seed, n_batch=n_batch, sample=sentence)


def _interpolated_keep_score(prune_logits: LevelLogits, grid: VoxelGrid) -> Float[Tensor, "m"]:
    """Minus the prune logit, trilinear from the coarse voxels (absent ones count as 0); no gradient."""
    scores = SparseTensor(prune_logits.grid, -prune_logits.logits.detach()[:, None])
    return interpolate(scores, grid.coords.to(scores.feats.dtype))[:, 0]
