"""The stages that frames go through: decode, then embed and prompt, then clean up. Plain functions from items to items.

They know no threads, no queues and no store, so that a process and a cluster run the same ones. A frame that cannot be
decoded or prompted becomes a `SkippedFrames` and travels on; nothing stops for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Protocol, runtime_checkable

from maskwright.core import BoxPrompt, Frame, FrameRef, MaskRecord, PointPrompt, SizeHW, TextPrompt, prompt_parts
from maskwright.core.errors import MaskwrightError
from maskwright.models import Model
from maskwright.predict import ImageEmbedding, embed_batch, everything, look_closer, predict, to_records
from maskwright.store import SeenFrame
from maskwright.workflows.annotate_plan import Footage, Stretch, after, stride_of
from maskwright.workflows.annotate_recipe import EverythingTask, ObjectPrompt, PromptsTask, Recipe, TextTask
from maskwright.workflows.depth_masks import correct_by_depth, own_depth
from maskwright.workflows.predict_files import cleaned


@runtime_checkable
class KnowsTimes(Protocol):
    """A source that knows when its frames were taken."""

    def captured_at(self, ref: FrameRef) -> datetime | None:
        """The moment of a frame, with its time zone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFrame:
    """A frame with its name and the moment it was taken, where the source knows."""

    frame: Frame
    name: str
    captured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFrames:
    """Frames that could not be used, by the name of the first or of both ends, and why."""

    name: str
    reason: str
    num_frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedFrame:
    """A frame with its masks, and `notes` on objects that were asked for and have none."""

    seen: SeenFrame
    records: tuple[MaskRecord, ...]
    notes: tuple[str, ...] = ()


def decode_frames(footage: Footage, stretches: Iterable[Stretch]) -> Iterator[DecodedFrame | SkippedFrames]:
    """Decode stretches one after the other, each image with its digest."""
    for stretch in stretches:
        yield from _decode_stretch(footage, stretch)


def find_masks(
    model: Model, items: Iterable[DecodedFrame | SkippedFrames], recipe: Recipe, *, batch_size: int, origin: str
) -> Iterator[MaskedFrame | SkippedFrames]:
    """Embed frames `batch_size` at a time, and find the masks that the recipe asks for on each.

    `origin` becomes the records' source: which run of which data set they are of.
    """
    stream = iter(items)
    while batch := list(islice(stream, batch_size)):
        yield from (item for item in batch if isinstance(item, SkippedFrames))
        decoded = [item for item in batch if isinstance(item, DecodedFrame)]
        wanted = [objects_on(recipe, item.frame) for item in decoded]
        asked = [item.frame.image for item, objects in zip(decoded, wanted, strict=True) if objects != ()]
        embeddings = embed_batch(model, asked, batch_size=batch_size)
        for item, objects in zip(decoded, wanted, strict=True):
            embedding = next(embeddings) if objects != () else None
            try:
                yield _find(model, item, objects, embedding, recipe, origin)
            except MaskwrightError as error:
                yield SkippedFrames(name=item.name, reason=str(error))


def clean_masks(frame: MaskedFrame, recipe: Recipe) -> MaskedFrame:
    """Apply the recipe's cleanup to each mask; one that it empties is dropped."""
    if not recipe.cleanup:
        return frame
    records = (cleaned(record, recipe.cleanup) for record in frame.records)
    return replace(frame, records=tuple(record for record in records if record.area))


def objects_on(recipe: Recipe, frame: Frame) -> tuple[ObjectPrompt, ...] | None:
    """List what to look for on a frame; None for everything."""
    match recipe.task:
        case EverythingTask():
            return None
        case TextTask(phrases=phrases):
            return tuple(ObjectPrompt(prompt=TextPrompt(phrase), label=phrase) for phrase in phrases)
        case PromptsTask(by_place=by_place):
            ref = frame.ref
            return by_place.get((ref.episode, ref.camera, ref.frame_index), ())


def _decode_stretch(footage: Footage, stretch: Stretch) -> Iterator[DecodedFrame | SkippedFrames]:
    numbers, at = stretch.numbers, 0
    wanted = set(numbers)
    while at < len(numbers):
        left = numbers[at:]
        try:
            for frame in _frames(footage, stretch, left):
                if frame.ref.frame_index in wanted:
                    yield _decoded(footage, frame)
                at = after(numbers, frame.ref.frame_index)
            return
        except (MaskwrightError, OSError) as error:
            again = _next_whole(footage, stretch, at)
            if again > at:
                yield _skipped(footage, stretch, numbers[at:again], str(error))
                at = again
            else:  # what is damaged lies on the way to the next frame that is wanted
                yield from (_decoded(footage, frame) for frame in _frames(footage, stretch, numbers[at : at + 1]))
                at += 1


def _frames(footage: Footage, stretch: Stretch, numbers: Sequence[int]) -> Iterator[Frame]:
    return iter(
        footage.source.frames(
            stretch.episode, stretch.camera, start=numbers[0], stop=numbers[-1] + 1, stride=stride_of(numbers)
        )
    )


def _next_whole(footage: Footage, stretch: Stretch, at: int) -> int:
    """Find where decoding can go on, at a position or after it, in a few looks: steps double, then halve.

    Damage is taken for one piece; whole frames between two damaged ones within a few frames may be passed over.
    """
    numbers, low, step = stretch.numbers, at - 1, 1
    while at < len(numbers) and not _is_whole(footage, stretch, numbers[at]):
        low = at
        at += step
        step *= 2
    high = min(at, len(numbers))
    while high - low > 1:
        middle = (low + high) // 2
        if _is_whole(footage, stretch, numbers[middle]):
            high = middle
        else:
            low = middle
    return high


def _is_whole(footage: Footage, stretch: Stretch, number: int) -> bool:
    try:
        next(_frames(footage, stretch, [number]), None)
    except (MaskwrightError, OSError):
        return False
    return True


def _skipped(footage: Footage, stretch: Stretch, numbers: Sequence[int], reason: str) -> SkippedFrames:
    first, last = (footage.names.name(stretch.episode.key, stretch.camera, n) for n in (numbers[0], numbers[-1]))
    name = first if len(numbers) == 1 else f"{first} to {last}"
    return SkippedFrames(name=name, reason=reason, num_frames=len(numbers))


def _decoded(footage: Footage, frame: Frame) -> DecodedFrame:
    ref = frame.ref
    _ = frame.image.digest  # computed here, beside the network
    captured_at = footage.source.captured_at(ref) if isinstance(footage.source, KnowsTimes) else None
    name = footage.names.name(ref.episode, ref.camera, ref.frame_index)
    return DecodedFrame(frame=frame, name=name, captured_at=captured_at)


def _find(
    model: Model,
    item: DecodedFrame,
    objects: tuple[ObjectPrompt, ...] | None,
    embedding: ImageEmbedding | None,
    recipe: Recipe,
    origin: str,
) -> MaskedFrame:
    image, ref = item.frame.image, item.frame.ref
    notes: list[str] = []
    if isinstance(recipe.task, EverythingTask):
        records = everything(
            model, image, settings=recipe.task.settings, embedding=embedding, frame=ref, actor=recipe.actor
        )
    elif embedding is None or objects is None:
        records = []
    else:
        records = _ask(model, item, objects, embedding, recipe, notes)
    depth = own_depth(image) if recipe.depth and records else None
    if depth is not None:
        records = correct_by_depth(records, image, depth, with_flags=True)
    elif recipe.depth and records:
        notes.append(f"{item.name}: it has no depth, so its masks are the model's")
    seen = SeenFrame(name=item.name, size_hw=image.size_hw, ref=ref, image_digest=image.digest)
    told = (_with_facts(record, item, recipe, origin) for record in records if record.area)
    return MaskedFrame(seen=seen, records=tuple(told), notes=tuple(notes))


def _ask(
    model: Model,
    item: DecodedFrame,
    objects: Sequence[ObjectPrompt],
    embedding: ImageEmbedding,
    recipe: Recipe,
    notes: list[str],
) -> list[MaskRecord]:
    """Ask for objects; what lies outside the picture, and what is not found though a place was given, is noted."""
    image = item.frame.image
    inside = []
    for number, one in enumerate(objects, 1):
        if lies_outside(one, image.size_hw):
            height, width = image.size_hw
            notes.append(f"{item.name}#{number}: it lies outside the picture of {width}x{height} (width x height)")
        else:
            inside.append((number, one))
    if not inside:
        return []
    least = recipe.task.min_belief if isinstance(recipe.task, TextTask) else None
    batch = predict(model, embedding, [one.prompt for _, one in inside], min_belief=least)
    records = to_records(batch, labels=[one.label for _, one in inside], frame=item.frame.ref, actor=recipe.actor)
    if recipe.closer:
        records = list(look_closer(model, image, records, embedding=embedding, min_belief=least))
    for (number, one), record in zip(inside, records, strict=True):
        if not record.area and not isinstance(one.prompt, TextPrompt):
            notes.append(f"{item.name}#{number}: the model found nothing there")
    return [replace(record, track=one.track) for (_, one), record in zip(inside, records, strict=True)]


def lies_outside(one: ObjectPrompt, size_hw: SizeHW) -> bool:
    """Whether a box or a click lies wholly outside a picture."""
    height, width = size_hw
    for part in prompt_parts(one.prompt):
        match part:
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                corners = [(x1, y1, x2, y2)]
            case PointPrompt(points_xy=points):
                corners = [(x, y, x, y) for x, y in points]
            case _:
                corners = []
        if any(x2 < 0 or y2 < 0 or x1 > width or y1 > height for x1, y1, x2, y2 in corners):
            return True
    return False


def _with_facts(record: MaskRecord, item: DecodedFrame, recipe: Recipe, origin: str) -> MaskRecord:
    provenance = replace(
        record.provenance,
        collector=recipe.collector,
        captured_at=item.captured_at,
        licence=recipe.licence,
        source=origin,
    )
    return replace(record, label=record.label or recipe.label, provenance=provenance)


__all__ = [
    "DecodedFrame",
    "KnowsTimes",
    "MaskedFrame",
    "SkippedFrames",
    "clean_masks",
    "decode_frames",
    "find_masks",
    "lies_outside",
    "objects_on",
]
