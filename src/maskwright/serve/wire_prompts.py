"""Prompts as REST takes them: core's JSON, checked by pydantic on the way in, and made values in one place.

Named as core's values are, since that is what OpenAPI and the types made from it show.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from maskwright import core
from maskwright.core import SizeHW
from maskwright.core.errors import PromptError
from maskwright.masks import from_coco


def kind_is_written(schema: dict[str, Any]) -> None:
    """Say in a schema that the kind stands in every value: reading may do without, what is read by others has it."""
    schema["required"] = list(dict.fromkeys(["kind", *schema.get("required", ())]))


_CONFIG = ConfigDict(extra="forbid", frozen=True, json_schema_extra=kind_is_written)
_MOST_POINTS = 1000
_Point = tuple[FiniteFloat, FiniteFloat]


class RLE(BaseModel):
    """A binary mask: COCO's compressed counts, and its size (height, width) in pixels."""

    model_config = _CONFIG
    kind: Literal["RLE"] = "RLE"
    size_hw: tuple[Annotated[int, Field(ge=1, le=65_535)], Annotated[int, Field(ge=1, le=65_535)]]
    counts: Annotated[str, StringConstraints(pattern=r"^[0-o]+$")]


class PointPrompt(BaseModel):
    """Clicks on one object, x, y in pixels: labels are 1 (on the object) or 0 (not on it), all 1 when left out."""

    model_config = _CONFIG
    kind: Literal["PointPrompt"]
    points_xy: Annotated[list[_Point], Field(min_length=1, max_length=_MOST_POINTS)]
    labels: Annotated[list[Literal[0, 1]], Field(max_length=_MOST_POINTS)] | None = None


class BoxPrompt(BaseModel):
    """A box around one object: x1, y1, x2, y2 in pixels, with x1 < x2 and y1 < y2."""

    model_config = _CONFIG
    kind: Literal["BoxPrompt"]
    box_xyxy: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class MaskPrompt(BaseModel):
    """A rough mask of the object, of the image's size; with clicks beside it, an earlier answer to correct."""

    model_config = _CONFIG
    kind: Literal["MaskPrompt"]
    rle: RLE


class TextPrompt(BaseModel):
    """Words that name the object. Only some models take text."""

    model_config = _CONFIG
    kind: Literal["TextPrompt"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


SinglePrompt = Annotated[PointPrompt | BoxPrompt | MaskPrompt | TextPrompt, Field(discriminator="kind")]


class CombinedPrompt(BaseModel):
    """Several prompts that speak of the same object: at most one box, one mask and one text, any number of points."""

    model_config = _CONFIG
    kind: Literal["CombinedPrompt"]
    parts: Annotated[list[SinglePrompt], Field(min_length=1, max_length=_MOST_POINTS)]


PromptModel = Annotated[PointPrompt | BoxPrompt | MaskPrompt | TextPrompt | CombinedPrompt, Field(discriminator="kind")]

_MODELS: dict[type[Any], type[BaseModel]] = {
    core.RLE: RLE,
    core.PointPrompt: PointPrompt,
    core.BoxPrompt: BoxPrompt,
    core.MaskPrompt: MaskPrompt,
    core.TextPrompt: TextPrompt,
    core.CombinedPrompt: CombinedPrompt,
}


def prompt_model_of(kind: type[Any]) -> type[BaseModel] | None:
    """Find the model of one of core's prompts."""
    return _MODELS.get(kind)


def read_prompt(model: PromptModel, size_hw: SizeHW) -> core.Prompt:
    """Turn what came in into a prompt on an image of a size.

    Raises:
        PromptError: it says nothing that a prompt can say, or a mask has another size than the image.
        MaskError: a mask is not well formed.
    """
    if isinstance(model, CombinedPrompt):
        return core.CombinedPrompt([_read_single(part, size_hw) for part in model.parts])
    return _read_single(model, size_hw)


def _read_single(model: PointPrompt | BoxPrompt | MaskPrompt | TextPrompt, size_hw: SizeHW) -> core.SinglePrompt:
    match model:
        case PointPrompt():
            return core.PointPrompt(model.points_xy, model.labels)
        case BoxPrompt():
            return core.BoxPrompt(model.box_xyxy)
        case TextPrompt():
            return core.TextPrompt(model.text)
        case MaskPrompt():
            return core.MaskPrompt(_read_mask(model.rle, size_hw))


def _read_mask(model: RLE, size_hw: SizeHW) -> core.RLE:
    """Check the size first: counts of a few bytes can speak of more pixels than there is memory."""
    if tuple(model.size_hw) != size_hw:
        raise PromptError(
            f"a mask prompt must have the image's size {size_hw[0]}x{size_hw[1]} (height, width), "
            f"got {model.size_hw[0]}x{model.size_hw[1]}"
        )
    return from_coco({"size": model.size_hw, "counts": model.counts})


__all__ = [
    "RLE",
    "BoxPrompt",
    "CombinedPrompt",
    "MaskPrompt",
    "PointPrompt",
    "PromptModel",
    "SinglePrompt",
    "TextPrompt",
    "kind_is_written",
    "prompt_model_of",
    "read_prompt",
]
