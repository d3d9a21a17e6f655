"""Keyframes from prompts: drawn on their frames and put into the store before anything is propagated from them.

A prompt that was drawn before is not drawn again, so the same command can be given again. One on a frame where its
track has another keyframe is refused, unless it is to replace it.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from maskwright.core import (
    CombinedPrompt,
    FrameRef,
    MaskPrompt,
    MaskRecord,
    PointPrompt,
    Prompt,
    ResolvedRecord,
    prompt_parts,
)
from maskwright.core.errors import SettingError
from maskwright.masks import iou_matrix
from maskwright.predict.tracking.tracked import Tracker
from maskwright.store import MaskStore, Query
from maskwright.workflows.annotate_plan import Footage, Stretch
from maskwright.workflows.frame_names import Place
from maskwright.workflows.stages import DecodedFrame, decode_frames
from maskwright.workflows.track_prompts import TrackPrompt, check_inside, check_place, said
from maskwright.workflows.track_records import Credits, keyframe_record
from maskwright.workflows.track_writer import replacement, seen_frame

_SAME = 0.8  # from which IoU on two keyframes are taken for one object: a part and its whole have less
Prompts = Mapping[Place, Mapping[str, TrackPrompt]]


def check_prompts(footage: Footage, prompts: Prompts) -> None:
    """Look at each prompt's frame, before any work is done.

    Raises:
        SettingError: a frame is not there.
        PromptError, PromptOutsideImage: a prompt does not fit its frame.
        ImageError: a frame cannot be decoded.
    """
    for place in prompts:
        check_place(footage, place)
    for place, by_track in prompts.items():
        size_hw = _decode(footage, place).frame.image.size_hw
        for one in by_track.values():
            check_inside(one, size_hw)


def left_to_draw(store: MaskStore, dataset: str, prompts: Prompts, *, may_replace: bool) -> dict[Place, list["Order"]]:
    """List the prompts that have no keyframe yet.

    Raises:
        SettingError: a track has another keyframe on that frame, and it is not to be replaced.
    """
    found = {}
    for place, by_track in prompts.items():
        here = _masks_at(store, dataset, place, tuple(by_track))
        orders = [Order(one, here.get(one.track, ())) for one in by_track.values()]
        orders = [one for one in orders if not one.is_done]
        for one in orders:
            if one.keyframes and one.done is None and not may_replace:
                raise SettingError(
                    f"the track {one.prompt.track} has a keyframe on frame {place[2]} already, "
                    f"{one.story}. Edit that mask, or give --replace to draw another in its place."
                )
        if orders:
            found[place] = orders
    return found


class Order:
    """A prompt, and the masks that its track has on its frame."""

    def __init__(self, prompt: TrackPrompt, here: Sequence[ResolvedRecord]) -> None:
        self.prompt, self.here = prompt, here

    @property
    def keyframes(self) -> list[ResolvedRecord]:
        """Those that a tracker would not replace."""
        return [one for one in self.here if one.is_keyframe]

    @property
    def done(self) -> ResolvedRecord | None:
        """The keyframe that was drawn from this prompt."""
        return next((one for one in reversed(self.keyframes) if _is_drawn_from(one, self.prompt.prompt)), None)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do; a kill may have left the mask that was replaced."""
        done = self.done
        return done is not None and not any(one.record.id in done.record.provenance.derived_from for one in self.here)

    @property
    def story(self) -> str:
        """Where its keyframe comes from."""
        one = self.keyframes[-1]
        if one.edited_by or one.verified_by:
            return f"drawn by {one.edited_by}" if one.edited_by else f"accepted by {one.verified_by}"
        return {"human_drawn": "drawn by hand", "imported": "imported"}.get(one.record.provenance.method, "prompted")

    @property
    def full_prompt(self) -> Prompt:
        """The prompt; clicks alone correct the mask that is there."""
        parts = prompt_parts(self.prompt.prompt)
        last = next((one.record for one in reversed(self.here) if one.record.area), None)
        if last is None or not all(isinstance(part, PointPrompt) for part in parts):
            return self.prompt.prompt
        return CombinedPrompt((*parts, MaskPrompt(last.rle)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What prompts of one frame came to; `notes` are on those that found nothing, or what another track has already."""

    num_keyframes: int
    num_replaced: int
    notes: tuple[str, ...] = ()


def draw_keyframes(
    store: MaskStore,
    footage: Footage,
    orders: Mapping[Place, Sequence[Order]],
    make_tracker: Callable[[], Tracker],
    credits: Credits,
) -> Iterator[Drawn]:
    """Draw keyframes frame by frame."""
    for place, here in orders.items():
        leftover = [
            replacement(old.record.id, one.done.record.id, credits)
            for one in here
            if one.done is not None
            for old in one.here
            if old.record.id in one.done.record.provenance.derived_from
        ]
        store.append(leftover)
        fresh = [one for one in here if one.done is None]
        drawn = _draw(store, _decode(footage, place), fresh, make_tracker(), credits) if fresh else None
        num_replaced = len(leftover) + (drawn.num_replaced if drawn else 0)
        yield replace(drawn or Drawn(num_keyframes=0, num_replaced=0), num_replaced=num_replaced)


def _draw(store: MaskStore, item: DecodedFrame, orders: Sequence[Order], tracker: Tracker, credits: Credits) -> Drawn:
    frame = tracker.step(item.frame.image, {one.prompt.track: one.full_prompt for one in orders})
    records, events, notes = [], [], []
    for one in orders:
        old = tuple(known.record.id for known in one.here)
        label = one.prompt.label or _label_of(store, item.frame.ref, one.prompt.track)
        record = keyframe_record(frame[one.prompt.track], item, credits, label=label, derived_from=old)
        if record.area:
            records.append(record)
            events += [replacement(one_old, record.id, credits) for one_old in old]
        else:
            notes.append(f"{item.name}: the model found nothing where {one.prompt.track} was said to be")
    notes += _same_objects(store, item, records)
    if records:
        store.put(records, frames=[seen_frame(item)])
        store.append(events)
    return Drawn(num_keyframes=len(records), num_replaced=len(events), notes=tuple(notes))


def _same_objects(store: MaskStore, item: DecodedFrame, records: Sequence[MaskRecord]) -> Iterator[str]:
    """Tell which new keyframes have the pixels of another track, as when one object is given two names."""
    ref, drawn = item.frame.ref, {record.track for record in records}
    query = Query(
        dataset=ref.dataset,
        episode=ref.episode,
        camera=ref.camera,
        first_frame=ref.frame_index,
        last_frame=ref.frame_index,
        where="track IS NOT NULL",
    )
    known = [mask.record for mask in store.query(query) if mask.record.track not in drawn] if records else []
    for number, record in enumerate(records):
        others = [*known, *records[:number]]
        likeness = iou_matrix([record.rle], [other.rle for other in others])[0]
        for other, iou in zip(others, likeness, strict=True):
            if iou >= _SAME:
                yield (
                    f"{item.name}: {record.track} is where {other.track} is (IoU {iou:.2f}). If they are one object: "
                    f"maskwright tracks {store.path} --merge {shlex.quote(f'{other.track},{record.track}')}"
                )


def _label_of(store: MaskStore, ref: FrameRef, track: str) -> str | None:
    """The label that a track has; a new one has its name."""
    query = Query(dataset=ref.dataset, episode=ref.episode, camera=ref.camera, track=track)
    known = next(store.query(query), None)
    return track if known is None else known.record.label


def _is_drawn_from(mask: ResolvedRecord, prompt: Prompt) -> bool:
    provenance = mask.record.provenance
    if isinstance(prompt, MaskPrompt):
        return provenance.prompt is None and mask.record.rle == prompt.rle
    return said(provenance.prompt) == said(prompt)


def _masks_at(
    store: MaskStore, dataset: str, place: Place, tracks: tuple[str, ...]
) -> dict[str, tuple[ResolvedRecord, ...]]:
    episode, camera, index = place
    query = Query(dataset=dataset, episode=episode, camera=camera, first_frame=index, last_frame=index, track=tracks)
    found: dict[str, tuple[ResolvedRecord, ...]] = {}
    for mask in store.query(query):
        track = mask.record.track or ""
        found[track] = (*found.get(track, ()), mask)
    return found


def _decode(footage: Footage, place: Place) -> DecodedFrame:
    key, camera, index = place
    episode = next(one for one in footage.source.episodes if one.key == key)
    for item in decode_frames(footage, [Stretch(episode=episode, camera=camera, numbers=[index])]):
        if isinstance(item, DecodedFrame):
            return item
        raise SettingError(f"the prompt's frame cannot be used: {item.reason}")
    raise SettingError(f"the prompt's frame {index} is not there: {footage.path}")


__all__ = ["Drawn", "Order", "check_prompts", "draw_keyframes", "left_to_draw"]
