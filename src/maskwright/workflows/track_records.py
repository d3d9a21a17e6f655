"""Records of what a tracker gives: keyframes that it drew from prompts, and masks that it propagated from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from maskwright.core import (
    CombinedPrompt,
    MaskPrompt,
    MaskRecord,
    ModelRef,
    ProcessingStep,
    Prompt,
    Provenance,
    TrackPoint,
    new_id,
    prompt_parts,
)
from maskwright.masks import area, box_xyxy
from maskwright.predict.records import utc_now
from maskwright.predict.tracking.tracked import TrackedMask
from maskwright.workflows.stages import DecodedFrame
from maskwright.workflows.track_plan import FOUND, Gap

PROPAGATE = "propagate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What all masks of a session have in common."""

    model: ModelRef
    source: str
    actor: str | None = None
    collector: str | None = None
    licence: str | None = None
    clock: Callable[[], datetime] = utc_now


def keyframe_record(
    mask: TrackedMask,
    item: DecodedFrame,
    credits: Credits,
    *,
    label: str | None,
    derived_from: tuple[str, ...] = (),
) -> MaskRecord:
    """Make the record of a keyframe from a prompt. A mask that the user gave is not the model's: it was imported."""
    is_given = isinstance(mask.prompt, MaskPrompt)
    provenance = Provenance(
        method="imported" if is_given else "sam_raw",
        created_at=credits.clock(),
        model=None if is_given else credits.model,
        prompt=None if is_given else mask.prompt,
        derived_from=derived_from,
        **_facts(item, credits),
    )
    point = TrackPoint(source="keyframe", state=mask.state, confidence=mask.confidence)
    return _record(mask, item, provenance, point, label)


def found_record(mask: TrackedMask, gap: Gap, item: DecodedFrame, credits: Credits) -> MaskRecord:
    """Make the first record of an object that nobody named, with the id that its gap expects."""
    provenance = Provenance(
        method="sam_refined",
        created_at=credits.clock(),
        model=credits.model,
        prompt=_without_mask(mask.prompt),
        steps=(ProcessingStep(name=FOUND, parameters={"in": "masks of everything"}),),
        **_facts(item, credits),
    )
    point = TrackPoint(source="keyframe", state=mask.state, confidence=mask.confidence)
    made = _record(replace(mask, track=gap.track), item, provenance, point, gap.label)
    return made if gap.before is None else replace(made, id=gap.before.record_id)


def propagated_record(
    mask: TrackedMask, gap: Gap, item: DecodedFrame, credits: Credits, *, replaces: tuple[str, ...] = ()
) -> MaskRecord:
    """Make the record of a mask in a gap; it derives from the keyframes, and from the masks that it replaces.

    One that was carried is no model's answer, but what the model and optical flow came to: refined, by a step that
    says so. Of what the model was asked, the carried mask itself is not kept: it would double the store.
    """
    is_carried = mask.source == "carried"
    step = ProcessingStep(name=PROPAGATE, parameters={"by": "optical flow"})
    provenance = Provenance(
        method="sam_refined" if is_carried else "sam_raw",
        created_at=credits.clock(),
        model=credits.model,
        prompt=_without_mask(mask.prompt),
        steps=(step,) if is_carried else (),
        derived_from=(*gap.ancestors, *replaces),
        **_facts(item, credits),
    )
    source = "carried" if is_carried else "segmented"
    point = TrackPoint(source=source, state=mask.state, confidence=mask.confidence, anchors=gap.anchors)
    return _record(replace(mask, track=gap.track), item, provenance, point, gap.label)


def _without_mask(prompt: Prompt | None) -> Prompt | None:
    parts = [] if prompt is None else [part for part in prompt_parts(prompt) if not isinstance(part, MaskPrompt)]
    return None if not parts else parts[0] if len(parts) == 1 else CombinedPrompt(parts)


def _facts(item: DecodedFrame, credits: Credits) -> dict[str, Any]:
    return {
        "actor": credits.actor,
        "collector": credits.collector,
        "captured_at": item.captured_at,
        "licence": credits.licence,
        "source": credits.source,
    }


def _record(
    mask: TrackedMask, item: DecodedFrame, provenance: Provenance, point: TrackPoint, label: str | None
) -> MaskRecord:
    return MaskRecord(
        id=new_id(),
        image_digest=item.frame.image.digest,
        rle=mask.rle,
        box_xyxy=box_xyxy(mask.rle),
        area=area(mask.rle),
        provenance=provenance,
        frame=item.frame.ref,
        label=label,
        track=mask.track,
        scores=mask.scores,
        track_point=point,
    )


__all__ = ["Credits", "found_record", "keyframe_record", "propagated_record"]
