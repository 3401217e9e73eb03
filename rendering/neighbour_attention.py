"""Attention of points to given neighbours, with encoded relative positions."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch

_ATTENTION = Op(
    "neighbour_attention",
    {
        "numba": "trisparse.rendering.kernels.numba_attention:attend",
        "torch": "trisparse.rendering.kernels.torch_attention:attend",
    },
)


class Attended(NamedTuple):
    """What points saw of their neighbours, for each head."""

    values: Float[Tensor, "g h e"]
    """Weighted sums of the neighbours' values."""
    encodings: Float[Tensor, "g h p"]
    """Weighted sums of the encoded relative positions."""


def neighbour_attention(
    queries: Float[Tensor, "g h e"],
    position_queries: Float[Tensor, "g h p"],
    keys_values: Float[Tensor, "m 2 h e"],
    indices: Int64[Tensor, "g k"],
    offsets: Float[Tensor, "g k 3"],
    weight: Float[Tensor, "p 3"],
    bias: Float[Tensor, "p"],
    *,
    backend: str = "auto",
) -> Attended:
    """Softmax over k neighbours of queries times keys plus position queries times encodings, then sums with these weights.

    The encoding of an offset o is relu(``weight`` o + ``bias``). Gradients reach all but ``indices`` and ``offsets``.

    Args:
        queries: Of g points, for h heads; divided by the square root of e already.
        position_queries: What is multiplied with the encodings.
        keys_values: Of all m points, keys first.
        indices: Rows of ``keys_values``, at least one for each point.
        offsets: Of the neighbours from the point, in any unit.
        weight: Of the encoding.
        bias: Of the encoding.
        backend: ``numba`` (CPU; the same bits for any number of threads), ``torch`` or ``auto``.

    Raises:
        InvalidInput: A point without neighbours, or a neighbour that does not exist.
        ShapeMismatch: Sizes do not agree.
        BackendUnavailable: The backend asked for does not run on the tensors' device.
    """
    g, h, e = queries.shape
    sizes = {
        "position_queries": (position_queries, (g, h, len(bias))),
        "keys_values": (keys_values, (len(keys_values), 2, h, e)),
        "indices": (indices, (g, indices.shape[1])),
        "offsets": (offsets, (*indices.shape, 3)),
        "weight": (weight, (len(bias), 3)),
    }
    for name, (tensor, expected) in sizes.items():
        if tuple(tensor.shape) != expected:
            raise ShapeMismatch(
                f"{name} of shape {tuple(tensor.shape)} for queries {tuple(queries.shape)}; expected {expected}"
            )
    if g and not indices.shape[1]:
        raise InvalidInput("points without neighbours; give each at least one (itself)")
    if g and not 0 <= int(indices.min()) <= int(indices.max()) < len(keys_values):
        raise InvalidInput(
            f"neighbours {int(indices.min())} to {int(indices.max())} of {len(keys_values)} points; look for them again"
        )
    attend = _ATTENTION.pick(queries.device, backend)
    return Attended(*attend(queries, position_queries, keys_values, indices, offsets.detach(), weight, bias))
