"""The whole network, small and random: laws that hold whatever the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.sparse3d.config import GrounderConfig, preset
from trisparse.sparse3d.criterion import SentenceTarget, grounding_loss
from trisparse.sparse3d.fusion import CrossAttention
from trisparse.sparse3d.grounder import EncodedScene, Grounder
from trisparse.sparse3d.head import TrainSampling
from trisparse.sparse3d.layers import SparseConv
from trisparse.sparse3d.resnet import ResidualBlock
from trisparse.sparse3d.text import TokenStates
from trisparse.sparse3d.voxelize import voxelize

TINY = replace(
    preset("small"),
    stem_channels=8,
    stage_blocks=(1, 1, 1, 1),
    stage_channels=(8, 16, 16, 16),
    width=16,
    heads=2,
    text_width=12,
    completion_cap=60,
    train_completion_voxels=60,
    train_scene_voxels=10,
    train_target_voxels=40,
    train_keep_scene=60,
    train_keep_target=(30, 50),
)


def _grounder(config: GrounderConfig = TINY) -> Grounder:
    torch.manual_seed(0)
    return Grounder(config).double().eval()


def _scan(seed: int = 0, n: int = 1500) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(n, 3, generator=generator, dtype=torch.float64) * torch.tensor([4.0, 3.0, 0.4])
    return points, torch.rand(n, 3, generator=generator, dtype=torch.float64)


def _words(n: int, length: int = 5) -> TokenStates:
    states = torch.randn(n, length, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    padding = torch.zeros(n, length, dtype=torch.bool)
    padding[n - 1, length - 2 :] = True
    return TokenStates(states, padding)


def test_a_scene_is_encoded_once_for_many_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    grounder, calls = _grounder(), []
    backbone = grounder.vision_backbone.forward
    monkeypatch.setattr(grounder.vision_backbone, "forward", lambda x: calls.append(1) or backbone(x))
    scene = grounder.encode_scene(*_scan())
    answers = grounder.answer(scene, _words(4), top_k=3)
    grounder.answer(scene, _words(2))
    assert len(answers) == 4
    assert len(calls) == 1


def test_an_answer_does_not_depend_on_the_other_sentences_or_on_padding() -> None:
    grounder = _grounder()
    scene, words = grounder.encode_scene(*_scan()), _words(3)
    together = grounder.answer(scene, words, top_k=2)
    alone = grounder.answer(scene, TokenStates(words.states[2:, :3], words.padding[2:, :3]), top_k=2)[0]
    torch.testing.assert_close(together[2].centers, alone.centers)
    torch.testing.assert_close(together[2].scores, alone.scores)


def test_the_order_of_points_does_not_matter() -> None:
    grounder, words = _grounder(), _words(1)
    points, colors = _scan()
    _, first = torch.unique(torch.floor(points / 0.02), dim=0, return_inverse=True)
    keep = torch.tensor([int((first == cell).nonzero()[0, 0]) for cell in first.unique()])
    points, colors = points[keep], colors[keep]
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(2))
    straight = grounder.answer(grounder.encode_scene(points, colors), words)[0]
    shuffled = grounder.answer(grounder.encode_scene(points[order], colors[order]), words)[0]
    torch.testing.assert_close(straight.centers, shuffled.centers)


def test_a_batch_of_scenes_gives_what_each_gives_alone() -> None:
    grounder, words = _grounder(), _words(2)
    scans = [_scan(0), _scan(1, 700)]
    with torch.no_grad():
        both = grounder(grounder.encode_scenes(scans), words)
        for number, scan in enumerate(scans):
            own = TokenStates(words.states[[number]], words.padding[[number]])
            alone = grounder(grounder.encode_scenes([scan]), own)
            mine = both.grid.coords[:, 0] == number
            assert int(mine.sum()) == len(alone.grid)
            order = [sorted(range(len(c)), key=c.tolist().__getitem__) for c in (both.corners[mine], alone.corners)]
            torch.testing.assert_close(both.score_logits[mine][order[0]], alone.score_logits[order[1]])


@pytest.mark.parametrize("n_points", [1, 2])
def test_one_voxel_is_enough(n_points: int) -> None:
    grounder = _grounder()
    answer = grounder.answer(
        grounder.encode_scene(torch.zeros(n_points, 3).double(), torch.rand(n_points, 3).double()), _words(1)
    )
    assert torch.isfinite(answer[0].centers).all()


def test_when_everything_would_be_pruned_the_best_voxels_answer_and_it_is_said() -> None:
    grounder = _grounder(replace(TINY, scene_keep_threshold=1.0))
    answer = grounder.answer(grounder.encode_scene(*_scan()), _words(1))[0]
    assert answer.fell_back
    assert len(answer.centers) == 1
    assert (
        not _grounder(replace(TINY, scene_keep_threshold=0.0))
        .answer(grounder.encode_scene(*_scan()), _words(1))[0]
        .fell_back
    )


def test_one_emptied_scene_of_a_batch_leaves_the_other_alone() -> None:
    grounder = _grounder(replace(TINY, scene_keep_threshold=0.5))
    bias = grounder.head.keep_conv[1].bias
    words = _words(2)
    with torch.no_grad():
        scene = grounder.encode_scenes([_scan(0), _scan(1)])
        logits = grounder(scene, words).scene_prune
        lowest = [logits.logits[logits.grid.coords[:, 0] == b].min() for b in (0, 1)]
        bias += -(lowest[0] + lowest[1]) / 2
        output = grounder(scene, words)
    assert sorted(output.fell_back.tolist()) == [False, True]
    assert set(output.grid.coords[:, 0].tolist()) == {0, 1}


def test_an_empty_scan_and_a_missing_scene_are_refused() -> None:
    grounder = _grounder()
    with pytest.raises(InvalidInput, match="without points"):
        grounder.encode_scene(torch.zeros(0, 3).double(), torch.zeros(0, 3).double())
    scene = grounder.encode_scene(*_scan())
    with pytest.raises(InvalidInput, match="at least one voxel"):
        grounder(scene, _words(2))
    with pytest.raises(InvalidInput, match="top_k"):
        grounder.answer(scene, _words(1), top_k=0)


def test_answers_come_back_in_the_frame_of_the_points() -> None:
    grounder = _grounder()
    points, colors = _scan()
    moved = grounder.answer(grounder.encode_scene(points + torch.tensor([7.0, -3.0, 0.0]), colors), _words(1))[0]
    still = grounder.answer(grounder.encode_scene(points, colors), _words(1))[0]
    torch.testing.assert_close(moved.centers - torch.tensor([7.0, -3.0, 0.0]), still.centers, atol=0.05, rtol=0.05)


def test_a_training_step_gives_every_parameter_a_finite_gradient() -> None:
    grounder = _grounder().train()
    encoded: EncodedScene = grounder.encode_scenes([_scan(0), _scan(1)])
    batch = encoded.for_sentences(torch.tensor([0, 0, 1]))
    output = grounder(batch, _words(3), sampling=TrainSampling(5))
    center = torch.tensor([[2.0, 1.5, 0.2]]).double()
    target = SentenceTarget(center, torch.ones(1, 3).double(), center[:0], center)
    loss = grounding_loss(output, [target] * 3, grounder.config)
    loss.total.backward()
    missing = [n for n, p in grounder.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert missing == []
    assert all(float(part.detach()) > 0 for part in loss.parts().values())


def test_training_keeps_no_more_voxels_than_the_settings_say() -> None:
    grounder = _grounder().train()
    batch = grounder.encode_scenes([_scan(0), _scan(1)])
    output = grounder(batch, _words(2), sampling=TrainSampling(5))
    assert torch.bincount(output.scene_prune.grid.coords[:, 0].long()).max() <= 10
    assert torch.bincount(output.target_prune.grid.coords[:, 0].long()).max() <= 40
    assert torch.bincount(output.completion.grid.coords[:, 0].long()).max() <= 60


def test_up_sampling_makes_only_voxels_that_the_scan_has_unless_it_is_generative() -> None:
    scan, words = _scan(), _words(1)
    share = {}
    for only in (True, False):
        grounder = _grounder(replace(TINY, upsample_occupied_only=only, scene_keep_threshold=0.0))
        with torch.no_grad():
            scene = grounder.encode_scene(*scan)
            made = grounder(scene, words).target_prune.grid.coords
        share[only] = float((scene.levels[1].grid.rows_of(made) >= 0).double().mean())
        assert len(made) >= len(scene.levels[1].grid), "every voxel of the level lies under a kept one"
    assert share[True] == 1.0
    assert share[False] < 0.9


def test_attention_between_voxels_and_words_starts_aligned_only_where_asked() -> None:
    for aligned in (False, True):
        grounder = _grounder(replace(TINY, aligned_attention=aligned))
        between = [m for m in grounder.modules() if isinstance(m, CrossAttention)]
        assert len(between) == 3 * TINY.fusion_layers
        unit = torch.eye(TINY.width).double().repeat(2, 1)
        for attention in (part for m in between for part in (m.cross_lv, m.cross_vl)):
            assert torch.equal(attention.in_proj_weight[: 2 * TINY.width], unit) == aligned


def test_short_cuts_of_two_taps_read_every_voxel_of_a_coarse_one() -> None:
    points = torch.tensor([[0.03, 0.03, 0.03]]).double()
    for size, reads in ((1, False), (2, True)):
        block = ResidualBlock(1, 1, 2, size).double().eval()
        assert block.downsample is not None
        shortcut = block.downsample[0]
        assert isinstance(shortcut, SparseConv)
        torch.nn.init.ones_(shortcut.kernel)
        x = voxelize(points, torch.ones(1, 1).double(), voxel_size=0.02).tensor
        assert x.grid.coords[0, 1:].tolist() == [1, 1, 1], "not at the corner of the voxel of twice the size"
        assert bool(shortcut(x).feats.any()) == reads


def test_settings_survive_json() -> None:
    assert GrounderConfig.from_dict(TINY.to_dict()) == TINY
    with pytest.raises(InvalidInput, match="speed"):
        GrounderConfig.from_dict({"speed": 1})
    with pytest.raises(InvalidInput, match="must all be its width"):
        GrounderConfig(width=64)
