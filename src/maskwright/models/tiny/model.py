"""`TinySam`: the embedded model. Implements `Model`, and `forward_training` for the trainer.

Features carry the skips in cell order, so that a click pays nothing for arranging them.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.mask_decoder import Decoding
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.models.tiny.mask_decoder import TinyMaskDecoder, skip_cells

_PROMPTS_PER_STEP = 16


class TinySam(nn.Module):
    """A promptable segmentation network of SAM's shape, small enough to travel in the package."""

    mask_threshold: float = 0.0

    def __init__(
        self,
        *,
        card: ModelCard,
        frame: FrameSpec,
        image_encoder: TinyImageEncoder,
        prompt_encoder: PromptEncoder,
        mask_decoder: TinyMaskDecoder,
        checkpoint_sha256: str = "",
    ) -> None:
        super().__init__()
        self.card = card
        self.frame = frame
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.checkpoint_sha256 = checkpoint_sha256

    @property
    def num_candidates(self) -> int:
        """How many masks an ambiguous prompt is answered with."""
        return self.mask_decoder.num_mask_tokens - 1

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.prompt_encoder.no_mask_embed.weight.device

    @property
    def precision(self) -> torch.dtype:
        """The dtype that the image encoder computes in. The decoder stays in float32: positions need its digits."""
        return next(self.image_encoder.parameters()).dtype

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames."""
        embedding, (skip8, skip4) = self.image_encoder(pixels.to(self.precision))
        return Features(image_embedding=embedding.float(), extra=skip_cells(skip8.float(), skip4.float()))

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts on one image: candidates 1..3 with `multimask`, else candidate 0."""
        num = self.mask_decoder.num_mask_tokens
        wanted = (
            torch.arange(1, num, device=self.device)
            if multimask
            else torch.zeros(1, dtype=torch.long, device=self.device)
        )
        logits: list[Tensor] = []
        scores: list[Tensor] = []
        for step, decoding in self._decodings(features, prompts):
            N, M = step.num_prompts, len(wanted)
            rows = torch.arange(N, device=self.device).repeat_interleave(M)
            drawn = self.mask_decoder.draw(decoding, _skips(features), rows, wanted.repeat(N))
            logits.append(drawn.unflatten(0, (N, M)))
            scores.append(decoding.predicted_iou[:, wanted])
        return Decoded(logits=torch.cat(logits), predicted_iou=torch.cat(scores))

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode candidates 1..3 of each prompt and draw only those whose predicted IoU `keep` accepts."""
        side, device = self.frame.logits_side, self.device
        empty = torch.zeros(0, dtype=torch.long, device=device)
        none = torch.zeros(0, side, side, device=device)
        found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = [(none, none[:, 0, 0], empty, empty)]
        start = 0
        for step, decoding in self._decodings(features, prompts):
            scores = decoding.predicted_iou[:, 1:]
            rows, candidates = keep(scores).nonzero(as_tuple=True)
            if len(rows):
                logits = self.mask_decoder.draw(decoding, _skips(features), rows, candidates + 1)
                found.append((logits, scores[rows, candidates], rows + start, candidates))
            start += step.num_prompts
        logits, predicted_iou, prompt_index, mask_index = (torch.cat(x) for x in zip(*found, strict=True))
        return DecodedSome(logits=logits, predicted_iou=predicted_iou, prompt_index=prompt_index, mask_index=mask_index)

    def decode_training(self, features: Features, image_index: Tensor, prompts: FramePrompts) -> Decoded:
        """Decode N prompts on several images, prompt i on image `image_index[i]`; all four candidates, 0 first."""
        sparse = self.prompt_encoder.tokens(prompts.points, prompts.labels)
        dense = self.prompt_encoder.dense(prompts.mask_logits)
        cells = features.image_embedding.flatten(2).transpose(1, 2)[image_index] + dense
        decoding = self.mask_decoder.run(cells, self.prompt_encoder.positions(), sparse)
        skip8, skip4 = _skips(features)
        logits = self.mask_decoder.draw_all(decoding, (skip8[image_index], skip4[image_index]))
        return Decoded(logits=logits, predicted_iou=decoding.predicted_iou)

    def _decodings(self, features: Features, prompts: FramePrompts) -> Iterator[tuple[FramePrompts, Decoding]]:
        """Run the decoder's transformer over a few prompts at a time."""
        positions = self.prompt_encoder.positions()
        cells = features.image_embedding.flatten(2).transpose(1, 2)
        for i in range(0, prompts.num_prompts, _PROMPTS_PER_STEP):
            step = prompts[i : i + _PROMPTS_PER_STEP]
            sparse = self.prompt_encoder.tokens(step.points, step.labels)
            dense = self.prompt_encoder.dense(step.mask_logits)
            yield step, self.mask_decoder.run(cells + dense, positions, sparse)


def _skips(features: Features) -> tuple[Tensor, Tensor]:
    skip8, skip4 = features.extra
    return skip8, skip4


__all__ = ["TinySam"]
