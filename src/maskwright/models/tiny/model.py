"""`TinySam`: the embedded model. SAM's decoder, with the encoder's finer maps added while masks are drawn.

Features carry those maps in cell order, so that a click pays nothing for arranging them.
"""

from jaxtyping import Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam.mask_decoder import Decoding, to_cells
from maskwright.models.sam.model import SamModel

# Added to the logits of candidate 0, the answer to boxes and to several clicks. The threshold that is best for Dice is
# half of the Dice reached, not probability one half: at about 0.77 that is a logit of -0.5.
_LEAN = 0.5


class TinySam(SamModel):
    """A promptable segmentation network of SAM's shape, small enough to travel in the package."""

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames; `extra` is the finer maps of strides 8 and 4."""
        embedding, (skip8, skip4) = self.image_encoder(pixels.to(self.precision))
        return Features(image_embedding=embedding.float(), extra=to_cells(skip8.float(), skip4.float()))

    def decode_training(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> Decoded:
        """Decode N prompts on several images, prompt i on image `image_index[i]`; all four candidates, 0 first."""
        sparse = self.prompt_encoder.tokens(prompts.points, prompts.labels)
        dense = self.prompt_encoder.dense(prompts.mask_logits)
        cells = features.image_embedding.flatten(2).transpose(1, 2)[image_index] + dense
        decoding = self.mask_decoder.run(cells, self.prompt_encoder.positions(), sparse)
        skip8, skip4 = features.extra
        logits = self.mask_decoder.draw_all(decoding, (skip8[image_index], skip4[image_index]))
        return Decoded(logits=logits, predicted_iou=decoding.predicted_iou)

    def _draw(self, features: Features, decoding: Decoding, rows: Tensor, candidates: Tensor) -> Tensor:
        logits = super()._draw(features, decoding, rows, candidates)
        return logits + _LEAN * (candidates == 0).to(logits)[:, None, None]


__all__ = ["TinySam"]
