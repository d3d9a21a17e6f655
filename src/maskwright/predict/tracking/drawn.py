"""Keyframes: the masks that prompts stand for."""

from dataclasses import dataclass, field

from maskwright.core import RLE, Image, MaskPrompt, Prompt, Scores, prompt_parts
from maskwright.core.errors import PromptError
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.looks import look
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A keyframe's mask as the model or a person drew it. `prompt` None: it was found without being asked for."""

    rle: RLE
    prompt: Prompt | None
    scores: Scores = field(default_factory=Scores)


def draw(model: Model, image: Image, embedding: ImageEmbedding, track: str, prompt: Prompt) -> Drawn:
    """Draw the mask of a prompt; a mask prompt alone is drawn already, and may be empty.

    Raises:
        PromptError: a mask has another size than the frame, or the model finds nothing.
        PromptOutsideImage, UnsupportedPrompt: as `predict` does.
    """
    parts = prompt_parts(prompt)
    if len(parts) == 1 and isinstance(parts[0], MaskPrompt):
        rle = parts[0].rle
        if rle.size_hw != image.size_hw:
            raise PromptError(
                f"the mask of track {track!r} must have the frame's size {image.size_hw} (h, w), got {rle.size_hw}"
            )
        return Drawn(rle=rle, prompt=prompt)
    if model.card.looks_closer:
        record = look(model, image, prompt, embedding=embedding).record()
    else:
        (record,) = to_records(predict(model, embedding, [prompt]))
    if not record.area:
        raise PromptError(f"the model finds nothing at the prompt of track {track!r}. Move it, or draw a box.")
    return Drawn(rle=record.rle, prompt=prompt, scores=record.scores)


__all__ = ["Drawn", "draw"]
