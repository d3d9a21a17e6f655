"""`TinySam`: the embedded model. SAM's decoder, with the encoder's finer maps added while masks are drawn, and text.

Features carry those maps in cell order, so that a click pays nothing for arranging them. Beside them lies the trunk's
map of stride 16, for the text path: the embedding was trained to tell things apart, and knows less of what they are.
"""

import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.core.errors import SettingError
from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.draft import Draft
from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder, to_cells
from maskwright.models.sam.model import SamModel, prompts_per_step
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.text_protocol import Part, WordsFound
from maskwright.models.tiny.answering import answer, answer_placed
from maskwright.models.tiny.belief import believe
from maskwright.models.tiny.box import keep_promises
from maskwright.models.tiny.clicks import keep_clicks, shades_of
from maskwright.models.tiny.corrector import Corrector
from maskwright.models.tiny.nearer import SeenThings, answer_seen, as_seen, each_seen, shown_whole
from maskwright.models.tiny.text import (
    NUM_BOXES,
    NUM_PART_BOXES,
    SHADES,
    Drawn,
    TextPath,
    Things,
    beside_prompts,
    box_prompts,
    boxes_to_draw,
    extent_of,
    of_boxes,
    with_regions,
)
from maskwright.models.tiny.vocabulary import phrase_words
from maskwright.nn.mask_ops import agreement_score

# Added to the logits of candidate 0, the answer to boxes and to several clicks. The threshold that is best for Dice is
# half of the Dice reached, not probability one half: at about 0.88 that is a logit of -0.25.
LEAN = 0.25
CORRECTED_LEAN = 0.25
# The rules about so few answers are some hundred small steps, which a CPU has done before a GPU has been told of them.
_FEW_PROMPTS = 4


class TinySam(SamModel):
    """A promptable segmentation network of SAM's shape, small enough to travel in the package.

    `text_path` and `corrector` are None where the weights were trained without.
    """

    def __init__(
        self,
        *,
        card: ModelCard,
        frame: FrameSpec,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        text_path: TextPath | None = None,
        corrector: Corrector | None = None,
    ) -> None:
        super().__init__(
            card=card,
            frame=frame,
            image_encoder=image_encoder,
            prompt_encoder=prompt_encoder,
            mask_decoder=mask_decoder,
        )
        self.text_path = text_path
        self.corrector = corrector
        # The things of the picture that was asked last by words, with the embedding that they were found in: the next
        # phrase about it costs next to nothing.
        self._last_things: tuple[weakref.ref[Tensor], Things] | None = None
        self._last_parts: tuple[weakref.ref[Tensor], tuple[SeenThings, ...]] | None = None
        self._leaves_out_padding = False
        self._blank: tuple[Tensor, ...] | None = None  # maps of a frame without a picture

    def look_at_side(self, side: int) -> None:
        """Take frames of another side from now on: encoding costs by the pixel. Earlier embeddings do not fit any more.

        Raises:
            SettingError: it is no multiple of 32, the encoder's coarsest stride.
        """
        if side < 32 or side % 32:
            raise SettingError(f"a frame's side must be a multiple of 32, got {side}. Take {max(32, side // 32 * 32)}")
        told = f"{self.encoder_sha256 or self.checkpoint_sha256} at {side}"
        self.encoder_sha256 = hashlib.sha256(told.encode()).hexdigest()  # what caches name embeddings by
        self.frame = replace(self.frame, side=side, logits_side=side // 4)
        self._blank = None
        self.place_prompts(side)

    def leave_out_padding(self) -> None:
        """Encode only the part of frames that a picture covers, from now on; the rest is as of an empty frame.

        Of a 640x480 picture that saves a quarter. Masks are the same but for an IoU of some 0.99 beside the padding,
        so earlier embeddings have another name.
        """
        told = f"{self.encoder_sha256 or self.checkpoint_sha256} without padding"
        self.encoder_sha256 = hashlib.sha256(told.encode()).hexdigest()
        self._leaves_out_padding = True

    def place_prompts(self, side: int) -> None:
        """Let prompts lie in frames of another side: only the prompt encoders know it, as training needs."""
        for encoder in (self.prompt_encoder, *([self.corrector.prompt_encoder] if self.corrector else [])):
            encoder.side, encoder.grid = side, side // 16

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into vocabulary indices, as `FramePrompts.text` holds them."""
        return super().text_indices(phrase) if self.text_path is None else phrase_words(phrase, self.text_path.taught)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames; `extra` is the finer maps of strides 8 and 4, the trunk's, and colours."""
        embedding, skip8, skip4, trunk16 = self._maps(pixels.to(self.precision))
        extra = (
            *to_cells(skip8.float(), skip4.float()),
            trunk16.flatten(2).transpose(1, 2).float(),
            shades_of(pixels.float()),
        )
        return Features(image_embedding=embedding.float(), extra=extra)

    def _maps(self, pixels: Float[Tensor, "B 3 S S"]) -> tuple[Tensor, ...]:
        """The encoder's maps, coarsest last but one; of the padding those of an empty frame, if that is asked for."""
        rows, columns = _covered(pixels) if self._leaves_out_padding else pixels.shape[2:]
        part = _flat(self.image_encoder(pixels[:, :, :rows, :columns]))
        if (rows, columns) == tuple(pixels.shape[2:]):
            return part
        if self._blank is None or self._blank[0].device != pixels.device:
            with torch.no_grad():
                self._blank = _flat(self.image_encoder(torch.zeros_like(pixels[:1])))
        return tuple(_laid_on(blank, seen) for blank, seen in zip(self._blank, part, strict=True))

    def draft(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> Draft:
        """Do of `decode_training` what comes before drawing; corrections go to the decoder that is theirs."""
        assert prompts.text is None, "phrases are answered by the things that are found, which no decoder learns"
        encoder, decoder = self._decoder_for(prompts)
        return Draft(
            decoder=decoder,
            decoding=self._decoding(encoder, decoder, features, image_index, prompts),
            image_index=image_index,
            skips=(features.extra[0], features.extra[1]),
        )

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts as `SamModel` does, keep what boxes promise, and answer phrases by the things of one image."""
        if prompts.text is not None:
            return self._answer_phrases(features, prompts, num_masks=self.num_candidates if multimask else 1)
        plain, shades = self._plain(features, prompts, multimask=multimask), features.extra[SHADES]
        device = plain.logits.device
        if device.type != "cpu" and prompts.num_prompts <= _FEW_PROMPTS:
            plain, prompts, shades = plain.to("cpu"), prompts.to("cpu"), shades.cpu()
        return believe(self._kept(shades, plain, prompts), prompts, self.frame.side).to(device)

    def _drawn(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts without text, keep what boxes and clicks promise, and leave belief to the decoder."""
        return self._kept(features.extra[SHADES], self._plain(features, prompts, multimask=multimask), prompts)

    def _plain(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """What the networks say."""
        if not multimask and self.corrects(prompts):
            return self._correct(features, prompts)
        return super().decode(features, prompts, multimask=multimask)

    def corrects(self, prompts: FramePrompts) -> bool:
        """Whether prompts go to the decoder for corrections: clicks or a box, on top of an earlier answer."""
        return self.corrector is not None and prompts.mask_logits is not None and prompts.points.shape[1] > 0

    def _decoder_for(self, prompts: FramePrompts) -> tuple[PromptEncoder, MaskDecoder]:
        if self.corrector is not None and self.corrects(prompts):
            return self.corrector.prompt_encoder, self.corrector.mask_decoder
        return self.prompt_encoder, self.mask_decoder

    def _correct(self, features: Features, prompts: FramePrompts) -> Decoded:
        """Decode corrections, a few at a time as `SamModel.decode` does."""
        per_step = prompts_per_step(features.image_embedding.flatten(2).transpose(1, 2))
        found = []
        for start in range(0, prompts.num_prompts, per_step):
            step = prompts[start : start + per_step]
            seen = features.of_prompts(slice(start, start + per_step))
            image_index = torch.arange(step.num_prompts, device=step.points.device) % seen.num_images
            found.append(self.decode_training(seen, image_index, step))
        return Decoded(
            logits=torch.cat([one.logits for one in found]) + CORRECTED_LEAN,
            predicted_iou=torch.cat([one.predicted_iou for one in found]),
        )

    def _kept(self, shades: Float[Tensor, "_N h w 3"], decoded: Decoded, prompts: FramePrompts) -> Decoded:
        """Keep what the box and the clicks of each prompt promise."""
        inside = keep_promises(decoded, prompts, self.frame.side)
        return keep_clicks(inside, prompts, shades, self.frame.side)

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode candidates and draw those that `keep` accepts; all are drawn where a box or a phrase asks."""
        if prompts.text is None and not (prompts.labels == 2).any():
            some = super().decode_some(features, prompts, keep=keep)
            return replace(some, logits=self._kept_some(features, some, prompts))
        decoded = self.decode(features, prompts, multimask=True)
        rows, candidates = keep(decoded.predicted_iou).nonzero(as_tuple=True)
        return DecodedSome(
            logits=decoded.logits[rows, candidates],
            predicted_iou=decoded.predicted_iou[rows, candidates],
            prompt_index=rows,
            mask_index=candidates,
            agreement=agreement_score(decoded.logits > self.mask_threshold)[rows],
        )

    def decode_in_steps(
        self, features: Features, prompts: FramePrompts, *, keep: KeepMasks, per_step: int
    ) -> Iterator[DecodedSome]:
        """Do `decode_some` of clicks a step at a time (see `SamModel`)."""
        for some in super().decode_in_steps(features, prompts, keep=keep, per_step=per_step):
            yield replace(some, logits=self._kept_some(features, some, prompts))

    def _kept_some(self, features: Features, some: DecodedSome, prompts: FramePrompts) -> Float[Tensor, "Q h w"]:
        index = some.prompt_index.to(prompts.points.device)
        each = FramePrompts(points=prompts.points[index], labels=prompts.labels[index])
        decoded = Decoded(logits=some.logits[:, None], predicted_iou=some.predicted_iou[:, None])
        return self._kept(features.extra[SHADES], decoded, each).logits[:, 0]

    def draw_things(self, features: Features, *, is_part: bool = False) -> Drawn:
        """Find and draw what may be a thing in one picture, whatever it is called; in a part no regions."""
        assert self.text_path is not None, "text_indices refuses text where there is no path"
        maps = self.text_path.find(features)
        boxes, surety = boxes_to_draw(maps, features, NUM_PART_BOXES if is_part else NUM_BOXES)
        drawn = self._drawn(features, box_prompts(boxes), multimask=False)
        return of_boxes(drawn, surety) if is_part else with_regions(maps, drawn, surety)

    def _things(self, features: Features) -> Things:
        assert self.text_path is not None
        last = self._last_things
        if last is not None and last[0]() is features.image_embedding:
            return last[1]
        things = self.text_path.read(features, self.draw_things(features))
        if not self.training:
            self._last_things = (weakref.ref(features.image_embedding), things)
        return things

    def find_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[WordsFound]:
        """Answer phrases from the things of a picture and of enlarged parts of it, ranked together."""
        assert self.text_path is not None, "text_indices refuses text where there is no path"
        return answer_seen(self._seen(whole, parts), text, self.text_path.belief_near)

    def things_in_parts(
        self, whole: Features, parts: Callable[[], Sequence[Part]], text: Int[Tensor, "N _k"]
    ) -> list[list[WordsFound]]:
        """Give for each phrase all things of a picture and of enlarged parts of it that it may hold of."""
        assert self.text_path is not None, "text_indices refuses text where there is no path"
        return each_seen(self._seen(whole, parts), text, self.text_path.belief_each)

    def _seen(self, whole: Features, parts: Callable[[], Sequence[Part]]) -> tuple[SeenThings, ...]:
        last = self._last_parts
        if last is None or last[0]() is not whole.image_embedding:
            last = weakref.ref(whole.image_embedding), tuple(self.look_at(whole, parts()))
            self._last_parts = last
        return last[1]

    def look_at(self, whole: Features, parts: Sequence[Part]) -> Iterator[SeenThings]:
        """Find and read the things of a picture and then of each part of it."""
        assert self.text_path is not None
        height, width = (float(cells) for cells in extent_of(whole.extra[SHADES][0]))
        stride = self.frame.side / whole.extra[SHADES].shape[1]
        whole_wh = (width * stride, height * stride)
        yield as_seen(self._things(whole), self.frame.side, (0.0, 0.0, *whole_wh), whole_wh)
        for part in parts:
            drawn = self.draw_things(part.features, is_part=True)
            drawn = shown_whole(drawn, self.frame.side, part.place_xyxy, part.extent_wh, whole_wh)
            things = self.text_path.read(part.features, drawn)
            yield as_seen(things, self.frame.side, part.place_xyxy, part.extent_wh)

    def _answer_phrases(self, features: Features, prompts: FramePrompts, *, num_masks: int) -> Decoded:
        assert self.text_path is not None, "text_indices refuses text where there is no path"
        assert prompts.text is not None
        if prompts.points.shape[1] == 0 and prompts.mask_logits is None:
            return answer(self._things(features), prompts.text, self.text_path.belief, num_masks=num_masks)
        drawn = self._all_candidates(features, replace(prompts, text=None))
        each = [self.text_path.read(features, one) for one in beside_prompts(drawn)]
        return answer_placed(drawn, each, prompts.text, num_masks=num_masks)

    def _all_candidates(self, features: Features, prompts: FramePrompts) -> Decoded:
        """What a click or a box may mean, the single answer first."""
        answers = [self._drawn(features, prompts, multimask=several) for several in (False, True)]
        return Decoded(
            logits=torch.cat([one.logits for one in answers], 1),
            predicted_iou=torch.cat([one.predicted_iou for one in answers], 1),
        )

    def _draw_each(self, features: Features, decoding: Decoding, candidates: slice) -> Float[Tensor, "N _M h w"]:
        logits = super()._draw_each(features, decoding, candidates)
        return logits if candidates.start else logits + LEAN


def _flat(maps: tuple[Tensor, tuple[Tensor, Tensor], Tensor]) -> tuple[Tensor, ...]:
    embedding, skips, trunk16 = maps
    return embedding, *skips, trunk16


def _covered(pixels: Float[Tensor, "B 3 S S"]) -> tuple[int, int]:
    """How many rows and columns of frames hold pictures, in whole strides of 32; the padding is zero."""
    there = (pixels != 0).any(1).any(0)  # S S
    return _last(there.any(1)), _last(there.any(0))


def _last(there: Bool[Tensor, " S"]) -> int:
    reached = int(there.nonzero().max()) + 1 if there.any() else 1
    return min(len(there), -(-reached // 32) * 32)


def _laid_on(blank: Float[Tensor, "1 C h w"], seen: Float[Tensor, "B C h2 w2"]) -> Float[Tensor, "B C h w"]:
    whole = blank.repeat(len(seen), 1, 1, 1)
    whole[:, :, : seen.shape[2], : seen.shape[3]] = seen
    return whole


__all__ = ["CORRECTED_LEAN", "LEAN", "SHADES", "TinySam"]
