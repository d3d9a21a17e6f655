import pytest
import torch

from maskwright.nn.two_way import Attention, TwoWayTransformer


def projected(attention: Attention, q, k, v):
    """Attention as it is usually written: project all three, then attend."""
    query, key, value = (
        attention.heads(p(x)) for p, x in ((attention.q_proj, q), (attention.k_proj, k), (attention.v_proj, v))
    )
    out = (query @ key.transpose(-1, -2) * attention.scale).softmax(-1) @ value
    return attention.out_proj(out.transpose(1, 2).flatten(2))


def usual_transformer(model: TwoWayTransformer, prompt, cells, positions):
    tokens = prompt
    for layer in model.layers:
        if layer.is_first:
            tokens = projected(layer.self_attn, tokens, tokens, tokens)
        else:
            tokens = tokens + projected(layer.self_attn, tokens + prompt, tokens + prompt, tokens)
        tokens = layer.norm1(tokens)
        read = projected(layer.cross_attn_token_to_image, tokens + prompt, cells + positions, cells)
        tokens = layer.norm2(tokens + read)
        tokens = layer.norm3(tokens + layer.mlp(tokens))
        update = projected(layer.cross_attn_image_to_token, cells + positions, tokens + prompt, tokens)
        cells = layer.norm4(cells + update)
    read = projected(model.final_attn_token_to_image, tokens + prompt, cells + positions, cells)
    return model.norm_final_attn(tokens + read), cells


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    model = TwoWayTransformer(depth=2, width=32, num_heads=4, mlp_width=48).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # biases too: the folding must not lose one
    return model


@pytest.mark.parametrize("own_cells", [False, True], ids=["cells shared by all prompts", "cells of each prompt"])
def test_the_folded_transformer_equals_the_projected_one(transformer, own_cells):
    N, T, L = 3, 5, 24
    prompt, positions = torch.randn(N, T, 32).double(), torch.randn(L, 32).double()
    cells = torch.randn(N if own_cells else 1, L, 32).double()

    tokens, out_cells = transformer(prompt, cells, positions)

    usual_tokens, usual_cells = usual_transformer(transformer, prompt, cells.expand(N, -1, -1), positions)
    torch.testing.assert_close(tokens, usual_tokens)
    torch.testing.assert_close(out_cells, usual_cells)


def test_the_folded_transformer_has_the_gradients_of_the_projected_one(transformer):
    prompt, cells, positions = (torch.randn(shape).double() for shape in ((2, 3, 32), (1, 12, 32), (12, 32)))

    ours = torch.autograd.grad(
        sum(x.square().sum() for x in transformer(prompt, cells, positions)),
        transformer.parameters(),
        allow_unused=True,
    )
    usual = torch.autograd.grad(
        sum(x.square().sum() for x in usual_transformer(transformer, prompt, cells.expand(2, -1, -1), positions)),
        transformer.parameters(),
    )

    for (name, _), a, b in zip(transformer.named_parameters(), ours, usual, strict=True):
        # The bias of k cancels in the softmax over cells, so its gradient is zero or absent.
        torch.testing.assert_close(torch.zeros_like(b) if a is None else a, b, msg=name)


def test_a_batch_of_prompts_equals_the_prompts_one_by_one(transformer):
    prompt, cells, positions = (torch.randn(shape).double() for shape in ((4, 3, 32), (1, 12, 32), (12, 32)))

    tokens, _ = transformer(prompt, cells, positions)

    for i in range(4):
        torch.testing.assert_close(tokens[i : i + 1], transformer(prompt[i : i + 1], cells, positions)[0])
