"""Conversion to and from MinkowskiEngine, with a stand-in for it."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from trisparse.core.errors import BackendUnavailable, DataError
from trisparse.sparse3d.layers import SparseBatchNorm, SparseConv, SparseConvTranspose
from trisparse.sparse3d.minkowski import from_minkowski, load_minkowski_state, to_minkowski

from .scenes import random_tensor


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    def tensor(features: Any, coordinates: Any, tensor_stride: list[int], device: torch.device) -> SimpleNamespace:
        return SimpleNamespace(F=features, C=coordinates, tensor_stride=tensor_stride)

    module = ModuleType("MinkowskiEngine")
    module.SparseTensor = tensor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "MinkowskiEngine", module)
    return module


def test_a_tensor_comes_back_as_it_went(engine: ModuleType) -> None:
    x = random_tensor(10, 3, stride=2)
    back = from_minkowski(to_minkowski(x))
    assert torch.equal(back.grid.coords, x.grid.coords)
    assert torch.equal(back.feats, x.feats)
    assert back.grid.stride == (2, 2, 2)


def test_without_minkowski_engine_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MinkowskiEngine", None)
    with pytest.raises(BackendUnavailable, match=r"needs MinkowskiEngine 0\.5\.4"):
        to_minkowski(random_tensor(4, 2))


def test_state_dicts_have_the_names_and_shapes_of_the_original() -> None:
    net = nn.Sequential(
        SparseConv(3, 4, 3, bias=True), SparseBatchNorm(4), SparseConv(4, 5, 1), SparseConvTranspose(5, 2, 2, 2)
    )
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert shapes == {
        "0.kernel": (27, 3, 4),
        "0.bias": (1, 4),
        "1.bn.weight": (4,),
        "1.bn.bias": (4,),
        "1.bn.running_mean": (4,),
        "1.bn.running_var": (4,),
        "1.bn.num_batches_tracked": (),
        "2.kernel": (4, 5),
        "3.kernel": (8, 5, 2),
    }


def test_weights_load_and_those_of_another_network_are_listed() -> None:
    layer, state = SparseConv(3, 4, 3), {"kernel": torch.ones(27, 3, 4)}
    load_minkowski_state(layer, state)
    assert torch.equal(layer.kernel, state["kernel"])
    with pytest.raises(DataError, match=r"missing \['kernel'\], not expected \['weight'\]"):
        load_minkowski_state(layer, {"weight": torch.ones(1)})
    with pytest.raises(DataError, match=r"kernel \(8, 3, 4\) for \(27, 3, 4\)"):
        load_minkowski_state(layer, {"kernel": torch.ones(8, 3, 4)})
