import pytest
import torch

from maskwright.nn import attention
from maskwright.nn.attention import attend_with_grid_bias, relative_positions


def dense_attention(q, k, v, rows, columns):
    scores = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5
    scores = scores + (rows[..., :, None] + columns[..., None, :]).flatten(-2)
    return scores.softmax(-1) @ v


@pytest.mark.parametrize("block_bytes", [1 << 8, 1 << 12, 1 << 30])
def test_attention_in_blocks_equals_the_dense_form(monkeypatch, block_bytes):
    monkeypatch.setattr(attention, "_BLOCK_BYTES", block_bytes)
    torch.manual_seed(0)
    X, gh, gw, c = 5, 3, 7, 8
    q, k, v = torch.randn(3, X, gh * gw, c)
    rows, columns = torch.randn(X, gh * gw, gh), torch.randn(X, gh * gw, gw)

    with torch.no_grad():
        blocks = attend_with_grid_bias(q, k, v, rows, columns)

    torch.testing.assert_close(blocks, dense_attention(q, k, v, rows, columns))


def test_attention_with_gradients_equals_the_dense_form_and_its_gradient():
    torch.manual_seed(0)
    X, gh, gw, c = 2, 3, 4, 8
    inputs = [torch.randn(X, gh * gw, n, dtype=torch.float64, requires_grad=True) for n in (c, c, c, gh, gw)]

    ours = attend_with_grid_bias(*inputs)
    dense = dense_attention(*inputs)

    torch.testing.assert_close(ours, dense)
    for a, b in zip(
        torch.autograd.grad(ours.square().sum(), inputs), torch.autograd.grad(dense.square().sum(), inputs), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_relative_positions_hold_the_table_entry_of_query_minus_key():
    table = torch.arange(7.0)[:, None]

    spread = relative_positions(table, 4)

    for query in range(4):
        for key in range(4):
            assert spread[query, key, 0] == query - key + 3


def test_relative_positions_of_another_grid_are_resized():
    spread = relative_positions(torch.arange(7.0)[:, None], 2)

    assert spread.shape == (2, 2, 1)
    assert spread[0, 1, 0] < spread[0, 0, 0] < spread[1, 0, 0]
