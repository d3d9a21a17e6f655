"""Labelled data of any kind as examples to learn from: a store, a LeRobot data set, COCO and other files, folders.

What a person typed decides nothing but where to look: what lies there says what it is. Masks are kept as run lengths,
pictures are read again when they are encoded.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from maskwright.core.errors import ImageError, InputError, MaskError, SettingError
from maskwright.core.image import FrameRef, Image
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets.formats import find_format
from maskwright.datasets.image_folder import CAMERA as LOOSE_CAMERA
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.evaluate import Dataset, LabelledPicture, PictureSource, TrueObject
from maskwright.masks import area
from maskwright.review.engine import is_person
from maskwright.store import ANY_STATUS, LISTED, MaskStore, Moment, Query, open_store
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.split import SIDES
from maskwright.workflows.labelled import open_labelled
from maskwright.workflows.licences import terms_of
from maskwright.workflows.recognise_format import recognise_format
from maskwright.workflows.store_pictures import StorePictures

_LEAST_AREA = 16  # pixels; smaller masks teach nothing
_FEW_GROUPS = 3
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Examples of one source, what was left out and why, and the licences that its masks name."""

    name: str
    examples: tuple[Example, ...]
    notes: tuple[str, ...] = ()
    licences: tuple[tuple[str, int], ...] = ()

    @property
    def num_masks(self) -> int:
        """How many masks there are."""
        return sum(len(one.masks) for one in self.examples)

    def dataset(self, examples: Sequence[Example] | None = None) -> Dataset:
        """Give examples, all if none are named, as data to be scored on."""
        chosen = self.examples if examples is None else examples
        labels = sorted({mask.label for one in chosen for mask in one.masks if mask.label})
        return Dataset(name=self.name, sources=tuple(_source(one) for one in chosen), names=tuple(labels))


def read_training_data(
    source: str,
    *,
    statuses: Sequence[str] | None = None,
    images: Path | None = None,
    as_of: Moment = None,
    progress: Progress | None = None,
) -> TrainingData:
    """Read the masks of a source: accepted ones of a store, listed ones of files, or those of the `statuses` named.

    `as_of` is the moment of a store.

    Raises:
        InputError: there is nothing there, no mask has such a status, or no picture can be read.
        StoreError: a store cannot be read.
        SettingError: a status is unknown.
    """
    path = Path(source).expanduser()
    if not source.startswith("example:") and not path.exists():
        raise InputError(f"there is no such file or folder: {path}")
    if (path / "store.json").is_file():
        return _of_store(path, tuple(statuses or ("accepted",)), images, as_of, progress)
    if source.startswith("example:") or (path / "objects.json").is_file():
        return _of_dataset(open_labelled(source), source, progress)
    log = LossLog()
    wanted = tuple(statuses or LISTED)
    if path.is_dir() and not any(one.is_file() for one in path.rglob("*")):
        raise InputError(f"expected pictures with masks, or a mask store; the folder is empty: {path}")
    frames = find_format(recognise_format(path)).read(path, images=images, log=log)
    gathered = _Gathered(path.resolve().name, str(path), wanted)
    for number, frame in enumerate(frames, 1):
        gathered.take(frame)
        if progress is not None:
            progress(number, None)
    left_out = log.report().skipped
    if left_out:
        gathered.notes.append(
            f"{len(left_out)} items were left out; the first: {left_out[0].item}: {left_out[0].reason}"
        )
    return gathered.finish()


def _of_store(
    path: Path, statuses: tuple[str, ...], images: Path | None, as_of: Moment, progress: Progress | None
) -> TrainingData:
    query = Query(status=statuses)
    with open_store(path, read_only=True) as store:
        gathered = _Gathered(store.name, str(path), statuses)
        pictures = StorePictures(store, images)
        for number, found in enumerate(store.frames(query, as_of=as_of), 1):
            if found.masks:
                frame = found.frame
                gathered.take(
                    LabelledFrame(
                        name=frame.name,
                        size_hw=frame.size_hw,
                        masks=found.masks,
                        ref=frame.ref,
                        image_digest=frame.image_digest,
                        open_image=pictures.opener(frame),
                    )
                )
            if progress is not None:
                progress(number, None)
        if not gathered.examples:
            gathered.seen |= _statuses(store)
        return gathered.finish()


def _statuses(store: MaskStore) -> Counter[str]:
    return Counter({status: store.count(Query(status=status)) for status in ANY_STATUS})


def _of_dataset(data: Dataset, source: str, progress: Progress | None) -> TrainingData:
    """Read labelled scenes and the example; what cannot be read is left out and told."""
    gathered = _Gathered(data.name, source, LISTED)
    for number, one_source in enumerate(data.sources, 1):
        try:
            picture = one_source.read()
        except (ImageError, MaskError, InputError) as error:
            gathered.unreadable.append(f"{one_source.name}: {error}")
            continue
        masks = tuple(
            ExampleMask(key=one.key, rle=one.mask, label=one.name, material=one.material, occlusion=one.occlusion)
            for one in picture.objects
        )
        read = partial(_image_of, one_source)
        gathered.add(one_source.name, None, picture.image, masks, read, episode=one_source.episode)
        if progress is not None:
            progress(number, len(data))
    return gathered.finish()


def _image_of(source: PictureSource) -> Image:
    return source.read().image


class _Gathered:
    """Examples so far, and what was left out."""

    def __init__(self, name: str, path: str, statuses: Sequence[str]) -> None:
        self.name, self.path = name, path
        self.statuses = tuple(statuses)
        self.examples: list[Example] = []
        self.is_loose: list[bool] = []
        self.seen: Counter[str] = Counter()
        self.licences: Counter[str] = Counter()
        self.unreadable: list[str] = []
        self.notes: list[str] = []

    def take(self, frame: LabelledFrame) -> None:
        """Take the masks of a frame that have one of the statuses; a frame whose picture is gone is left out."""
        self.seen.update(one.status for one in frame.masks)
        chosen = [one for one in frame.masks if one.status in self.statuses]
        if not chosen:
            return
        if frame.open_image is None:
            self.unreadable.append(f"{frame.name}: its picture is not at hand")
            return
        try:
            image = frame.open_image()
        except (ImageError, InputError) as error:
            self.unreadable.append(f"{frame.name}: {error}")
            return
        if image.size_hw != frame.size_hw:
            self.unreadable.append(f"{frame.name}: its masks are {frame.size_hw}, its picture {image.size_hw} (h, w)")
            return
        self.licences.update(one.record.provenance.licence or "unknown" for one in chosen)
        self.add(frame.name, frame.ref, image, tuple(map(_mask, chosen)), frame.open_image)

    def add(
        self,
        name: str,
        ref: FrameRef | None,
        image: Image,
        masks: tuple[ExampleMask, ...],
        read: Callable[[], Image],
        episode: str | None = None,
    ) -> None:
        """Add a picture, without the masks that are too small."""
        kept = tuple(one for one in masks if area(one.rle) >= _LEAST_AREA)
        if kept:
            place = f"{self.name}/{episode or name.rpartition('/')[0] or name}"
            group = place if ref is None else f"{ref.dataset}/{ref.episode}"
            self.examples.append(Example(name=name, group=group, digest=image.digest, masks=kept, read=read))
            self.is_loose.append(episode is None if ref is None else ref.camera == LOOSE_CAMERA)

    def finish(self) -> TrainingData:
        """Close: tell what was left out, and let loose pictures of one folder be episodes of their own.

        Raises:
            InputError: nothing is left.
        """
        name = self.name
        if not self.examples:
            raise InputError(f"{self._why_empty()}: {self.path}")
        if self.unreadable:
            self.notes.append(f"{len(self.unreadable)} pictures were left out; the first: {self.unreadable[0]}")
        examples = self.examples
        if len({one.group for one in examples}) < _FEW_GROUPS and all(self.is_loose):
            examples = [replace(one, group=f"{name}/{one.name}") for one in examples]
        if all(one.group == f"{name}/{one.name}" for one in examples):
            self.notes.append("each picture counts as an episode of its own; frames of one video would leak so")
        return TrainingData(
            name=name,
            examples=tuple(examples),
            notes=tuple(self.notes),
            licences=tuple(self.licences.most_common()),
        )

    def _why_empty(self) -> str:
        if self.unreadable:
            return f"no picture with masks can be used; the first: {self.unreadable[0]}"
        if self.notes and not self.seen:
            return f"no mask can be used; {self.notes[0]}"
        others = {status: count for status, count in self.seen.items() if count and status not in self.statuses}
        wanted = " or ".join(self.statuses)
        if not others:
            return f"expected masks that are {wanted}, found none"
        told = ", ".join(f"{count} {status}" for status, count in sorted(others.items()))
        return (
            f"expected masks that are {wanted}, found only others ({told}). Review some (maskwright review), or name "
            "what to learn from with --status"
        )


def _mask(resolved: ResolvedRecord) -> ExampleMask:
    record = resolved.record
    return ExampleMask(
        key=record.id,
        rle=record.rle,
        label=record.label,
        licence=record.provenance.licence,
        is_checked=resolved.verified_by is None or is_person(resolved.verified_by),
    )


def _source(example: Example) -> PictureSource:
    def read() -> LabelledPicture:
        objects = tuple(
            TrueObject(
                key=f"{example.name}#{i}", mask=one.rle, name=one.label, material=one.material, occlusion=one.occlusion
            )
            for i, one in enumerate(example.masks)
        )
        return LabelledPicture(name=example.name, image=example.read(), objects=objects)

    return PictureSource(name=example.name, read=read)


def one_side(data: TrainingData, checkpoint: Path, side: str) -> TrainingData:
    """Take the examples of the episodes that a fine-tuned checkpoint had on one side of its split.

    Episodes that were labelled since, of which the checkpoint knows nothing, are on no side.

    Raises:
        InputError: the checkpoint keeps no split, or none of its episodes on that side are here.
        SettingError: there is no such side.
    """
    if side not in SIDES:
        raise SettingError(f"a split has the sides {', '.join(SIDES)}; got {side!r}")
    path = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "split.json"
    try:
        groups = set(json.loads(path.read_bytes())[side])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected the split of a fine-tuned checkpoint, found none ({error}): {path}") from error
    chosen = tuple(one for one in data.examples if one.group in groups)
    if not chosen:
        raise InputError(f"none of the {len(groups)} {side} episodes of the checkpoint are in {data.name}: {path}")
    return replace(data, examples=chosen)


def licence_of(base: str, licences: Sequence[tuple[str, int]]) -> str:
    """Roll up the terms of a fine-tuned checkpoint: the base's, and those that the masks' pictures name.

    >>> licence_of("Apache-2.0", [("CC-BY-NC-4.0", 3)])
    'Apache-2.0; trained on data under CC-BY-NC-4.0 (research only)'
    """
    named = [f"{licence} ({terms_of(licence)})" for licence, _ in licences if licence != "unknown"]
    has_unknown = not licences or any(licence == "unknown" for licence, _ in licences)
    parts = [*named, *(["terms that nobody recorded"] if has_unknown else [])]
    return f"{base}; trained on data under {', '.join(parts)}"


__all__ = ["TrainingData", "licence_of", "one_side", "read_training_data"]
