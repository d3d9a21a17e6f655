"""HQ-SAM's mask decoder: SAM's, and a high-quality token whose mask is drawn on fused features.

Source: Ke et al., "Segment Anything in High Quality" (2023). Parameter names and shapes are those of the published
checkpoints, which put HQ-SAM's parameters beside SAM's in one module: that is why `HqMaskDecoder` extends
`MaskDecoder`.

Fusing early and late encoder features does not depend on prompts, so `fuse` runs once per image. The last 3 x 3
convolution of a prompt's own features is followed by a product with one vector per prompt; both are linear, so the
vector goes into the kernel first, and one channel is convolved out of 64 instead of 32 out of 64.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder, to_picture, transposed_conv
from maskwright.nn.layers import MLP, LayerNorm2d
from maskwright.nn.two_way import TwoWayTransformer


class HqMaskDecoder(MaskDecoder):
    """SAM's decoder and the layers that HQ-SAM trains. `early_width` is the width of the encoder's early tokens."""

    def __init__(self, *, transformer: TwoWayTransformer, early_width: int, width: int = 256) -> None:
        super().__init__(transformer=transformer, width=width)
        eighth, quarter = width // 8, width // 4
        self.hf_token = nn.Embedding(1, width)
        self.hf_mlp = MLP(width, width, eighth, 3)
        self.compress_vit_feat = _upscaling(early_width, width, eighth)
        self.embedding_encoder = _upscaling(width, quarter, eighth)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(eighth, quarter, 3, padding=1),
            LayerNorm2d(quarter),
            nn.GELU(),
            nn.Conv2d(quarter, eighth, 3, padding=1),
        )

    def output_tokens(self) -> Float[Tensor, "M3 D"]:
        """SAM's output tokens, then the high-quality one."""
        return torch.cat([super().output_tokens(), self.hf_token.weight])

    def fuse(
        self, image_embedding: Float[Tensor, "B D h w"], early: Float[Tensor, "B h w E"]
    ) -> Float[Tensor, "B C h4 w4"]:
        """Fuse the image embedding with early tokens of the encoder, at four times the resolution."""
        late = _upscale(image_embedding.flatten(2).transpose(1, 2), self.embedding_encoder)
        fused = late + _upscale(early.flatten(1, 2), self.compress_vit_feat)  # B L16 C
        B, _, C = fused.shape
        return to_picture(fused.transpose(1, 2).reshape(B * C, -1)).unflatten(0, (B, C))

    def draw_hq(
        self,
        decoding: Decoding,
        fused: Float[Tensor, "_P C h4 w4"],
        prompt_index: Int[Tensor, " Q"],
        mask_index: Int[Tensor, " Q"],
        *,
        token_only: bool,
    ) -> Float[Tensor, "Q h4 w4"]:
        """Draw SAM's candidate plus the high-quality correction of its prompt; with `token_only`, the latter alone."""
        drawn, row = torch.unique(prompt_index, return_inverse=True)
        tokens = decoding.mask_tokens[drawn]
        hyper = self.hyper_weights(tokens)
        qualities: list[Tensor] = []
        candidates: list[Tensor] = []
        for piece in self.pieces(len(drawn), decoding.cells):
            pixels = self.upscale(decoding.cells[drawn[piece]])  # p L16 C
            late = fused if len(fused) == 1 else fused[drawn[piece]]
            qualities.append(self._quality(tokens[piece, -1], pixels, late))
            if not token_only:
                candidates.append(torch.bmm(hyper[piece], pixels.transpose(1, 2)))  # p M1 L16
        quality = torch.cat(qualities)[row]
        return quality if token_only else to_picture(torch.cat(candidates)[row, mask_index]) + quality

    def draw_all_hq(
        self, decoding: Decoding, fused: Float[Tensor, "N C h4 w4"], *, token_only: bool
    ) -> Float[Tensor, "N M1 h4 w4"]:
        """Draw every candidate of every prompt, with the correction, in products whose number does not depend on N.

        The last convolution gives one channel with a kernel of each prompt's own: nine products, shifted and added.
        """
        first, norm, last = (self.embedding_maskfeature[i] for i in (0, 1, 3))
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        pixels = self.upscale(decoding.cells)  # N L16 C
        N, _, C = pixels.shape
        h, w = fused.shape[-2:]
        vectors = self.hf_mlp(decoding.mask_tokens[:, -1])  # N C
        x = to_picture(pixels.transpose(1, 2).flatten(0, 1)).view(N, C, h, w)
        x = F.gelu(norm(first(x))).flatten(2)  # N E hw
        kernels = torch.einsum("pc,cijk->pjki", vectors, last.weight).flatten(1, 2)  # N 9 E
        shifted = F.pad((kernels @ x).unflatten(2, (h, w)), (1, 1, 1, 1))
        quality = sum(shifted[:, 3 * j + k, j : j + h, k : k + w] for j in range(3) for k in range(3))
        quality = quality + (vectors[:, None] @ fused.flatten(2))[:, 0].unflatten(1, (h, w))
        quality = (quality + (vectors @ last.bias)[:, None, None])[:, None]
        if token_only:
            return quality.expand(-1, self.num_mask_tokens, -1, -1)
        logits = torch.bmm(self.hyper_weights(decoding.mask_tokens), pixels.transpose(1, 2))
        return to_picture(logits.flatten(0, 1)).view(N, -1, h, w) + quality

    def _quality(
        self, tokens: Float[Tensor, "P D"], pixels: Float[Tensor, "P L16 C"], fused: Float[Tensor, "_P C h4 w4"]
    ) -> Float[Tensor, "P h4 w4"]:
        """Draw the high-quality token's mask for each prompt."""
        first, norm, last = (self.embedding_maskfeature[i] for i in (0, 1, 3))
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        vectors = self.hf_mlp(tokens)  # P C
        kernels = torch.einsum("pc,cijk->pijk", vectors, last.weight)
        if len(fused) == 1:
            late = torch.einsum("pc,chw->phw", vectors, fused[0])
        else:
            late = torch.einsum("pc,pchw->phw", vectors, fused)
        late = late + (vectors @ last.bias)[:, None, None]
        masks = []
        for one, kernel in zip(pixels, kernels, strict=True):
            x = F.gelu(norm(first(_as_map(one))))
            masks.append(F.conv2d(x, kernel[None], padding=1)[0, 0])
        return torch.stack(masks) + late


def _upscaling(in_width: int, hidden: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(in_width, hidden, 2, stride=2),
        LayerNorm2d(hidden),
        nn.GELU(),
        nn.ConvTranspose2d(hidden, out_width, 2, stride=2),
    )


def _upscale(cells: Float[Tensor, "B L D"], layers: nn.Sequential) -> Float[Tensor, "B L16 C"]:
    """Apply `_upscaling` to cells; pixels are in cell order (see `to_picture`)."""
    first, norm, second = (layers[i] for i in (0, 1, 3))
    assert isinstance(first, nn.ConvTranspose2d)
    assert isinstance(second, nn.ConvTranspose2d)
    assert isinstance(norm, LayerNorm2d)
    x = transposed_conv(cells, first)
    x = F.gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
    return transposed_conv(x, second)


def _as_map(pixels: Float[Tensor, "L16 C"]) -> Float[Tensor, "1 C h4 w4"]:
    """Put one prompt's pixels into picture order, channels last in memory."""
    num_pixels, C = pixels.shape
    grid = round((num_pixels // 16) ** 0.5)
    x = pixels.view(grid, grid, 2, 2, 2, 2, C).permute(0, 2, 4, 1, 3, 5, 6)  # h y1 y2 w x1 x2 C
    return x.reshape(1, grid * 4, grid * 4, C).permute(0, 3, 1, 2)


__all__ = ["HqMaskDecoder"]
