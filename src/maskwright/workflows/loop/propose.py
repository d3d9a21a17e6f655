"""Proposals of the newest checkpoint: for frames that are new, and again for those that nobody has decided about.

A proposal that is made again answers the same question: its box, or its clicks; a lone click, a phrase and what came
without a prompt are asked with the box of the former mask, so that the answer is of the same thing. The new mask stands
in the old one's place by a `Split` event, as a tracker's does, so the old one keeps its history and can come back.
What a person has touched in any way stays as it is, and so do masks of tracks, which `track` follows again.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskRecord, PointPrompt, Prompt, TextPrompt, prompt_parts
from maskwright.core.errors import ImageError, InputError, StoreError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import Reject, ReviewEvent, Split
from maskwright.masks import iou_matrix
from maskwright.masks.cleanup import STEPS, step_from_processing
from maskwright.models import Model
from maskwright.predict import embed, look_closer, predict, to_records
from maskwright.predict.everything_settings import preset_for
from maskwright.review.engine import is_person
from maskwright.store import MaskStore, Query, StoredFrame, open_store
from maskwright.workflows.annotate import AnnotatedSource, annotate
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.annotate_recipe import EverythingTask, Recipe, TextTask
from maskwright.workflows.loop.decide import ACTOR, UnlessTouched, append_all, event_id
from maskwright.workflows.predict_files import cleaned
from maskwright.workflows.store_pictures import StorePictures

_PROMPTS_AT_ONCE = 64
_ROWS_PER_SEGMENT = 2_000
_SAME_IOU = 0.9  # two answers that are this alike are of one thing
_BY_MACHINES = ("sam_raw", "sam_refined", "imported")
Told = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedAgain:
    """How many frames and masks were asked for again, and pictures that could not be read."""

    num_frames: int = 0
    num_replaced: int = 0
    unreadable: tuple[str, ...] = ()


def propose_new(
    store: Path, model: Model, source: Path, *, text: Sequence[str], told: Told, clock: Callable[[], datetime]
) -> AnnotatedSource:
    """Annotate the frames of a source that the store does not have, by words or everything.

    Raises:
        InputError, StoreError, PromptError: as `annotate` does.
    """
    task = TextTask(phrases=tuple(text)) if text else EverythingTask(settings=preset_for(model.card))
    return annotate(
        model,
        Footage.open(source),
        Recipe(task=task, closer=bool(text) and model.card.looks_closer),
        store,
        skips_known=True,
        progress=lambda at: told("proposing", at.num_done, at.num_wanted),
        clock=clock,
    )


def is_asked_again(mask: ResolvedRecord, sha256: str) -> bool:
    """Whether a mask is a proposal of another checkpoint that nobody has touched."""
    record, made = mask.record, mask.record.provenance
    return (
        mask.status == "proposed"
        and mask.edited_by is None
        and not any(is_person(one.actor) for one in mask.comments)
        and record.track_point is None
        and record.area > 0
        and made.method in _BY_MACHINES
        and (made.model is None or made.model.checkpoint_sha256 != sha256)
    )


def propose_again(
    path: Path,
    model: Model,
    run: str,
    *,
    number: int,
    at: datetime,
    images: Path | None = None,
    told: Told = lambda what, done, total: None,
) -> ProposedAgain:
    """Ask again for every proposal of another checkpoint; frames that the run has are not asked twice.

    `number` and `at` are those of the round, so that a run which is taken up again writes the same events.

    Raises:
        StoreError: the store cannot be read or written.
        InputError: there is nothing at `images`.
    """
    sha256 = model.checkpoint_sha256
    num_frames = num_replaced = 0
    unreadable: list[str] = []
    with open_store(path) as store:
        replace_old(store, run, number=number, at=at)  # what a kill left half done
        total = store.count_frames(Query(status="proposed"))
        pictures = StorePictures(store, images)
        done = store.done_names(run)
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(store.bulk_writer(run=run, rows_per_segment=_ROWS_PER_SEGMENT))
            try:
                for frame, olds in _frames(store, sha256, done):
                    image = _read(pictures, frame, unreadable)
                    if image is not None:
                        records = _distinct(list(_ask_again(model, image, olds, _source(run))))
                        writer.add(frame.frame, records)
                        num_frames, num_replaced = num_frames + 1, num_replaced + len(olds)
                    told("proposing again", num_frames + len(unreadable) + len(done), total)
            except BaseException:
                with contextlib.suppress(StoreError):  # the first error is the one to tell
                    writer.flush()
                raise
        replace_old(store, run, number=number, at=at)
    return ProposedAgain(num_frames=num_frames, num_replaced=num_replaced, unreadable=tuple(unreadable))


def replace_old(store: MaskStore, run: str, *, number: int, at: datetime) -> None:
    """Let the masks of a run stand in the places of those that they were made from.

    A mask whose original somebody has touched meanwhile is rejected: what the person did stays.
    """
    source = f"loop ({run})"
    query = Query(status=("proposed",), method=("sam_raw", "sam_refined"))
    made = [one.record for one in store.query(query) if one.record.provenance.source == source]
    append_all(store, (_replacement(one, old, number, at) for one in made for old in one.provenance.derived_from))


def _source(run: str) -> str:
    return f"loop ({run})"


def _replacement(record: MaskRecord, old: str, number: int, at: datetime) -> UnlessTouched:
    def event(what: str, of: str, action: Split | Reject) -> ReviewEvent:
        return ReviewEvent(id=event_id(what, number, of), record_id=of, actor=ACTOR, at=at, action=action)

    return UnlessTouched(
        record_id=old,
        given=(event("replaced", old, Split((record.id,))),),
        otherwise=(event("late", record.id, Reject("somebody has seen to the mask that it was made from")),),
    )


def _frames(store: MaskStore, sha256: str, done: set[str]) -> Iterator[tuple[StoredFrame, list[ResolvedRecord]]]:
    for frame in store.frames(Query(status="proposed")):
        olds = [mask for mask in frame.masks if is_asked_again(mask, sha256)]
        if olds and frame.frame.name not in done:
            yield frame, olds


def _read(pictures: StorePictures, frame: StoredFrame, unreadable: list[str]) -> Image | None:
    read = pictures.opener(frame.frame)
    try:
        if read is not None:
            return read()
        unreadable.append(f"{frame.frame.name}: its picture is not at hand")
    except (ImageError, InputError) as error:
        unreadable.append(f"{frame.frame.name}: {error}")
    return None


def _ask_again(model: Model, image: Image, olds: Sequence[ResolvedRecord], source: str) -> Iterator[MaskRecord]:
    embedding = embed(model, image)
    for first in range(0, len(olds), _PROMPTS_AT_ONCE):
        some = olds[first : first + _PROMPTS_AT_ONCE]
        prompts = [question_of(one.record) for one in some]
        records = to_records(predict(model, embedding, prompts), frame=some[0].record.frame, actor=ACTOR)
        for old, record in zip(some, records, strict=True):
            found = _finished(model, image, old.record, record, source)
            if found.area:  # of one that it does not find any more the old proposal stays
                yield found


def _finished(model: Model, image: Image, old: MaskRecord, record: MaskRecord, source: str) -> MaskRecord:
    """Look closer and clean up as was done before, and carry over what is known of the thing."""
    names = [step.name for step in old.provenance.steps]
    if "look_closer" in names:
        (record,) = look_closer(model, image, [record])
    record = cleaned(record, [step_from_processing(one) for one in old.provenance.steps if one.name in STEPS])
    made = replace(
        record.provenance,
        collector=old.provenance.collector,
        captured_at=old.provenance.captured_at,
        licence=old.provenance.licence,
        source=source,
        derived_from=(old.id,),
    )
    return replace(
        record, frame=old.frame, image_digest=old.image_digest, label=old.label, track=old.track, provenance=made
    )


def question_of(record: MaskRecord) -> Prompt:
    """The question that a proposal answers, as it is asked again."""
    prompt, box = record.provenance.prompt, BoxPrompt(record.box_xyxy)
    match prompt:
        case PointPrompt(points_xy=points) if len(points) == 1:
            return CombinedPrompt([prompt, box])
        case None | TextPrompt():
            return box
        case _ if any(isinstance(part, TextPrompt) for part in prompt_parts(prompt)):
            return box
    return prompt


def _distinct(records: Sequence[MaskRecord]) -> list[MaskRecord]:
    """Keep one of those that are of one thing, the surest, in the place of all of them."""
    order = sorted(records, key=lambda one: -(one.scores.predicted_iou or 0.0))
    kept: list[MaskRecord] = []
    for one in order:
        ious = iou_matrix([one.rle], [other.rle for other in kept])[0] if kept else ()
        at = next((i for i, iou in enumerate(ious) if iou >= _SAME_IOU and kept[i].label == one.label), None)
        if at is None:
            kept.append(one)
        else:
            olds = (*kept[at].provenance.derived_from, *one.provenance.derived_from)
            kept[at] = replace(kept[at], provenance=replace(kept[at].provenance, derived_from=olds))
    return kept


__all__ = ["ProposedAgain", "is_asked_again", "propose_again", "propose_new", "question_of", "replace_old"]
