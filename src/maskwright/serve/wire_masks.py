"""From requests to values and from records to answers: the one place where REST's masks are read and written."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from maskwright.core import RLE, FrameRef, MaskRecord, SizeHW, to_json
from maskwright.core.errors import TooLarge, UnknownModel
from maskwright.masks import step_from_processing, trace
from maskwright.models import find_card
from maskwright.predict import PRESETS, EverythingSettings, preset_for
from maskwright.serve.mask_png import mask_png
from maskwright.serve.values import Segment
from maskwright.serve.wire import EverythingIn, Format, SegmentIn
from maskwright.serve.wire_prompts import read_prompt


def segment_of(asked: SegmentIn, size_hw: SizeHW, max_prompts: int) -> Segment:
    """Turn a request into what the engine is asked.

    Raises:
        TooLarge: there are more prompts than the server takes at once.
        PromptError, MaskError, SettingError: something in it does not hold together.
    """
    if len(asked.prompts) > max_prompts:
        raise TooLarge(f"a request may have {max_prompts} prompts, got {len(asked.prompts)}. Send it in parts")
    return Segment(
        prompts=tuple(read_prompt(prompt, size_hw) for prompt in asked.prompts),
        num_masks=asked.num_masks,
        multimask=asked.multimask,
        refine_steps=asked.refine_steps,
        closer=asked.closer,
        labels=None if asked.labels is None else tuple(asked.labels),
        cleanup=tuple(step_from_processing(step) for step in asked.cleanup),
    )


def everything_of(asked: EverythingIn, model: str) -> EverythingSettings:
    """Take the preset, with the thresholds of the model where it is a registered one, and the request's changes.

    Raises:
        SettingError: values do not go together.
    """
    try:
        preset = preset_for(find_card(model), asked.preset)
    except UnknownModel:  # a checkpoint file; or one that is not served, which the engine will say
        preset = PRESETS[asked.preset]
    return replace(preset, **asked.settings.model_dump(exclude_none=True))


def masks_json(
    records: Sequence[MaskRecord], image_digest: str, size_hw: SizeHW, form: Format, num_masks: int | None
) -> dict[str, Any]:
    """Write masks as `MasksOut`; `num_masks` is how many each prompt has, None where there were no prompts."""
    return {
        "image_digest": image_digest,
        "size_hw": size_hw,
        "masks": [
            {
                "record": to_json(record),
                "prompt": None if num_masks is None else i // num_masks,
                "png": b64encode(mask_png(record.rle)).decode("ascii") if form == "png" else None,
                "polygons": _polygons(record.rle) if form == "polygons" else None,
            }
            for i, record in enumerate(records)
        ],
    }


def at_frame(records: Sequence[MaskRecord], frame: FrameRef | None) -> Sequence[MaskRecord]:
    """Say in records which frame they are of, where that is known."""
    return records if frame is None else [replace(record, frame=frame) for record in records]


def _polygons(rle: RLE) -> list[dict[str, Any]]:
    return [
        {"exterior": island.exterior.tolist(), "holes": [hole.tolist() for hole in island.holes]}
        for island in trace(rle).islands
    ]


__all__ = ["at_frame", "everything_of", "masks_json", "segment_of"]
