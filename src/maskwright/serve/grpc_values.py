"""Between the messages of proto/ and our values. Reads are strict: what a message leaves out is told by its path."""

import json
from collections.abc import Sequence
from typing import Literal

from maskwright.core import (
    RLE,
    BoxPrompt,
    BoxXYXY,
    CombinedPrompt,
    MaskPrompt,
    MaskRecord,
    PointPrompt,
    Prompt,
    Scores,
    SinglePrompt,
    SizeHW,
    TextPrompt,
    to_json,
)
from maskwright.core.errors import RequestError, TooLarge
from maskwright.masks import area, box_xyxy, from_coco, parse_steps, trace
from maskwright.predict.tracking import TrackedMask
from maskwright.serve.grpc_generated import maskwright_pb2 as pb
from maskwright.serve.mask_png import mask_png
from maskwright.serve.problems import problem_of
from maskwright.serve.track_values import TrackOptions, TrackResult
from maskwright.serve.values import Segment

MaskForm = Literal["rle", "png", "polygons"]
_FORMS: dict[int, MaskForm] = {
    pb.MASK_FORM_UNSPECIFIED: "rle",
    pb.MASK_FORM_RLE: "rle",
    pb.MASK_FORM_PNG: "png",
    pb.MASK_FORM_POLYGONS: "polygons",
}
_MOST_CANDIDATES, _MOST_REFINE_STEPS = 16, 10
_LONGEST_SIDE = 65_535


def segment_of(request: pb.SegmentRequest, max_prompts: int) -> Segment:
    """Read what the engine is asked.

    Raises:
        RequestError: something is missing or out of its range.
        TooLarge: there are more prompts than the server takes at once.
        PromptError, MaskError, SettingError: something does not hold together.
    """
    if len(request.prompts) > max_prompts:
        raise TooLarge(f"a request may have {max_prompts} prompts, got {len(request.prompts)}. Send it in parts")
    for name, most in (("num_masks", _MOST_CANDIDATES), ("refine_steps", _MOST_REFINE_STEPS)):
        if getattr(request, name) > most:
            raise RequestError(f"{name} must be at most {most}, got {getattr(request, name)}")
    return Segment(
        prompts=tuple(prompt_of(prompt, f"prompts[{i}]") for i, prompt in enumerate(request.prompts)),
        num_masks=request.num_masks or 1,
        multimask=request.multimask if request.HasField("multimask") else None,
        refine_steps=request.refine_steps,
        closer=request.closer,
        labels=tuple(label or None for label in request.labels) or None,
        cleanup=parse_steps(request.cleanup),
    )


def prompt_of(message: pb.Prompt, where: str) -> Prompt:
    """Read a prompt.

    Raises:
        RequestError: it says nothing.
        PromptError, MaskError: it does not hold together.
    """
    if message.WhichOneof("kind") == "combined":
        parts = enumerate(message.combined.parts)
        return CombinedPrompt([_single(part, f"{where}.combined.parts[{i}]") for i, part in parts])
    return _single(message, where)


def _single(message: pb.Prompt, where: str) -> SinglePrompt:
    match message.WhichOneof("kind"):
        case "points":
            points = message.points.points
            return PointPrompt([(point.x, point.y) for point in points], [int(not p.is_negative) for p in points])
        case "box":
            box = message.box.box
            return BoxPrompt((box.x1, box.y1, box.x2, box.y2))
        case "mask":
            return MaskPrompt(rle_of(message.mask.rle))
        case "text":
            return TextPrompt(message.text.text)
        case _:
            raise RequestError(f"{where} must be points, a box, a mask or text, or parts of these; got none")


def rle_of(message: pb.Rle) -> RLE:
    """Read a mask.

    Raises:
        MaskError: it is not well formed.
    """
    if max(message.height, message.width) > _LONGEST_SIDE:
        raise RequestError(f"a mask's sides are at most {_LONGEST_SIDE}, got {message.height} x {message.width}")
    return from_coco({"size": [message.height, message.width], "counts": message.counts})


def track_options_of(message: pb.TrackOpen) -> TrackOptions:
    """Read how a session is to follow."""
    return TrackOptions(budget=message.budget or "default", find_new=message.find_new, model=message.model or None)


def form_of(value: int) -> MaskForm:
    """Read in which form masks are wanted.

    Raises:
        RequestError: there is no such form.
    """
    if value not in _FORMS:
        raise RequestError(f"form must be RLE, PNG or POLYGONS, got {value}")
    return _FORMS[value]


def segmented(
    request: pb.SegmentRequest, records: Sequence[MaskRecord], image_digest: str, size_hw: SizeHW
) -> pb.SegmentResponse:
    """Write the answer to a request. Costs the pixels of its masks if they are to be PNGs."""
    form, num_masks = form_of(request.form), request.num_masks or 1
    return pb.SegmentResponse(
        id=request.id,
        image_digest=image_digest,
        height=size_hw[0],
        width=size_hw[1],
        masks=[
            pb.SegmentedMask(
                id=record.id,
                prompt=i // num_masks,
                mask=mask_message(record.rle, form),
                box=_box(record.box_xyxy),
                area=record.area,
                scores=_scores(record.scores),
                label=record.label or "",
                record_json=json.dumps(to_json(record)) if request.with_record else "",
            )
            for i, record in enumerate(records)
        ],
    )


def tracked(result: TrackResult, form: MaskForm) -> pb.TrackResponse:
    """Write what came of a frame."""
    if result.tracked is None:
        problem = problem_message(result.error or RuntimeError())
        return pb.TrackResponse(frame=pb.TrackedFrame(index=result.index, problem=problem))
    frame = pb.TrackedFrame(
        index=result.index,
        image_digest=result.tracked.image_digest,
        masks=[_tracked_mask(mask, form) for mask in result.tracked.masks],
        is_cut=result.tracked.is_cut,
    )
    return pb.TrackResponse(frame=frame)


def problem_message(error: Exception) -> pb.Problem:
    """Write an error in a stream that goes on."""
    problem = problem_of(error)
    return pb.Problem(
        code=problem.code,
        message=problem.message,
        status=problem.grpc_status,
        retry_after_s=problem.retry_after_s,
    )


def mask_message(rle: RLE, form: MaskForm) -> pb.Mask:
    """Write a mask."""
    match form:
        case "rle":
            height, width = rle.size_hw
            return pb.Mask(rle=pb.Rle(height=height, width=width, counts=rle.counts.decode("ascii")))
        case "png":
            return pb.Mask(png=mask_png(rle))
        case "polygons":
            islands = [
                pb.Island(
                    exterior=pb.Ring(xy=island.exterior.ravel().tolist()),
                    holes=[pb.Ring(xy=hole.ravel().tolist()) for hole in island.holes],
                )
                for island in trace(rle).islands
            ]
            return pb.Mask(polygons=pb.Polygons(islands=islands))


def _tracked_mask(mask: TrackedMask, form: MaskForm) -> pb.TrackedMask:
    return pb.TrackedMask(
        track=mask.track,
        mask=mask_message(mask.rle, form),
        box=_box(box_xyxy(mask.rle)),
        area=area(mask.rle),
        source=f"TRACK_SOURCE_{mask.source.upper()}",
        state=f"TRACK_STATE_{mask.state.upper()}",
        confidence=mask.confidence,
        scores=_scores(mask.scores),
    )


def _box(box: BoxXYXY) -> pb.Box:
    x1, y1, x2, y2 = box
    return pb.Box(x1=x1, y1=y1, x2=x2, y2=y2)


def _scores(scores: Scores) -> pb.Scores:
    return pb.Scores(predicted_iou=scores.predicted_iou, stability=scores.stability, agreement=scores.agreement)


__all__ = [
    "MaskForm",
    "form_of",
    "mask_message",
    "problem_message",
    "prompt_of",
    "rle_of",
    "segment_of",
    "segmented",
    "track_options_of",
    "tracked",
]
