"""Tensors and weights to and from MinkowskiEngine, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import BackendUnavailable, DataError
from .grid import VoxelGrid
from .tensor import SparseTensor


def to_minkowski(x: SparseTensor) -> Any:
    """A ``MinkowskiEngine.SparseTensor`` with the same features, coordinates and stride, rows in the same order.

    Raises:
        BackendUnavailable: MinkowskiEngine is not installed.
    """
    engine = _engine()
    return engine.SparseTensor(
        features=x.feats,
        coordinates=x.grid.coords.contiguous(),
        tensor_stride=list(x.grid.stride),
        device=x.feats.device,
    )


def from_minkowski(x: Any) -> SparseTensor:
    """The features and voxels of a ``MinkowskiEngine.SparseTensor``, on a new grid. Gradients flow through.

    Raises:
        BackendUnavailable: MinkowskiEngine is not installed.
        InvalidInput: Two rows at one coordinate.
    """
    _engine()
    stride = [int(s) for s in x.tensor_stride]
    return SparseTensor(VoxelGrid(x.C.to(torch.int32), (stride[0], stride[1], stride[2])), x.F)


def load_minkowski_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load the state dict of a network of MinkowskiEngine's layers; names and shapes are the same here.

    Raises:
        DataError: A parameter is missing, not expected, or of another shape; all of them are listed.
    """
    own = module.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    odd = [
        f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if missing or extra or odd:
        raise DataError(
            f"these weights are of another network: missing {missing}, not expected {extra}, of another shape {odd}"
        )
    module.load_state_dict(dict(state))


def _engine() -> Any:
    try:
        return import_module("MinkowskiEngine")
    except ImportError as error:
        raise BackendUnavailable(
            "converting to and from MinkowskiEngine needs MinkowskiEngine 0.5.4, which is not installed here; "
            "build it as environment.yml says (pip install MinkowskiEngine, with a compiler and BLAS headers)"
        ) from error
