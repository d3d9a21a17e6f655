"""The two-way transformer of SAM's mask decoder, arranged for many prompts on one image.

Source: Kirillov et al., "Segment Anything" (2023), section A. Parameter names and shapes are those of the checkpoints.
The results are the reference's; the order of the products is not. A prompt has few tokens (T is 7 for one click, 8
heads give 56 rows), the image has L = 4096 cells, so projecting all cells is the cost. By associativity

    scores  = (q Wk) x^T        instead of   q (x Wk)^T      56 columns instead of 128
    values  = (A x) Wv          instead of   A (x Wv)
    update  = A^T (v Wo)        instead of   (A^T v) Wo

and no cell is ever projected: 1.1 GFLOP a prompt instead of 2.8, without a 128-wide copy of the image for each prompt.
The bias of k cancels in the softmax over cells; the bias of v passes through, since attention sums to one. Until the
first image update, cells are the same for every prompt and are never repeated.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.nn.layers import MLPBlock


class Attention(nn.Module):
    """The four projections of an attention; how they are applied depends on which side is the image."""

    def __init__(self, width: int, num_heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = width // downsample
        self.num_heads = num_heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    @property
    def scale(self) -> float:
        """1/sqrt of a head's width."""
        return (self.q_proj.out_features // self.num_heads) ** -0.5

    def heads(self, x: Float[Tensor, "N T E"]) -> Float[Tensor, "N heads T c"]:
        """Take heads apart."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def among_tokens(self, q: Float[Tensor, "N T D"], v: Float[Tensor, "N T D"]) -> Float[Tensor, "N T D"]:
        """Self-attention of the tokens: queries and keys from `q`, values from `v`."""
        query, key, value = self.heads(self.q_proj(q)), self.heads(self.k_proj(q)), self.heads(self.v_proj(v))
        out = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def tokens_to_image(
        self, tokens: Float[Tensor, "N T D"], cells: Float[Tensor, "_N L D"], placed: Float[Tensor, "_N L D"]
    ) -> Float[Tensor, "N T D"]:
        """Tokens read the image: keys from `placed` (cells with positions), values from `cells`; _N is 1 or N."""
        T = tokens.shape[1]
        query = self.heads(self.q_proj(tokens)) * self.scale  # N heads T c
        rows = torch.matmul(query, self.k_proj.weight.unflatten(0, (self.num_heads, -1)))  # N heads T D
        attention = _rows_by_cells(rows.flatten(1, 2), placed).softmax(-1)  # N heads*T L
        read = _cells_by_rows(attention, cells).unflatten(1, (self.num_heads, T))  # N heads T D
        value = torch.matmul(read, self.v_proj.weight.unflatten(0, (self.num_heads, -1)).transpose(1, 2))
        value = value.transpose(1, 2).flatten(2) + self.v_proj.bias
        return self.out_proj(value)

    def image_to_tokens(
        self,
        cells: Float[Tensor, "_N L D"],
        placed: Float[Tensor, "_N L D"],
        keys: Float[Tensor, "N T D"],
        values: Float[Tensor, "N T D"],
    ) -> Float[Tensor, "N L D"]:
        """Cells read the tokens; returns the cells with what they read added."""
        N, T, _ = keys.shape
        key = self.heads(self.k_proj(keys)) * self.scale  # N heads T c
        rows = torch.matmul(key, self.q_proj.weight.unflatten(0, (self.num_heads, -1)))  # N heads T D
        offset = torch.matmul(key, self.q_proj.bias.view(self.num_heads, -1, 1))  # N heads T 1
        scores = _rows_by_cells(rows.flatten(1, 2), placed).unflatten(1, (self.num_heads, T)) + offset
        attention = scores.softmax(2).flatten(1, 2)  # N heads*T L, over the tokens
        out_weight = self.out_proj.weight.unflatten(1, (self.num_heads, -1)).permute(1, 2, 0)  # heads c D
        value = torch.matmul(self.heads(self.v_proj(values)), out_weight).flatten(1, 2)  # N heads*T D
        value = value + self.out_proj.bias / self.num_heads  # each head's attention sums to one
        return torch.baddbmm(cells.expand(N, -1, -1), attention.transpose(1, 2), value)


def _rows_by_cells(rows: Float[Tensor, "N R D"], cells: Float[Tensor, "_N L D"]) -> Float[Tensor, "N R L"]:
    if cells.shape[0] == 1:  # one product for all prompts
        return (rows.flatten(0, 1) @ cells[0].T).view(*rows.shape[:2], -1)
    return torch.bmm(rows, cells.transpose(1, 2))


def _cells_by_rows(attention: Float[Tensor, "N R L"], cells: Float[Tensor, "_N L D"]) -> Float[Tensor, "N R D"]:
    if cells.shape[0] == 1:
        return (attention.flatten(0, 1) @ cells[0]).view(*attention.shape[:2], -1)
    return torch.bmm(attention, cells)


class TwoWayBlock(nn.Module):
    """Tokens attend to each other, read the image, feed forward; then the image reads the tokens."""

    def __init__(self, width: int, num_heads: int, mlp_width: int, downsample: int, *, is_first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width, num_heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width, num_heads, downsample)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLPBlock(width, mlp_width, nn.ReLU)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width, num_heads, downsample)
        self.is_first = is_first

    def forward(
        self,
        tokens: Float[Tensor, "N T D"],
        prompt: Float[Tensor, "N T D"],
        cells: Float[Tensor, "_N L D"],
        positions: Float[Tensor, "L D"],
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "N L D"]]:
        """Update tokens and cells. `prompt` is the tokens as they came in: it serves as their position."""
        if self.is_first:  # the tokens are their own positions still
            tokens = self.self_attn.among_tokens(tokens, tokens)
        else:
            tokens = tokens + self.self_attn.among_tokens(tokens + prompt, tokens)
        tokens = self.norm1(tokens)
        placed = cells + positions
        tokens = self.norm2(tokens + self.cross_attn_token_to_image.tokens_to_image(tokens + prompt, cells, placed))
        tokens = self.norm3(tokens + self.mlp(tokens))
        cells = self.cross_attn_image_to_token.image_to_tokens(cells, placed, tokens + prompt, tokens)
        return tokens, self.norm4(cells)


class TwoWayTransformer(nn.Module):
    """Blocks, and a last reading of the image by the tokens."""

    def __init__(
        self, *, depth: int = 2, width: int = 256, num_heads: int = 8, mlp_width: int = 2048, downsample: int = 2
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(width, num_heads, mlp_width, downsample, is_first=i == 0) for i in range(depth)
        )
        self.final_attn_token_to_image = Attention(width, num_heads, downsample)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(
        self, prompt: Float[Tensor, "N T D"], cells: Float[Tensor, "_N L D"], positions: Float[Tensor, "L D"]
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "N L D"]]:
        """Run N prompts against cells that are theirs alone (_N = N) or the same for all (_N = 1)."""
        tokens = prompt
        for layer in self.layers:
            tokens, cells = layer(tokens, prompt, cells, positions)
        read = self.final_attn_token_to_image.tokens_to_image(tokens + prompt, cells, cells + positions)
        return self.norm_final_attn(tokens + read), cells


__all__ = ["Attention", "TwoWayBlock", "TwoWayTransformer"]
