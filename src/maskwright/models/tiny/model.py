"""`TinySam`: the embedded model. SAM's decoder, with the encoder's finer maps added while masks are drawn, and text.

Features carry those maps in cell order, so that a click pays nothing for arranging them. Beside them lies the trunk's
map of stride 16, for the text path: the embedding was trained to tell things apart, and knows less of what they are.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder, to_cells
from maskwright.models.sam.model import SamModel, prompts_per_step
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.box import keep_promises
from maskwright.models.tiny.text import ReadPhrases, TextPath
from maskwright.models.tiny.vocabulary import phrase_words

# Added to the logits of candidate 0, the answer to boxes and to several clicks. The threshold that is best for Dice is
# half of the Dice reached, not probability one half: at about 0.77 that is a logit of -0.5.
_LEAN = 0.5


class TinySam(SamModel):
    """A promptable segmentation network of SAM's shape, small enough to travel in the package.

    `text_path` is None where the weights were trained without text.
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
    ) -> None:
        super().__init__(
            card=card,
            frame=frame,
            image_encoder=image_encoder,
            prompt_encoder=prompt_encoder,
            mask_decoder=mask_decoder,
        )
        self.text_path = text_path

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into vocabulary indices, as `FramePrompts.text` holds them."""
        return super().text_indices(phrase) if self.text_path is None else phrase_words(phrase)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames; `extra` is the finer maps of strides 8 and 4, and the trunk's."""
        embedding, (skip8, skip4), trunk16 = self.image_encoder(pixels.to(self.precision))
        extra = (*to_cells(skip8.float(), skip4.float()), trunk16.flatten(2).transpose(1, 2).float())
        return Features(image_embedding=embedding.float(), extra=extra)

    def decode_training(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> Decoded:
        """Decode N prompts on several images, prompt i on image `image_index[i]`; all four candidates, 0 first."""
        cells = features.image_embedding.flatten(2).transpose(1, 2)[image_index]
        skip8, skip4 = (skip[image_index] for skip in features.extra[:2])
        if prompts.text is None:
            sparse = self.prompt_encoder.tokens(prompts.points, prompts.labels)
            cells = cells + self.prompt_encoder.dense(prompts.mask_logits)
            decoding = self.mask_decoder.run(cells, self.prompt_encoder.positions(), sparse)
            logits = self.mask_decoder.draw_all(decoding, (skip8, skip4))
        else:
            phrases = self.read_phrases(features, image_index, prompts.text)
            decoding = self.decode_phrases(cells, prompts, phrases)
            # Text is trained with the lean, since its answers are judged as they are used.
            logits = self.mask_decoder.draw_all(decoding, (skip8, skip4))
            logits = logits + _LEAN * (torch.arange(logits.shape[1], device=self.device) == 0)[:, None, None]
        return Decoded(logits=logits, predicted_iou=decoding.predicted_iou)

    def read_phrases(self, features: Features, image_index: Int[Tensor, " N"], text: Int[Tensor, "N k"]) -> ReadPhrases:
        """Read phrase i on the picture `image_index[i]` of a batch."""
        assert self.text_path is not None, "check card.takes_text before asking by text"
        return self.text_path(self.text_path.reader(features)[image_index], text)

    def decode_phrases(self, cells: Float[Tensor, "N L D"], prompts: FramePrompts, phrases: ReadPhrases) -> Decoding:
        """Run the decoder for prompts with text: its frozen part is SAM's, its own are tokens, map and judgement."""
        assert self.text_path is not None
        mask_logits = phrases.map_logits if prompts.mask_logits is None else prompts.mask_logits
        cells = cells + self.prompt_encoder.dense(mask_logits) + phrases.dense
        sparse = self.prompt_encoder.tokens(prompts.points, prompts.labels)
        output = self.mask_decoder.output_tokens() + self.text_path.outputs.weight
        tokens = torch.cat([output.expand(len(sparse), -1, -1), sparse, phrases.tokens], 1)
        hidden, cells = self.mask_decoder.transformer(tokens, cells, self.prompt_encoder.positions())
        predicted_iou = self.text_path.iou_head(hidden[:, 0])
        return Decoding(mask_tokens=hidden[:, 1 : len(output)], cells=cells, predicted_iou=predicted_iou)

    def _decodings(self, features: Features, prompts: FramePrompts) -> Iterator[tuple[FramePrompts, Decoding]]:
        if prompts.text is None:
            yield from super()._decodings(features, prompts)
            return
        assert self.text_path is not None
        picture = self.text_path.reader(features)
        cells = features.image_embedding.flatten(2).transpose(1, 2)
        per_step = prompts_per_step(cells)
        for i in range(0, prompts.num_prompts, per_step):
            step = prompts[i : i + per_step]
            assert step.text is not None
            same = torch.zeros(step.num_prompts, dtype=torch.long, device=self.device)
            yield step, self.decode_phrases(cells, step, self.text_path(picture[same], step.text))

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts on one image as `SamModel` does, and keep what boxes promise."""
        return keep_promises(super().decode(features, prompts, multimask=multimask), prompts, self.frame.side)

    def _draw(self, features: Features, decoding: Decoding, rows: Tensor, candidates: Tensor) -> Tensor:
        logits = super()._draw(features, decoding, rows, candidates)
        return logits + _LEAN * (candidates == 0).to(logits)[:, None, None]


__all__ = ["TinySam"]
