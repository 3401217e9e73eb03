"""Attention of each point to its nearest neighbours.

After PointGS (arXiv 2506.10335). Stated in the paper: a point interaction network, self-attention between each point and its
nearest neighbours, follows the sampling of features. Ours, since what could be read of the paper says no more: how many
neighbours, blocks and heads, the encoding of relative positions (as in Point Transformer, Zhao et al., ICCV 2021), that it
starts as no interaction, and that positions get no gradient from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from .neighbour_attention import neighbour_attention
from .recompute import in_chunks, recomputed
from .seeded_layers import linear, perceptron

CHUNK = 16_384
"""Points whose neighbourhoods are in memory at once."""
_POSITION_WIDTH = 32


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Who is near whom, as of when they were looked for; positions may move a little since."""

    indices: Int64[Tensor, "g k"]
    """The point itself first, then the others, near ones first."""
    radii: Float[Tensor, "g"]
    """Distance to the farthest of them, metres, above 0."""

    def __post_init__(self) -> None:
        if len(self.radii) != len(self.indices):
            raise ShapeMismatch(f"{len(self.radii)} radii for the neighbours of {len(self.indices)} points")

    def __len__(self) -> int:
        return len(self.indices)


def find_neighbours(points: Float[Tensor, "g 3"], k: int = 16) -> Neighbours:
    """The ``k`` nearest of each point, itself included (fewer where there are fewer points); exact.

    Radii are at least a thousandth of their mean, and 1 where all points coincide.

    Raises:
        InvalidInput: ``k`` below 1.
        NotFinite: Positions hold NaN or infinity.
    """
    from scipy.spatial import KDTree

    if k < 1:
        raise InvalidInput(f"{k} neighbours; ask for at least 1 (the point itself)")
    require_finite(points, "points")
    n, k = len(points), min(k, len(points))
    if not n:
        return Neighbours(torch.zeros(0, 0, dtype=torch.int64, device=points.device), points.new_zeros(0))
    array = points.detach().cpu().double().numpy()
    tree = KDTree(array)
    indices, radii = np.empty((n, k), np.int64), np.empty(n)
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        distances, found = tree.query(array[rows], k=k)
        indices[rows] = _self_first(np.reshape(found, (-1, k)), start)
        radii[rows] = np.reshape(distances, (-1, k))[:, -1]
    mean = radii.mean()
    floor = 1e-3 * mean if mean > 0 else 1.0
    return Neighbours(
        torch.from_numpy(indices).to(points.device), torch.from_numpy(np.maximum(radii, floor)).to(points)
    )


def _self_first(found: np.ndarray, start: int) -> np.ndarray:
    """Move each point to the front of its list; where it is missing, among more than k at one place, it replaces one."""
    own = np.arange(start, start + len(found))[:, None]
    order = np.argsort(found != own, axis=1, kind="stable")
    ordered = np.take_along_axis(found, order, 1)
    ordered[:, 0] = own[:, 0]
    return ordered


class PointAttention(nn.Module):
    """One block: attention over the neighbours, then a small network for each point, each added to what came in.

    Relative positions are divided by the radius of the neighbourhood, so that the scale of the world does not matter. The last
    layers of both parts begin at 0: at first the block changes nothing.

    Args:
        width: Channels of the features.
        heads: Divide ``width``.
        generator: Draws the weights.
        backend: Of :func:`.neighbour_attention.neighbour_attention`.
    """

    def __init__(self, width: int, heads: int, generator: torch.Generator, *, backend: str = "auto") -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise InvalidInput(f"{width} channels do not divide among {heads} heads; choose a divisor")
        self.heads, self.backend = heads, backend
        self.norm = nn.LayerNorm(width)
        self.query, self.key_value = linear(width, width, generator), linear(width, 2 * width, generator)
        self.position_in = linear(3, _POSITION_WIDTH, generator)
        self.position_out = linear(_POSITION_WIDTH, width, generator)
        self.out = linear(width, width, generator, zero=True)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = perceptron((width, 2 * width, width), generator, zero_last=True)

    def forward(
        self, feats: Float[Tensor, "g d"], points: Float[Tensor, "g 3"], neighbours: Neighbours, *, chunk: int = CHUNK
    ) -> Float[Tensor, "g d"]:
        """Features after the block.

        Args:
            feats: One row a point.
            points: Where they are now, metres; no gradient reaches them.
            neighbours: Of the same points.
            chunk: Points whose neighbourhoods are in memory at once; of more points than that, attention is computed again
                for the gradient.

        Raises:
            ShapeMismatch: Neighbours of another number of points: look for them again after points came or went.
        """
        if not len(feats) == len(points) == len(neighbours):
            raise ShapeMismatch(
                f"{len(feats)} features, {len(points)} points and the neighbours of {len(neighbours)}; "
                "look for neighbours again after points came or went"
            )
        if not len(feats):
            return feats
        rows = (feats, neighbours.indices, neighbours.radii)
        return in_chunks(self._block, rows, (recomputed(self._keys_values, feats), points.detach()), size=chunk)

    def _keys_values(self, feats: Float[Tensor, "g d"]) -> Float[Tensor, "g e"]:
        return self.key_value(self.norm(feats))

    def _block(
        self,
        feats: Float[Tensor, "c d"],
        indices: Int64[Tensor, "c k"],
        radii: Float[Tensor, "c"],
        keys_values: Float[Tensor, "g e"],
        points: Float[Tensor, "g 3"],
    ) -> Float[Tensor, "c d"]:
        offsets = (points[indices] - points[indices[:, :1]]) / radii[:, None, None]
        queries = self.query(self.norm(feats))
        feats = feats + self.out(self._attend(queries, keys_values, indices, offsets))
        return feats + self.feed_forward(self.forward_norm(feats))

    def _attend(
        self,
        queries: Float[Tensor, "c d"],
        keys_values: Float[Tensor, "g e"],
        indices: Int64[Tensor, "c k"],
        offsets: Float[Tensor, "c k 3"],
    ) -> Float[Tensor, "c d"]:
        """Softmax over the neighbours l of q (k_l + t_l) / sqrt(e), then the sum of v_l + t_l with it.

        The encodings t_l = W relu(...) + b are never made: W is applied to the query before, and to the weighted sum after. The
        sums are the same, without 16 rows of ``width`` channels a point. b adds the same to all scores, so it cancels there.
        """
        width = queries.shape[1] // self.heads
        by_head = self.position_out.weight.unflatten(0, (self.heads, width))
        queries = queries.unflatten(1, (self.heads, width)) / math.sqrt(width)
        seen = neighbour_attention(
            queries,
            torch.einsum("che,hep->chp", queries, by_head),
            keys_values.unflatten(1, (2, self.heads, width)),
            indices,
            offsets,
            self.position_in.weight,
            self.position_in.bias,
            backend=self.backend,
        )
        values = seen.values + torch.einsum("chp,hep->che", seen.encodings, by_head)
        return values.flatten(1) + self.position_out.bias
