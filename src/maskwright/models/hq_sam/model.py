"""`HqSamModel`: SAM's encoders with HQ-SAM's decoder.

Every prompt gives one mask, as in the reference: SAM's candidate 0, or with `multimask` the candidate of highest
predicted IoU, plus the high-quality correction. `hq_token_only` drops SAM's part; it is an attribute because it belongs
to how a model is used for a whole job, not to one prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.draft import Draft, in_cells, take_cells
from maskwright.models.sam.mask_decoder import Decoding
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder


class HqSamModel(SamModel):
    """A promptable segmentation network of HQ-SAM's shape. Implements `Model`; `decode` gives one mask per prompt.

    Extends `SamModel`, whose parts and stepping over prompts it keeps; only what is drawn differs.
    """

    # Narrower than in `SamModel`, which is sound as nobody sets it to another.
    mask_decoder: HqMaskDecoder  # pyrefly: ignore[bad-override-mutable-attribute]

    def __init__(
        self,
        *,
        card: ModelCard,
        frame: FrameSpec,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: HqMaskDecoder,
        checkpoint_sha256: str = "",
        hq_token_only: bool = False,
    ) -> None:
        super().__init__(
            card=card,
            frame=frame,
            image_encoder=image_encoder,
            prompt_encoder=prompt_encoder,
            mask_decoder=mask_decoder,
            checkpoint_sha256=checkpoint_sha256,
        )
        self.hq_token_only = hq_token_only

    @property
    def num_candidates(self) -> int:
        """One: HQ-SAM draws its own mask for the best of SAM's candidates."""
        return 1

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames; `extra` is the fused early and late features."""
        embedding, early = self.image_encoder(pixels.to(self.precision))
        embedding, early = embedding.float(), early.float()
        return Features(image_embedding=embedding, extra=(self.mask_decoder.fuse(embedding, early),))

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts; one mask each, of the best candidate with `multimask`, else of candidate 0."""
        logits: list[Tensor] = []
        scores: list[Tensor] = []
        for seen, step, decoding in self._decodings(features, prompts):
            score, candidate = choose(decoding.predicted_iou, multimask=multimask)
            rows = torch.arange(step.num_prompts, device=self.device)
            logits.append(self._draw(seen, decoding, rows, candidate)[:, None])
            scores.append(score)
        return Decoded(logits=torch.cat(logits), predicted_iou=torch.cat(scores))

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode the best candidate of each prompt and draw only those whose predicted IoU `keep` accepts."""
        side, device = self.frame.logits_side, self.device
        logits = [torch.zeros(0, side, side, device=device)]
        scores = [torch.zeros(0, device=device)]
        kept = [torch.zeros(0, dtype=torch.long, device=device)]
        start = 0
        for seen, step, decoding in self._decodings(features, prompts):
            score, candidate = choose(decoding.predicted_iou, multimask=True)
            rows = keep(score)[:, 0].nonzero()[:, 0]
            if len(rows):
                logits.append(self._draw(seen, decoding, rows, candidate[rows]))
                scores.append(score[rows, 0])
                kept.append(rows + start)
            start += step.num_prompts
        prompt_index = torch.cat(kept)
        return DecodedSome(
            logits=torch.cat(logits),
            predicted_iou=torch.cat(scores),
            prompt_index=prompt_index,
            mask_index=torch.zeros_like(prompt_index),
            agreement=torch.full(prompt_index.shape, torch.nan, device=device),
        )

    def decode_in_steps(
        self, features: Features, prompts: FramePrompts, *, keep: KeepMasks, per_step: int
    ) -> Iterator[DecodedSome]:
        """Do `decode_some` a step at a time (see `SamModel`), each waited for."""
        for start in range(0, prompts.num_prompts, per_step):
            some = self.decode_some(features, prompts[start : start + per_step], keep=keep)
            yield replace(some, prompt_index=some.prompt_index + start)

    def draft(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> "HqDraft":
        """Do of `decode_training` what comes before drawing."""
        return HqDraft(
            decoder=self.mask_decoder,
            decoding=self._decoding(self.prompt_encoder, self.mask_decoder, features, image_index, prompts),
            image_index=image_index,
            fused=features.extra[0],
            token_only=self.hq_token_only,
        )

    def _draw(self, features: Features, decoding: Decoding, rows: Tensor, candidates: Tensor) -> Tensor:
        (fused,) = features.extra
        return self.mask_decoder.draw_hq(decoding, fused, rows, candidates, token_only=self.hq_token_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class HqDraft(Draft):
    """Draws as a user would see it, with the high-quality correction, which sees beyond single cells."""

    decoder: HqMaskDecoder
    fused: Float[Tensor, "B C h w"]
    token_only: bool

    def draw_all(self) -> Float[Tensor, "N M1 h w"]:
        """Draw every candidate of every prompt."""
        N, M = self.predicted_iou.shape
        rows = torch.arange(N, device=self.image_index.device).repeat_interleave(M)
        candidates = torch.arange(M, device=self.image_index.device).repeat(N)
        return self._drawn(rows, candidates).unflatten(0, (N, M))

    def draw_one(self, candidates: Int[Tensor, " N"]) -> Float[Tensor, "N h w"]:
        """Draw one candidate of each prompt."""
        return self._drawn(torch.arange(len(candidates), device=candidates.device), candidates)

    def draw_cells(self, chosen: Int[Tensor, "N K"]) -> Float[Tensor, "N M1 K p"]:
        """Draw every candidate, and take some cells of each prompt."""
        return take_cells(in_cells(self.draw_all()), chosen)

    def _drawn(self, rows: Tensor, candidates: Tensor) -> Float[Tensor, "Q h w"]:
        fused = self.fused[self.image_index]
        return self.decoder.draw_hq(self.decoding, fused, rows, candidates, token_only=self.token_only)


def choose(predicted_iou: Float[Tensor, "N M1"], *, multimask: bool) -> tuple[Float[Tensor, "N 1"], Tensor]:
    """Choose a candidate for each prompt; return its predicted IoU and its number."""
    if not multimask:
        return predicted_iou[:, :1], torch.zeros(len(predicted_iou), dtype=torch.long, device=predicted_iou.device)
    best = predicted_iou[:, 1:].max(dim=1, keepdim=True)
    return best.values, best.indices[:, 0] + 1


__all__ = ["HqDraft", "HqSamModel", "choose"]
