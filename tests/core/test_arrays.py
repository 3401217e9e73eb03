from __future__ import annotations

import pytest
import torch
from trisparse.core.arrays import require_finite
from trisparse.core.errors import NotFinite


@pytest.mark.parametrize(
    "values", [torch.ones(3, 2), torch.zeros(0, 3), torch.ones(()), torch.ones(2, 3, dtype=torch.int32)]
)
def test_finite_numbers_pass(values: torch.Tensor) -> None:
    require_finite(values, "points")


def test_the_first_bad_row_and_their_number_are_told() -> None:
    values = torch.ones(5, 3)
    values[2, 1] = float("nan")
    values[4] = float("inf")
    with pytest.raises(NotFinite, match="points: 2 of 5 rows are NaN or infinite, the first is row 2"):
        require_finite(values, "points")


def test_a_single_number_counts_as_one_row() -> None:
    with pytest.raises(NotFinite, match="1 of 1"):
        require_finite(torch.tensor(float("nan")), "scale")
