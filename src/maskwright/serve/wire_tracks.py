"""What goes over REST and web sockets about track sessions, as pydantic models, and the way to our values and back."""

import base64
import json
import struct
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from maskwright import core
from maskwright.core import Prompt, SizeHW, to_json
from maskwright.core.errors import RequestError, TooLarge
from maskwright.core.track import TrackSource, TrackState
from maskwright.masks import area, box_xyxy, trace
from maskwright.predict.tracking import TrackedMask
from maskwright.serve.mask_png import mask_png
from maskwright.serve.track_values import TrackInfo, TrackOptions, TrackResult
from maskwright.serve.wire import Digest, Format, IslandOut
from maskwright.serve.wire_prompts import RLE, CombinedPrompt, PromptModel, read_prompt
from maskwright.serve.wire_prompts import MaskPrompt as MaskPromptModel
from maskwright.serve.wire_values import model_of

_LONGEST_HEADER = 8 << 20
_LENGTH = struct.Struct(">I")
_TrackName = Annotated[str, Field(min_length=1, max_length=200)]
_Side = Annotated[int, Field(ge=1, le=65_535)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class TrackSessionIn(_In):
    """How objects are followed."""

    budget: Annotated[
        str, Field(max_length=20, description="default, fast, accurate, or milliseconds a frame such as 80.")
    ] = "default"
    find_new: Annotated[
        int, Field(ge=0, le=1_000_000, description="Look for objects that have no track every so many frames.")
    ] = 0
    model: Annotated[str, Field(max_length=200)] | None = None

    def options(self) -> TrackOptions:
        """As a value."""
        return TrackOptions(budget=self.budget, find_new=self.find_new, model=self.model)


class TrackFrameIn(_In):
    """What is said of a frame, beside its picture."""

    prompts: Annotated[
        dict[_TrackName, PromptModel],
        Field(max_length=10_000, description="By track: begins the track of that name, or corrects it."),
    ] = {}
    forget: Annotated[list[_TrackName], Field(max_length=10_000, description="Tracks that end before this frame.")] = []
    image: (
        Annotated[Digest, Field(description="A picture that the server has, where the frame brings none.")] | None
    ) = None
    raw_hw: (
        Annotated[
            tuple[_Side, _Side],
            Field(description="The picture is no file but rows of RGB bytes, of this height and width."),
        ]
        | None
    ) = None
    format: Annotated[Format, Field(description="rle: run lengths alone; png, polygons: that too.")] = "rle"
    deadline_ms: Annotated[int, Field(ge=1, le=600_000, description="Skip it if its turn comes later.")] | None = None


class TrackStreamIn(TrackFrameIn):
    """The header of a message of a web socket, or all of one that is text."""

    is_last: Annotated[bool, Field(description="No frame comes any more: answer those before, and close.")] = False


class TrackOut(_Out):
    """What a session is at. It ends `ends_in_s` from now unless a frame comes."""

    id: str
    budget: str
    find_new: int
    model: str | None
    tracks: list[str]
    num_shown: int
    num_answered: int
    num_skipped: int
    first_kept: Annotated[int, Field(description="Results are kept from this frame on.")]
    idle_s: float
    ends_in_s: float


class TracksOut(_Out):
    """The caller's sessions; all of them for an admin."""

    items: list[TrackOut]
    next_cursor: None = None


class TrackedMaskOut(_Out):
    """An object on one frame: what is seen of it, maybe nothing."""

    track: str
    rle: RLE
    box_xyxy: tuple[float, float, float, float]
    area: int
    source: TrackSource
    state: TrackState
    confidence: float
    scores: model_of(core.Scores)  # pyrefly: ignore[invalid-annotation]
    png: Annotated[str | None, Field(description="base64 of a PNG with one bit a pixel.")] = None
    polygons: list[IslandOut] | None = None


class FrameProblem(_Out):
    """Why a frame was skipped. Tracks go on with the next one."""

    code: str
    message: str


class TrackFrameOut(_Out):
    """What came of a frame; `index` is its place among those that were sent, from 0."""

    index: int
    image_digest: str | None
    is_cut: Annotated[bool, Field(description="The picture changed as a whole: nothing could be carried over.")]
    masks: list[TrackedMaskOut]
    error: FrameProblem | None = None


def prompts_of(asked: TrackFrameIn) -> dict[str, Prompt]:
    """Make the prompts of a frame. Whether they fit it is found when it has been decoded.

    Raises:
        PromptError, MaskError: one does not hold together.
    """
    return {track: _prompt(model) for track, model in asked.prompts.items()}


def track_json(info: TrackInfo) -> dict[str, Any]:
    """Write `TrackOut`."""
    return {
        "id": info.id,
        "budget": info.options.budget,
        "find_new": info.options.find_new,
        "model": info.options.model,
        "tracks": info.tracks,
        "num_shown": info.num_shown,
        "num_answered": info.num_answered,
        "num_skipped": info.num_skipped,
        "first_kept": info.first_kept,
        "idle_s": info.idle_s,
        "ends_in_s": round(info.ends_in_s, 3),
    }


def frame_json(result: TrackResult, form: Format) -> dict[str, Any]:
    """Write `TrackFrameOut`. Costs the pixels of its masks for PNGs."""
    tracked, problem = result.tracked, result.problem
    return {
        "index": result.index,
        "image_digest": None if tracked is None else tracked.image_digest,
        "is_cut": tracked is not None and tracked.is_cut,
        "masks": [] if tracked is None else [_mask_json(mask, form) for mask in tracked.masks],
        "error": None if problem is None else {"code": problem.code, "message": problem.message},
    }


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Take a binary message apart: the length of its header in four bytes, big end first, the header, the picture.

    Raises:
        RequestError: it is shorter than it says.
        TooLarge: the header is longer than one may be.
    """
    if len(message) < _LENGTH.size:
        raise RequestError(f"a frame begins with the length of its header in 4 bytes, got {len(message)} bytes in all")
    (length,) = _LENGTH.unpack_from(message)
    if length > _LONGEST_HEADER:
        raise TooLarge(f"the header of a frame may have {_LONGEST_HEADER:,} bytes, got {length:,}")
    if len(message) < _LENGTH.size + length:
        raise RequestError(f"the header of the frame says it has {length:,} bytes, but {len(message) - 4:,} follow")
    return message[_LENGTH.size : _LENGTH.size + length], message[_LENGTH.size + length :]


def join_message(header: dict[str, Any], picture: bytes) -> bytes:
    """Put a binary message together, as clients do."""
    written = json.dumps(header).encode()
    return _LENGTH.pack(len(written)) + written + picture


def _prompt(model: PromptModel) -> Prompt:
    parts = model.parts if isinstance(model, CombinedPrompt) else [model]
    sizes: list[SizeHW] = [part.rle.size_hw for part in parts if isinstance(part, MaskPromptModel)]
    return read_prompt(model, sizes[0] if sizes else (1, 1))


def _mask_json(mask: TrackedMask, form: Format) -> dict[str, Any]:
    islands = trace(mask.rle).islands if form == "polygons" else ()
    return {
        "track": mask.track,
        "rle": to_json(mask.rle),
        "box_xyxy": box_xyxy(mask.rle),
        "area": area(mask.rle),
        "source": mask.source,
        "state": mask.state,
        "confidence": mask.confidence,
        "scores": to_json(mask.scores),
        "png": base64.b64encode(mask_png(mask.rle)).decode("ascii") if form == "png" else None,
        "polygons": [
            {"exterior": island.exterior.tolist(), "holes": [hole.tolist() for hole in island.holes]}
            for island in islands
        ]
        if form == "polygons"
        else None,
    }


__all__ = [
    "TrackFrameIn",
    "TrackFrameOut",
    "TrackOut",
    "TrackSessionIn",
    "TrackStreamIn",
    "TracksOut",
    "frame_json",
    "join_message",
    "prompts_of",
    "split_message",
    "track_json",
]
