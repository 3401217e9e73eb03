"""Whatever a training can hand over comes back from its checkpoint, and its weights from their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor
from trisparse.pipelines.checkpoint import load_checkpoint, save_checkpoint
from trisparse.sparse3d.checkpoint import load_weights, save_weights

_settings = settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_KINDS = st.sampled_from(["f4", "f8", "i8", "i4", "u1", "?"])
_ARRAYS = hnp.arrays(_KINDS, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | _TEXT
    | _ARRAYS
    | _ARRAYS.map(torch.from_numpy)
)
_KEYS = _TEXT | st.integers()
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and _same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray):  # by their bytes, for NaN
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


@_settings
@given(tree=_TREES, step=st.integers(0, 10**9 - 1))
def test_any_tree(tmp_path: Path, tree: Any, step: int) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    save_checkpoint(tmp_path, step, tree)
    back = load_checkpoint(tmp_path)
    assert back is not None
    assert back.step == step
    assert _same(tree, back.state)


@_settings
@given(tensors=st.dictionaries(st.text("ab.0", min_size=1), _ARRAYS, max_size=3), about=st.dictionaries(_TEXT, _TEXT))
def test_any_weights(tmp_path: Path, tensors: dict[str, np.ndarray], about: dict[str, str]) -> None:
    given_ = {name: torch.from_numpy(array) for name, array in tensors.items()}
    save_weights(tmp_path / "w.safetensors", given_, about)
    read, said = load_weights(tmp_path / "w.safetensors")
    assert said == about
    assert read.keys() == given_.keys()
    for name, value in given_.items():
        torch.testing.assert_close(read[name], value.float() if value.is_floating_point() else value, equal_nan=True)
