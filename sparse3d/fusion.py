"""Bidirectional text-voxel transformers."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from .ragged import Ragged


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


class Attention(nn.MultiheadAttention):
    """Multi-head attention in which a query without any key gets the output bias instead of NaN."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__(width, heads, dropout, batch_first=True)

    def attend(
        self,
        query: Float[Tensor, "b q c"],
        key: Float[Tensor, "b k c"],
        value: Float[Tensor, "b k c"],
        key_padding: Bool[Tensor, "b k"] | None,
    ) -> Float[Tensor, "b q c"]:
        """Attention of queries to keys; ``key_padding`` is True where there is no key."""
        if not key.shape[1]:
            return self.out_proj.bias.expand_as(query) if self.out_proj.bias is not None else torch.zeros_like(query)
        width, weight, bias = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        q = self._split(F.linear(query, weight[:width], bias[:width]))
        k = self._split(F.linear(key, weight[width : 2 * width], bias[width : 2 * width]))
        v = self._split(F.linear(value, weight[2 * width :], bias[2 * width :]))
        mask = None
        if key_padding is not None:
            alone = key_padding.all(1)
            mask = ~(key_padding & ~alone[:, None])[:, None, None, :]
            v = v.masked_fill(alone[:, None, None, None], 0)
        mixed = F.scaled_dot_product_attention(q, k, v, mask, self.dropout if self.training else 0.0)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    @torch.no_grad()
    def align(self) -> None:
        """Start with queries that attend to the keys that resemble them: both projections become the identity, in place."""
        unit = torch.eye(self.embed_dim)
        self.in_proj_weight[: 2 * self.embed_dim] = torch.cat([unit, unit])

    def _split(self, x: Float[Tensor, "b l c"]) -> Float[Tensor, "b h l d"]:
        return x.unflatten(2, (self.num_heads, self.head_dim)).transpose(1, 2)


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "b l c"], position: Float[Tensor, "b l c"] | None, padding: Bool[Tensor, "b l"] | None
    ) -> Float[Tensor, "b l c"]:
        q = x if position is None else x + position
        return self.norm1(x + self.dropout(self.self_attn.attend(q, q, x, padding)))


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
        vision: Float[Tensor, "b v c"],
        position: Float[Tensor, "b v c"],
        vision_padding: Bool[Tensor, "b v"] | None,
        text: Float[Tensor, "b l c"],
        text_padding: Bool[Tensor, "b l"] | None,
    ) -> tuple[Float[Tensor, "b v c"], Float[Tensor, "b l c"]]:
        new_text = self.norm_lv(text + self.dropout(self.cross_lv.attend(text, vision, vision, vision_padding)))
        new_text = self.norm_lv2(new_text + self.ffn_lv(new_text))
        read = self.cross_vl.attend(vision + position, text, text, text_padding)
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
        vision: Float[Tensor, "b v c"],
        position: Float[Tensor, "b v c"],
        vision_padding: Bool[Tensor, "b v"] | None,
        text: Float[Tensor, "b l c"],
        text_padding: Bool[Tensor, "b l"] | None,
    ) -> tuple[Float[Tensor, "b v c"], Float[Tensor, "b l c"]]:
        vision = self.self_attention_visual(vision, position, vision_padding)
        text = self.self_attention_lang(text, None, text_padding)
        return self.cross_layer(vision, position, vision_padding, text, text_padding)


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
        block, where, padding = ragged.pad(vision), ragged.pad(position), ragged.padding
        for layer in self.layers:
            block, text = layer(block, where, padding, text, text_padding)
        return ragged.unpad(block), text
