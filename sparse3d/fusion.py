"""Bidirectional text-voxel transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from .ragged import Ragged

Cut = Callable[[Tensor], list[Tensor]]
"""Rows into blocks of scenes."""


class PositionEmbedding(nn.Module):
    """Lower corners of voxels (m) to features; one instance serves all transformers.

    The published code also runs its padding rows through the batch norm in training; here only real voxels count.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.position_embedding_head = nn.Sequential(
            nn.Conv1d(3, width, 1), nn.BatchNorm1d(width), nn.ReLU(), nn.Conv1d(width, width, 1)
        )

    def forward(self, corners: Float[Tensor, "v 3"]) -> Float[Tensor, "v c"]:
        return self.position_embedding_head(corners.T[None])[0].T


@dataclass(frozen=True, eq=False)
class Meeting:
    """Which queries meet which keys: blocks ``[g, q, ...]`` and ``[g, k, ...]`` side by side, without padding among voxels."""

    cut_queries: Cut
    cut_keys: Cut
    paddings: Sequence[Bool[Tensor, "_ _"] | None]
    """For each block of keys True where there is no key; None where there always is one."""


class Attention(nn.MultiheadAttention):
    """Multi-head attention in which a query without any key gets the output bias instead of NaN."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__(width, heads, dropout, batch_first=True)

    def attend(
        self,
        query: Float[Tensor, "*q c"],
        key: Float[Tensor, "*k c"],
        value: Float[Tensor, "*k c"],
        meeting: Meeting,
    ) -> Float[Tensor, "*q c"]:
        """Attention of queries to keys."""
        q, k, v = self._project(query, key, value)
        mixed = [
            self._mix(*parts).flatten(0, -2)
            for parts in zip(
                meeting.cut_queries(q), meeting.cut_keys(k), meeting.cut_keys(v), meeting.paddings, strict=True
            )
        ]
        rows = torch.cat([q.new_empty(0, self.embed_dim), *mixed]) if len(mixed) != 1 else mixed[0]
        return self.out_proj(rows.view(query.shape))

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The input projections, two in one where they read the same."""
        width, weight, bias = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        if query is key:
            q, k = F.linear(query, weight[: 2 * width], bias[: 2 * width]).chunk(2, -1)
            return q, k, F.linear(value, weight[2 * width :], bias[2 * width :])
        q = F.linear(query, weight[:width], bias[:width])
        if key is value:
            k, v = F.linear(key, weight[width:], bias[width:]).chunk(2, -1)
            return q, k, v
        k = F.linear(key, weight[width : 2 * width], bias[width : 2 * width])
        return q, k, F.linear(value, weight[2 * width :], bias[2 * width :])

    def _mix(
        self,
        query: Float[Tensor, "b q c"],
        key: Float[Tensor, "b k c"],
        value: Float[Tensor, "b k c"],
        key_padding: Bool[Tensor, "b k"] | None,
    ) -> Float[Tensor, "b q c"]:
        """Projected values, averaged as queries and keys say; zeros where there is no key."""
        if not key.shape[1]:
            return torch.zeros_like(query)
        q, k, v = self._split(query), self._split(key), self._split(value)
        mask = None
        if key_padding is not None:
            alone = key_padding.all(1)
            mask = ~(key_padding & ~alone[:, None])[:, None, None, :]
            v = v.masked_fill(alone[:, None, None, None], 0)
        mixed = F.scaled_dot_product_attention(q, k, v, mask, self.dropout if self.training else 0.0)
        return mixed.transpose(1, 2).flatten(2)

    @torch.no_grad()
    def align(self) -> None:
        """Start with queries that attend to the keys that resemble them: both projections become the identity, in place."""
        unit = torch.eye(self.embed_dim)
        self.in_proj_weight[: 2 * self.embed_dim] = torch.cat([unit, unit])

    def _split(self, x: Float[Tensor, "b l c"]) -> Float[Tensor, "b h l d"]:
        return x.unflatten(2, (self.num_heads, self.head_dim)).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class Meetings:
    """Who reads whom in one batch of scenes."""

    among_voxels: Meeting
    among_words: Meeting
    words_read_voxels: Meeting
    voxels_read_words: Meeting

    @classmethod
    def of(cls, ragged: Ragged, text_padding: Bool[Tensor, "b l"] | None) -> Meetings:
        """From the scene of each voxel and the words that are none."""
        scenes = [count for count, _ in ragged.runs]
        full = [None] * len(scenes)
        paddings = full if text_padding is None else list(text_padding.split(scenes))

        def words(text: Tensor) -> list[Tensor]:
            return list(text.split(scenes))

        return cls(
            Meeting(ragged.cut, ragged.cut, full),
            Meeting(_as_it_is, _as_it_is, [text_padding]),
            Meeting(words, ragged.cut, full),
            Meeting(ragged.cut, words, paddings),
        )


def _as_it_is(x: Tensor) -> list[Tensor]:
    return [x]


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "*l c"], position: Float[Tensor, "*l c"] | None, meeting: Meeting
    ) -> Float[Tensor, "*l c"]:
        q = x if position is None else x + position
        return self.norm1(x + self.dropout(self.self_attn.attend(q, q, x, meeting)))


class CrossAttention(nn.Module):
    """Both directions at once: each side reads the other as it was before the step. "lv": text reads voxels."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.cross_lv = Attention(width, heads, dropout)
        self.norm_lv = nn.LayerNorm(width)
        self.ffn_lv = _feed_forward(width, dropout)
        self.norm_lv2 = nn.LayerNorm(width)
        self.cross_vl = Attention(width, heads, dropout)
        self.norm_vl = nn.LayerNorm(width)
        self.ffn_vl = _feed_forward(width, dropout)
        self.norm_vl2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        vision: Float[Tensor, "v c"],
        position: Float[Tensor, "v c"],
        text: Float[Tensor, "b l c"],
        meetings: Meetings,
    ) -> tuple[Float[Tensor, "v c"], Float[Tensor, "b l c"]]:
        new_text = self.norm_lv(
            text + self.dropout(self.cross_lv.attend(text, vision, vision, meetings.words_read_voxels))
        )
        new_text = self.norm_lv2(new_text + self.ffn_lv(new_text))
        read = self.cross_vl.attend(vision + position, text, text, meetings.voxels_read_words)
        new_vision = self.norm_vl(vision + self.dropout(read))
        new_vision = self.norm_vl2(new_vision + self.ffn_vl(new_vision))
        return new_vision, new_text


def _feed_forward(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.Dropout(dropout)
    )


class _FusionLayer(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attention_lang = _SelfAttention(width, heads, dropout)
        self.self_attention_visual = _SelfAttention(width, heads, dropout)
        self.cross_layer = CrossAttention(width, heads, dropout)

    def forward(
        self,
        vision: Float[Tensor, "v c"],
        position: Float[Tensor, "v c"],
        text: Float[Tensor, "b l c"],
        meetings: Meetings,
    ) -> tuple[Float[Tensor, "v c"], Float[Tensor, "b l c"]]:
        vision = self.self_attention_visual(vision, position, meetings.among_voxels)
        text = self.self_attention_lang(text, None, meetings.among_words)
        return self.cross_layer(vision, position, text, meetings)


class TextVoxelTransformer(nn.Module):
    """Post-norm layers in which voxels and words read one another."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_FusionLayer(width, heads, dropout) for _ in range(layers))

    def forward(
        self,
        vision: Float[Tensor, "v c"],
        position: Float[Tensor, "v c"],
        ragged: Ragged,
        text: Float[Tensor, "b l c"],
        text_padding: Bool[Tensor, "b l"] | None,
    ) -> tuple[Float[Tensor, "v c"], Float[Tensor, "b l c"]]:
        """Fuse.

        Args:
            vision: Voxel features, all scenes.
            position: Their position embedding.
            ragged: Which row belongs to which scene.
            text: Token features of the sentence of each scene.
            text_padding: True where there is no token; None where there always is one.

        Returns:
            New voxel features, rows as they came, and new token features.
        """
        meetings = Meetings.of(ragged, text_padding)
        rows, where = ragged.sort(vision), ragged.sort(position)
        for layer in self.layers:
            rows, text = layer(rows, where, text, meetings)
        return ragged.unsort(rows), text
