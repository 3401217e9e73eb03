from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.random import derive_seed, numpy_rng, torch_rng


@given(st.integers(), st.lists(st.text() | st.integers(), max_size=3))
def test_seeds_fit_every_generator(seed: int, names: list[str | int]) -> None:
    assert 0 <= derive_seed(seed, *names) < 2**63


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert derive_seed(0) == 2033344993903900207
    assert derive_seed(7, "room", 3) == 4947606819219588746


def test_parts_of_a_program_get_their_own_numbers() -> None:
    seeds = {derive_seed(0), derive_seed(1), derive_seed(0, "a"), derive_seed(0, "b"), derive_seed(0, "a", 1)}
    assert len(seeds) == 5


def test_names_do_not_run_into_each_other() -> None:
    assert derive_seed(0, "ab", "c") != derive_seed(0, "a", "bc")
    assert derive_seed(1, "1") != derive_seed(11)


def test_generators_repeat_and_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    assert numpy_rng(3, "x").random() == numpy_rng(3, "x").random()
    assert torch.equal(torch.rand(4, generator=torch_rng(3, "x")), torch.rand(4, generator=torch_rng(3, "x")))
    assert torch.equal(torch.get_rng_state(), before)
