"""What goes over REST about pictures, masks, models and the server itself, as pydantic models.

Requests are parsed strictly from their bytes by pydantic-core; answers are described here and written by
`wire_masks.py`, without going through pydantic again.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError

from maskwright import core
from maskwright.core.errors import TooLarge
from maskwright.serve.answers import request_error
from maskwright.serve.values import Scope
from maskwright.serve.wire_prompts import PromptModel
from maskwright.serve.wire_values import model_of

M = TypeVar("M", bound=BaseModel)

# A JSON body of prompts is parsed on the event loop: one of a hundred megabytes would hold everybody up.
_MOST_JSON_BYTES = 8 << 20

Digest = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Field(description="The picture's digest, as POST /v1/images and MaskRecord.image_digest give it."),
]
FrameId = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Format = Literal["rle", "png", "polygons"]
_FORMAT = Field(
    description="rle: in the record alone (COCO's compressed counts); png: also as a 1-bit PNG in base64; polygons: "
    "also as outlines with holes."
)
_DEADLINE = Field(ge=1, le=600_000, description="Answer 504 if nobody got to it in so many milliseconds.")


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class OnPicture(_In):
    """A request about one picture: one that was sent before, or a frame of the store. A multipart body brings its own.

    Coordinates are pixels of the picture as it was sent, upright.
    """

    image: Digest | None = None
    frame: Annotated[
        model_of(core.FrameRef) | FrameId | None,  # pyrefly: ignore[invalid-annotation]
        Field(description="A frame of the store, by its place or by the id that GET /v1/frames gives."),
    ] = None
    model: Annotated[str, Field(max_length=200, description="One that is served; the first is the default.")] | None = (
        None
    )
    format: Annotated[Format, _FORMAT] = "rle"
    deadline_ms: Annotated[int, _DEADLINE] | None = None


class SegmentIn(OnPicture):
    """Masks of prompts."""

    prompts: Annotated[list[PromptModel], Field(min_length=1, max_length=10_000, description="One for each object.")]
    num_masks: Annotated[int, Field(ge=1, le=16, description="Candidates for each prompt, best first.")] = 1
    multimask: Annotated[
        bool | None, Field(description="Let the model choose among its candidates; null decides by the prompt.")
    ] = None
    refine_steps: Annotated[int, Field(ge=0, le=10, description="Feed answers back in so often.")] = 0
    closer: Annotated[bool, Field(description="Draw small objects anew from an enlarged crop.")] = False
    labels: Annotated[list[Annotated[str, Field(max_length=1000)] | None], Field(max_length=10_000)] | None = None
    cleanup: Annotated[
        list[model_of(core.ProcessingStep)],  # pyrefly: ignore[invalid-annotation]
        Field(max_length=20, description="Cleanup steps by name, in order."),
    ] = []


class EverythingChanges(_In):
    """Values that take the place of the preset's. They mean what they mean in SAM's automatic mask generator."""

    points_per_side: Annotated[int, Field(ge=1, le=64)] | None = None
    points_per_batch: Annotated[int, Field(ge=1, le=256)] | None = None
    pred_iou_thresh: FiniteFloat | None = None
    stability_score_thresh: FiniteFloat | None = None
    stability_score_offset: FiniteFloat | None = None
    box_nms_thresh: Annotated[float, Field(ge=0, le=1)] | None = None
    crop_n_layers: Annotated[int, Field(ge=0, le=2)] | None = None
    crop_nms_thresh: Annotated[float, Field(ge=0, le=1)] | None = None
    crop_overlap_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    crop_n_points_downscale_factor: Annotated[int, Field(ge=1, le=16)] | None = None
    min_mask_region_area: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None


class EverythingIn(OnPicture):
    """Every mask in a picture or in a box of it, without prompts."""

    preset: Literal["fast", "balanced", "thorough"] = "balanced"
    settings: EverythingChanges = EverythingChanges()
    within: Annotated[
        tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None,
        Field(
            description="x1, y1, x2, y2: the points are laid over this box, and masks of which less than three "
            "quarters lie in it are left out. Crops are not looked at."
        ),
    ] = None


class ImageOut(_Out):
    """A picture that the server has. `is_embedded`: a click on it waits for no encoder."""

    digest: Digest
    size_hw: tuple[int, int]
    is_embedded: bool


class IslandOut(_Out):
    """An outline and the holes in it: x, y on the corners of pixels, the last vertex joined to the first."""

    exterior: list[tuple[int, int]]
    holes: list[list[tuple[int, int]]]


class MaskOut(_Out):
    """A mask: its record as the store keeps it, and its pixels in the other format, where one was asked for."""

    record: model_of(core.MaskRecord)  # pyrefly: ignore[invalid-annotation]
    prompt: Annotated[int | None, Field(description="Which prompt it answers, from 0; null without prompts.")]
    png: Annotated[str | None, Field(description="base64 of a PNG with one bit a pixel.")] = None
    polygons: list[IslandOut] | None = None


class MasksOut(_Out):
    """Masks of a picture: those of the first prompt, best first, then those of the next."""

    image_digest: Digest
    size_hw: tuple[int, int]
    masks: list[MaskOut]


class ModelOut(_Out):
    """A model that is registered. `is_here`: its weights are on the server's machine."""

    name: str
    title: str
    family: str
    input_side: int
    licence: str
    takes_text: bool
    is_here: bool
    is_served: bool


class ModelsOut(_Out):
    """`served` can be asked for, the first by default; `registered` are all that the server's version knows."""

    served: list[str]
    registered: list[ModelOut]


class HealthOut(_Out):
    """How the server is. `state` is "starting", "ready" or "draining"."""

    state: Literal["starting", "ready", "draining"]
    models: list[str]
    devices: list[str]


class VersionOut(_Out):
    """What runs here."""

    name: Literal["maskwright"]
    version: str
    api: Literal["v1"]


class CallerOut(_Out):
    """Who the server takes the caller for. `store` is the id of its store, so that one is not taken for another."""

    name: str
    scope: Scope
    store: str | None


class ErrorDetail(_Out):
    """The code is the name of an error class in snake case; the message is for people."""

    code: str
    message: str
    request_id: str


class ErrorOut(_Out):
    """What every answer looks like that is not a success."""

    error: ErrorDetail


def parse(kind: type[M], content: bytes | str) -> M:
    """Read a request.

    Raises:
        TooLarge: it is longer than a request of JSON may be.
        RequestError: it is not JSON, or a field is missing, unknown or of another type; the message names it.
    """
    if len(content) > _MOST_JSON_BYTES:
        raise TooLarge(f"a request of JSON may have {_MOST_JSON_BYTES:,} bytes, got {len(content):,}")
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
        raise request_error(found) from error


__all__ = [
    "CallerOut",
    "Digest",
    "ErrorOut",
    "EverythingIn",
    "Format",
    "HealthOut",
    "ImageOut",
    "MaskOut",
    "MasksOut",
    "ModelOut",
    "ModelsOut",
    "OnPicture",
    "SegmentIn",
    "VersionOut",
    "parse",
]
