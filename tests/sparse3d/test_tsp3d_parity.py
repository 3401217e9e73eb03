"""The published network on its original engine, recorded: ours must say the same at every stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.grounder import EncodedScene, Grounder
from trisparse.sparse3d.head import HeadOutput
from trisparse.sparse3d.suppression import suppress_overlaps


class Recorded:
    """The oracle and our run on it, in one dtype."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        with np.load(folder / "b1_small.npz") as file:
            self.arrays = {name: torch.from_numpy(file[name]) for name in file.files}
        self.grounder = Grounder(preset("tsp3d"))
        self.grounder.load_state_dict(load_file(folder / "weights_fp16.safetensors"))
        self.grounder.to(dtype).eval()
        feats = self.arrays["points"][0].to(dtype)
        batch = torch.zeros(len(feats), dtype=torch.int64)
        with torch.no_grad():
            self.scene: EncodedScene = self.grounder.encode_features(feats, batch, feats.new_zeros(1, 3))
            self.output: HeadOutput = self.run()

    def run(self, candidates: Tensor | None = None) -> HeadOutput:
        text = self.arrays["text_feats"].to(self.scene.origin.dtype)
        with torch.no_grad():
            return self.grounder.head(self.scene.levels, text, self.arrays["text_padding"], candidates=candidates)


@pytest.fixture(scope="module")
def float64(shared: Path) -> Recorded:
    return Recorded(shared / "oracles" / "tsp3d", torch.float64)


@pytest.fixture(scope="module")
def float32(shared: Path) -> Recorded:
    return Recorded(shared / "oracles" / "tsp3d", torch.float32)


def _in_order(coords: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    order = np.lexsort(coords.numpy().T)
    return coords[order], values[order]


def _assert_same(coords: Tensor, values: Tensor, true_coords: Tensor, true_values: Tensor, tolerance: float) -> None:
    coords, values = _in_order(coords, values)
    true_coords, true_values = _in_order(true_coords, true_values)
    torch.testing.assert_close(coords.long(), true_coords.long(), atol=0, rtol=0)
    torch.testing.assert_close(values, true_values.to(values.dtype), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("level", "name"), [(0, "layer2"), (1, "layer3"), (2, "layer4")])
def test_backbone_levels_are_those_recorded(float64: Recorded, level: int, name: str) -> None:
    ours, theirs = float64.scene.levels[level], float64.arrays
    tolerance = 1e-8 if theirs[f"{name}_feats"].dtype == torch.float64 else 1e-5
    _assert_same(ours.grid.coords, ours.feats, theirs[f"{name}_coords"], theirs[f"{name}_feats"], tolerance)


@pytest.mark.parametrize(("level", "stride"), [("scene_prune", 64), ("target_prune", 32)])
def test_prune_logits_are_those_recorded(float64: Recorded, level: str, stride: int) -> None:
    ours = getattr(float64.output, level)
    name = f"prune_logit_stride{stride}"
    _assert_same(ours.grid.coords, ours.logits, float64.arrays[f"{name}_coords"], float64.arrays[name], 1e-8)


def test_completion_logits_are_those_recorded(float64: Recorded) -> None:
    ours = float64.output.completion
    xyz, logits = float64.arrays["completion_xyz"][0], float64.arrays["completion_logit"][0]
    real = (xyz > -0.005).any(1) | (xyz < -0.015).any(1)
    cells = torch.round(xyz[real] / 0.01)
    _assert_same(ours.grid.coords[:, 1:], ours.logits, cells, logits[real], 1e-8)


def test_boxes_and_scores_of_all_final_voxels_are_those_recorded(float64: Recorded) -> None:
    ours, theirs = float64.output, float64.arrays
    values = torch.cat([ours.box6[:, :3], ours.sizes, ours.score_logits[:, None]], 1)
    # The recorded numbers hold the sizes after the exponential.
    recorded = torch.cat([theirs["out0_box6"], theirs["out0_score_logit"].reshape(-1, 1)], 1)
    _assert_same(ours.grid.coords[:, 1:], values, torch.round(theirs["out0_voxel_corner"] / 0.01), recorded, 1e-8)


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_the_answer_is_the_one_recorded(request: pytest.FixtureRequest, precision: str, tolerance: float) -> None:
    run: Recorded = request.getfixturevalue(precision)
    output = run.output
    best = suppress_overlaps(output.centers, output.sizes, output.score_logits, top_k=1)
    for ours, name in (
        (output.centers[best], "best_center"),
        (output.sizes[best], "best_size"),
        (output.score_logits[best].sigmoid(), "best_score"),
    ):
        recorded = run.arrays[name].reshape(ours.shape).to(ours.dtype)
        torch.testing.assert_close(ours, recorded, atol=tolerance, rtol=tolerance)


def test_recorded_candidates_replay_in_any_order(float64: Recorded) -> None:
    coords = float64.output.completion.grid.coords
    replayed = float64.run(coords.flip(0))
    torch.testing.assert_close(replayed.score_logits, float64.output.score_logits, atol=1e-12, rtol=1e-12)


def test_a_deterministic_cap_does_not_depend_on_the_order_of_the_points(shared: Path) -> None:
    run = Recorded(shared / "oracles" / "tsp3d", torch.float64)
    feats = run.arrays["points"][0].double()
    cells = torch.floor(feats[:, :3] / 0.01)
    _, first = np.unique(cells.numpy(), axis=0, return_index=True)
    feats = feats[torch.from_numpy(first)]
    text = run.arrays["text_feats"].double()
    best = []
    for order in (torch.arange(len(feats)), torch.randperm(len(feats), generator=torch.Generator().manual_seed(0))):
        batch = torch.zeros(len(feats), dtype=torch.int64)
        with torch.no_grad():
            scene = run.grounder.encode_features(feats[order], batch, feats.new_zeros(1, 3))
            cap = run.grounder.head
            cap.config = preset("tsp3d").__class__(completion_cap=500)
            output = cap(scene.levels, text, run.arrays["text_padding"])
        best.append(output.centers[output.score_logits.argmax()])
    torch.testing.assert_close(best[0], best[1], atol=1e-9, rtol=0)
