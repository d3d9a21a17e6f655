"""`SamModel`: an image encoder, a prompt encoder and a mask decoder, composed. Every SAM-shaped family is one."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.core.errors import ModelError, UnsupportedPrompt
from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.draft import Draft
from maskwright.models.sam.graphs import play
from maskwright.models.sam.halves import half_of
from maskwright.models.sam.mask_decoder import PIECE_BYTES, Decoding, MaskDecoder, Skips
from maskwright.models.sam.prompt_encoder import PADDING, PromptEncoder
from maskwright.nn.arriving import Arriving

# A GPU wants many prompts a step, and pays for each step with a wait. On CPU the cells of a step stay within
# `PIECE_BYTES`: four prompts for SAM.
_PROMPTS_PER_GPU_STEP = 128


def prompts_per_step(cells: Float[Tensor, "_N L D"]) -> int:
    """How many prompts go through the decoder at a time, each with cells as large as these."""
    if cells.device.type != "cpu":
        return _PROMPTS_PER_GPU_STEP
    return max(1, PIECE_BYTES // (cells[0].numel() * cells.element_size()))


class ImageEncoder(Protocol):
    """What a model needs of an encoder: the image embedding, and a map that some decoders want."""

    img_size: int

    def __call__(self, pixels: Float[Tensor, "B 3 S S"]) -> tuple[Float[Tensor, "B C h w"], Tensor]: ...


class SamModel(nn.Module):
    """A promptable segmentation network of SAM's shape. Implements `Model`."""

    mask_threshold: float = 0.0
    # The checkpoint whose image encoder this is, where it is another's: embeddings of that one serve here too.
    encoder_sha256: str = ""
    loaded: tuple[int, int] | None = None  # tensors, and their changes, when they came from their file (`unsaved.py`)

    def __init__(
        self,
        *,
        card: ModelCard,
        frame: FrameSpec,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
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

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into vocabulary indices; SAM's published weights take none."""
        raise UnsupportedPrompt(
            f"{self.card.name} takes points, boxes and masks, not text; got {phrase!r}. "
            "Use a model whose card says that it takes text (maskwright models list)."
        )

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames."""
        embedding, _ = self.image_encoder(pixels.to(self.precision))
        return Features(image_embedding=embedding.float())

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts on one image, or each on its own: candidates 1..3 with `multimask`, else candidate 0.

        Few prompts on a GPU are a graph that is played again (`graphs`).
        """
        played = play(self, self._decode, features, prompts, multimask=multimask)
        return self._decode(features, prompts, multimask) if played is None else played

    def _decode(self, features: Features, prompts: FramePrompts, multimask: bool) -> Decoded:
        candidates = slice(1, None) if multimask else slice(0, 1)
        logits: list[Tensor] = []
        scores: list[Tensor] = []
        for seen, _, decoding in self._decodings(features, prompts):
            logits.append(self._draw_each(seen, decoding, candidates))
            scores.append(decoding.predicted_iou[:, candidates])
        return Decoded(logits=torch.cat(logits), predicted_iou=torch.cat(scores))

    def decode_training(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> Decoded:
        """Decode N prompts on several images, prompt i on image `image_index[i]`: all candidates, 0 first.

        Whole batches at once, with what backpropagation needs.
        """
        draft = self.draft(features, image_index, prompts)
        return Decoded(logits=draft.draw_all(), predicted_iou=draft.predicted_iou)

    def draft(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> Draft:
        """Do of `decode_training` what comes before drawing."""
        return Draft(
            decoder=self.mask_decoder,
            decoding=self._decoding(self.prompt_encoder, self.mask_decoder, features, image_index, prompts),
            image_index=image_index,
        )

    def _decoding(
        self,
        encoder: PromptEncoder,
        decoder: MaskDecoder,
        features: Features,
        image_index: Int[Tensor, " N"],
        prompts: FramePrompts,
    ) -> Decoding:
        cells = features.image_embedding.flatten(2).transpose(1, 2)[image_index]
        sparse = encoder.tokens(prompts.points, prompts.labels)
        return decoder.run(cells + encoder.dense(prompts.mask_logits), encoder.positions(), sparse)

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode candidates 1..3 of each prompt and draw only those whose predicted IoU `keep` accepts."""
        found: list[tuple[Tensor, ...]] = []
        start = 0
        for seen, step, decoding in self._decodings(features, prompts):
            scores = decoding.predicted_iou[:, 1:]
            rows, candidates = keep(scores).nonzero(as_tuple=True)
            if len(rows):
                logits, agreement = self.mask_decoder.draw_compared(decoding, rows, candidates + 1, _skips(seen))
                found.append((logits, scores[rows, candidates], rows + start, candidates, agreement))
            start += step.num_prompts
        if not found:
            side, empty = self.frame.logits_side, torch.zeros(0, dtype=torch.long, device=self.device)
            none = torch.zeros(0, side, side, device=self.device)
            return DecodedSome(
                logits=none,
                predicted_iou=none[:, 0, 0],
                prompt_index=empty,
                mask_index=empty,
                agreement=none[:, 0, 0],
            )
        logits, predicted_iou, prompt_index, mask_index, agreement = (torch.cat(x) for x in zip(*found, strict=True))
        return DecodedSome(
            logits=logits,
            predicted_iou=predicted_iou,
            prompt_index=prompt_index,
            mask_index=mask_index,
            agreement=agreement,
        )

    def decode_in_steps(
        self, features: Features, prompts: FramePrompts, *, keep: KeepMasks, per_step: int
    ) -> Iterator[DecodedSome]:
        """Do `decode_some` a step at a time, so that a GPU always has work: while `keep` looks at the scores of one
        step, on the CPU, the next one runs. `prompt_index` counts through all prompts.

        A model whose encoder computes in half precision decodes in it too here, on a GPU.

        Raises:
            ModelError: numbers became too large for half precision.
        """
        decoder, start = self._decoder_of_many(), 0
        for (seen, step, decoding), arriving in _one_ahead(self._decodings(features, prompts, per_step, decoder)):
            scores = arriving.get().float()
            if not scores.isfinite().all():
                raise ModelError(f"{self.card.name} cannot decode in {decoder.dtype}. Load it with precision fp32.")
            rows, candidates = keep(scores).nonzero(as_tuple=True)
            if len(rows):
                skips = _skips(seen.to(decoder.dtype))
                logits, agreement = decoder.draw_compared(decoding, rows, candidates + 1, skips)
                yield DecodedSome(
                    logits=logits.float(),
                    predicted_iou=scores[rows, candidates],
                    prompt_index=rows + start,
                    mask_index=candidates,
                    agreement=agreement,
                )
            start += step.num_prompts

    def _decoder_of_many(self) -> MaskDecoder:
        is_half = self.device.type == "cuda" and self.precision != torch.float32
        return half_of(self.mask_decoder) if is_half else self.mask_decoder

    def _decodings(
        self,
        features: Features,
        prompts: FramePrompts,
        per_step: int | None = None,
        decoder: MaskDecoder | None = None,
    ) -> Iterator[tuple[Features, FramePrompts, Decoding]]:
        """Run the decoder's transformer over a few prompts at a time; gives the features of their images with them."""
        decoder = decoder or self.mask_decoder
        positions = self.prompt_encoder.positions().to(decoder.dtype)
        cells = features.image_embedding.flatten(2).transpose(1, 2).to(decoder.dtype).contiguous()
        most = prompts_per_step(cells)
        per_step = most if per_step is None else min(per_step, most) if cells.device.type == "cpu" else per_step
        for i in range(0, prompts.num_prompts, per_step):
            step = prompts[i : i + per_step]
            sparse = self.prompt_encoder.tokens(step.points, step.labels).to(decoder.dtype)
            dense = self.prompt_encoder.dense(step.mask_logits).to(decoder.dtype)
            seen = slice(i, i + per_step) if len(cells) > 1 else slice(None)
            decoding = decoder.run(cells[seen] + dense, positions, sparse)
            yield features.of_prompts(seen), step, decoding

    def _draw_each(self, features: Features, decoding: Decoding, candidates: slice) -> Float[Tensor, "N _M h w"]:
        return self.mask_decoder.draw_each(decoding, candidates, _skips(features))


def _one_ahead(
    decodings: Iterable[tuple[Features, FramePrompts, Decoding]],
) -> Iterator[tuple[tuple[Features, FramePrompts, Decoding], Arriving]]:
    """Give each decoding with the scores of its candidates 1 and up, when the one after it has been begun."""
    before = None
    for one in decodings:
        begun = (one, Arriving(one[2].predicted_iou[:, 1:]))
        if before is not None:
            yield before
        before = begun
    if before is not None:
        yield before


def _skips(features: Features) -> Skips | None:
    return (features.extra[0], features.extra[1]) if features.extra else None


__all__ = ["PADDING", "ImageEncoder", "SamModel", "prompts_per_step"]
