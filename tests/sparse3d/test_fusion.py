"""Text-voxel transformers against torch's own attention, and laws of padding."""

import torch
from torch import Tensor, nn
from trisparse.sparse3d.fusion import Attention, Meeting, PositionEmbedding, TextVoxelTransformer
from trisparse.sparse3d.ragged import Ragged


def _attend(attention: Attention, q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None = None) -> Tensor:
    return attention.attend(q, k, v, Meeting(lambda x: [x], lambda x: [x], [padding]))


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4, 0.0).double(), nn.MultiheadAttention(16, 4, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    q, k, v = (torch.randn(2, n, 16, dtype=torch.float64) for n in (5, 7, 7))
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 4:] = True
    expected, _ = theirs(q, k, v, key_padding_mask=padding, need_weights=False)
    torch.testing.assert_close(_attend(ours, q, k, v, padding), expected)


def test_attention_without_any_key_is_finite_and_passes_finite_gradients() -> None:
    attention = Attention(8, 2, 0.0)
    q = torch.randn(2, 3, 8, requires_grad=True)
    out = _attend(attention, q, q, q, torch.tensor([[False] * 3, [True] * 3]))
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert q.grad is not None
    assert torch.isfinite(q.grad).all()
    torch.testing.assert_close(out[1], attention.out_proj.bias.expand(3, 8))


def test_aligned_attention_reads_the_key_that_resembles_the_query() -> None:
    torch.manual_seed(0)
    attention = Attention(16, 1, 0.0)
    attention.align()
    keys = torch.eye(16)[None] * 20
    found = _attend(attention, keys[:, [3, 11]], keys, keys)
    value = torch.nn.functional.linear(keys[:, [3, 11]], attention.in_proj_weight[32:], attention.in_proj_bias[32:])
    torch.testing.assert_close(found, attention.out_proj(value))


def test_scenes_of_a_batch_do_not_see_one_another() -> None:
    torch.manual_seed(1)
    net = TextVoxelTransformer(16, 2, 2, 0.0).double().eval()
    batch = torch.tensor([0] * 5 + [1] * 3)
    vision, position = torch.randn(2, 8, 16, dtype=torch.float64)
    text, padding = torch.randn(2, 4, 16, dtype=torch.float64), torch.tensor([[False] * 4, [False, False, True, True]])
    both, both_text = net(vision, position, Ragged.of(batch, 2), text, padding)
    alone, alone_text = net(vision[5:], position[5:], Ragged.of(batch[:3], 1), text[1:, :2], None)
    torch.testing.assert_close(both[5:], alone)
    torch.testing.assert_close(both_text[1, :2], alone_text[0])


def test_the_order_of_voxels_does_not_matter() -> None:
    torch.manual_seed(2)
    net = TextVoxelTransformer(16, 2, 2, 0.0).double().eval()
    batch, order = torch.tensor([0] * 4 + [1] * 4 + [3] * 2), torch.randperm(10)
    vision, position = torch.randn(2, 10, 16, dtype=torch.float64)
    text = torch.randn(4, 3, 16, dtype=torch.float64)
    straight, words = net(vision, position, Ragged.of(batch, 4), text, None)
    mixed, same_words = net(vision[order], position[order], Ragged.of(batch[order], 4), text, None)
    torch.testing.assert_close(mixed, straight[order])
    torch.testing.assert_close(same_words, words)
    assert torch.isfinite(words[2]).all(), "a scene without voxels"


def test_position_embedding_maps_each_corner_on_its_own() -> None:
    net = PositionEmbedding(8).eval()
    corners = torch.randn(6, 3)
    torch.testing.assert_close(net(corners)[2:4], net(corners[2:4]))
