"""Quaternions agree with scipy, and their derivatives are finite everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from trisparse.data.quaternions import (
    conjugate,
    from_matrix,
    from_rotation_vector,
    multiply,
    rotation_vector,
    to_matrix,
)

VECTORS = np.concatenate(
    [
        np.random.default_rng(0).normal(0, 1, (20, 3)),
        1e-9 * np.random.default_rng(1).normal(0, 1, (5, 3)),
        np.zeros((1, 3)),
        np.array([[np.pi - 1e-7, 0, 0], [0, -2.0, 2.0], [3.0, 0, 0]]),
    ]
)


def wxyz(rotation: Rotation) -> torch.Tensor:
    """As ours, w not negative."""
    q = rotation.as_quat()[:, [3, 0, 1, 2]]
    return torch.from_numpy(np.where(q[:, :1] < 0, -q, q))


def test_vectors_quaternions_and_matrices_are_scipy_s() -> None:
    v, known = torch.from_numpy(VECTORS), Rotation.from_rotvec(VECTORS)
    quats = from_rotation_vector(v)
    torch.testing.assert_close(to_matrix(quats), torch.from_numpy(known.as_matrix()), rtol=0, atol=1e-14)
    torch.testing.assert_close(from_matrix(to_matrix(quats)), wxyz(known), rtol=0, atol=1e-13)
    torch.testing.assert_close(rotation_vector(quats), torch.from_numpy(known.as_rotvec()), rtol=0, atol=1e-12)


def test_products_are_scipy_s() -> None:
    a, b = Rotation.from_rotvec(VECTORS), Rotation.from_rotvec(VECTORS[::-1].copy())
    torch.testing.assert_close(
        to_matrix(multiply(wxyz(a), wxyz(b))), torch.from_numpy((a * b).as_matrix()), rtol=0, atol=1e-14
    )
    torch.testing.assert_close(to_matrix(conjugate(wxyz(a))), torch.from_numpy(a.inv().as_matrix()), rtol=0, atol=1e-14)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # of torch's forward mode
@pytest.mark.parametrize(
    "turn", [np.zeros(3), 1e-11 * np.ones(3), np.array([0.3, -2.0, 0.9]), np.array([0, np.pi - 1e-3, 0])]
)
def test_derivatives_hold_to_second_order_also_where_nothing_turns(turn: np.ndarray) -> None:
    v = torch.from_numpy(turn[None].astype(float)).requires_grad_()
    assert torch.autograd.gradcheck(from_rotation_vector, v, check_forward_ad=True)
    assert torch.autograd.gradcheck(lambda v: rotation_vector(from_rotation_vector(v)), v)
    if turn.any() and abs(turn).max() > 1e-6:
        assert torch.autograd.gradgradcheck(from_rotation_vector, v)
