from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from trisparse.core.errors import InvalidInput
from trisparse.pipelines.checkpoint import (
    load_checkpoint,
    random_state,
    remove_checkpoints,
    restore_random_state,
    save_checkpoint,
)


def _load(folder: Path) -> Any:
    checkpoint = load_checkpoint(folder)
    assert checkpoint is not None
    return checkpoint


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    tree = {
        "tensors": [
            torch.arange(6).reshape(2, 3).t(),
            torch.tensor(True),
            torch.zeros(0, 4),
            torch.tensor(1.5).bfloat16(),
        ],
        "numbers": (1, -2.5, 10**30, 0.1 + 0.2, float("inf")),
        "array": np.arange(3, dtype=np.uint32),
        3: {"a": None, "b": "text"},
        "a/b": torch.ones(1),
        "a": {"b": torch.zeros(1)},
    }
    save_checkpoint(tmp_path, 7, tree)
    back = _load(tmp_path)
    assert back.step == 7
    assert back.state.keys() == tree.keys()
    for ours, theirs in zip(back.state["tensors"], tree["tensors"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert back.state["numbers"] == tree["numbers"]
    assert back.state["array"].dtype == np.uint32
    assert back.state[3] == tree[3]
    assert (back.state["a/b"].item(), back.state["a"]["b"].item()) == (1.0, 0.0)


def test_an_optimizer_goes_on_exactly(tmp_path: Path) -> None:
    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    model, optimizer = fresh()
    step(model, optimizer)
    save_checkpoint(tmp_path, 1, {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    step(model, optimizer)

    other, other_optimizer = fresh()
    saved = _load(tmp_path).state
    other.load_state_dict(saved["model"])
    other_optimizer.load_state_dict(saved["optimizer"])
    step(other, other_optimizer)
    for ours, theirs in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_random_numbers_go_on_where_they_stopped(tmp_path: Path) -> None:
    ours, theirs = torch.Generator().manual_seed(3), np.random.default_rng(3)
    save_checkpoint(tmp_path, 1, random_state(torch_part=ours, numpy_part=theirs))
    expected = (torch.rand(2), torch.rand(2, generator=ours), theirs.random(2))
    other, another = torch.Generator(), np.random.default_rng(0)
    restore_random_state(_load(tmp_path).state, torch_part=other, numpy_part=another)
    assert torch.equal(torch.rand(2), expected[0])
    assert torch.equal(torch.rand(2, generator=other), expected[1])
    assert (another.random(2) == expected[2]).all()


def test_a_generator_of_another_name_is_refused() -> None:
    state = random_state(dropout=torch.Generator())
    with pytest.raises(InvalidInput, match="dropout"):
        restore_random_state(state, sampler=torch.Generator())


def test_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 1000):
        save_checkpoint(tmp_path, step, {"x": torch.zeros(1)})
    assert sorted(p.name for p in tmp_path.glob("*.json")) == ["step-000000003.json", "step-000001000.json"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "damage", ["cut tensors", "cut tree", "no tree", "no tensors", "flipped bit", "not json", "no text", "deep"]
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"x": torch.full((8,), float(step))})
    tensors, tree = tmp_path / "step-000000002.safetensors", tmp_path / "step-000000002.json"
    content = tensors.read_bytes()
    match damage:
        case "cut tensors":
            tensors.write_bytes(content[:-5])
        case "cut tree":
            tree.write_bytes(tree.read_bytes()[:-5])
        case "no tree":
            tree.unlink()
        case "no tensors":
            tensors.unlink()
        case "flipped bit":
            tensors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no text":
            tree.write_bytes(b"\xff\xfe" + bytes(3))
        case "deep":
            tree.write_text('{"step": 2, "state": ' + "[" * 100_000)
        case _:
            tree.write_text("[1, 2]")
    assert _load(tmp_path).step == 1


def test_a_damaged_checkpoint_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 5, {"x": torch.zeros(2)})
    (tmp_path / "step-000000005.safetensors").write_bytes(b"")
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, 5, {"x": torch.ones(2)})
    assert _load(tmp_path).state["x"].tolist() == [1, 1]


def test_nothing_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent") is None


def test_an_object_is_refused_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="object at state/a/1"):
        save_checkpoint(tmp_path, 1, {"a": [1, object()]})
    assert load_checkpoint(tmp_path) is None


def test_removing_takes_the_folder_only_if_it_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    save_checkpoint(folder, 1, {"x": 1})
    (folder / "notes.txt").write_text("mine")
    remove_checkpoints(folder)
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    remove_checkpoints(folder)
    assert not folder.exists()


def test_the_same_state_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, 1, {str(i): torch.full((3,), i) for i in range(20)})
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
