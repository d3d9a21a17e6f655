"""Frames with masks, wherever they come from, as a check of simulators wants them: truth, and what a model answered.

A store tells both apart by how each mask was made; whatever else holds masks holds truth alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core import RLE, BoxPrompt, Image, MaskRecord
from maskwright.core.errors import ImageError, InputError, MaskwrightError
from maskwright.evaluate import ModelSegmenter
from maskwright.masks import box_xyxy, iou_matrix
from maskwright.models.protocol import Model
from maskwright.robot.simulator_traits import FrameMask
from maskwright.store import LISTED, Query, open_store
from maskwright.train.tune.examples import spread
from maskwright.workflows.store_pictures import StorePictures
from maskwright.workflows.training_data import read_training_data

_MODELS = ("sam_raw", "sam_refined")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFrame:
    """A frame with its true masks. `ious` are those of the model's answers, None where nobody asked a model.

    `group` names the frames that were filmed together. `read` gives the picture, None where it is not at hand.
    """

    name: str
    group: str
    masks: tuple[FrameMask, ...]
    answers: tuple[RLE | None, ...] = ()
    ious: tuple[float, ...] | None = None
    read: Callable[[], Image] | None = None


def read_checked_frames(source: str, *, images: Path | None = None, limit: int | None = None) -> list[CheckedFrame]:
    """Read the frames of a store, of labelled scenes, of COCO and other formats, or of a folder with masks.

    `limit` takes as many, evenly spread. Pictures are not kept.

    Raises:
        InputError: there is nothing there, or nothing with masks.
    """
    path = Path(source).expanduser()
    frames = _of_store(path, images) if (path / "store.json").is_file() else _of_files(source, images)
    if not frames:
        raise InputError(f"expected frames with masks, found none: {path}")
    return frames if limit is None else list(spread(frames, limit))


def ask_model(frame: CheckedFrame, model: Model) -> CheckedFrame:
    """Ask a model for each true mask by its box; what it answers, believes and reaches is added.

    Each picture is seen once, as a whole: small things are not looked at closer, which costs an encoding each.

    Raises:
        ImageError: the picture is not at hand or cannot be read.
    """
    image = picture_of(frame)
    prompts = [BoxPrompt(box_xyxy(one.mask)) for one in frame.masks]
    answers = ModelSegmenter(model, closer=False).open(image).answer(prompts) if prompts else []
    ious = [
        float(iou_matrix([one.mask], [answer.mask])[0, 0]) for one, answer in zip(frame.masks, answers, strict=True)
    ]
    masks = [replace(one, predicted_iou=a.predicted_iou) for one, a in zip(frame.masks, answers, strict=True)]
    return replace(frame, masks=tuple(masks), answers=tuple(a.mask for a in answers), ious=tuple(ious))


def picture_of(frame: CheckedFrame) -> Image:
    """Read a frame's picture.

    Raises:
        ImageError: it is not at hand or cannot be read.
    """
    if frame.read is None:
        raise ImageError(
            f"the picture of this frame is not at hand; say where pictures are with --images: {frame.name}"
        )
    return frame.read()


def grey_of(frame: CheckedFrame) -> UInt8[np.ndarray, "H W"] | None:
    """Read a frame's brightness; None where its picture cannot be had."""
    if frame.read is None:
        return None
    try:
        return cv2.cvtColor(frame.read().pixels, cv2.COLOR_RGB2GRAY)
    except MaskwrightError:
        return None


def _of_files(source: str, images: Path | None) -> list[CheckedFrame]:
    found = read_training_data(source, images=images)
    return [
        CheckedFrame(
            name=one.name,
            group=one.group,
            masks=tuple(FrameMask(mask=mask.rle, label=mask.label) for mask in one.masks),
            read=one.read,
        )
        for one in found.examples
    ]


def _of_store(path: Path, images: Path | None) -> list[CheckedFrame]:
    frames: list[CheckedFrame] = []
    with open_store(path, read_only=True) as store:
        pictures = StorePictures(store, images)
        for stored in store.frames(Query(status=LISTED)):
            records = [one.record for one in stored.masks]
            truth = [one for one in records if one.provenance.method not in _MODELS]
            answers = [one for one in records if one.provenance.method in _MODELS]
            ref = stored.frame.ref
            group = stored.frame.name if ref is None else f"{ref.dataset}/{ref.episode}"
            frame = CheckedFrame(name=stored.frame.name, group=group, masks=(), read=pictures.opener(stored.frame))
            if truth or answers:
                frames.append(_matched(frame, truth, answers) if truth else _unmatched(frame, answers))
    return frames


def _unmatched(frame: CheckedFrame, answers: Sequence[MaskRecord]) -> CheckedFrame:
    masks = (FrameMask(mask=a.rle, label=a.label, predicted_iou=a.scores.predicted_iou) for a in answers)
    return replace(frame, masks=tuple(masks))


def _matched(frame: CheckedFrame, truth: Sequence[MaskRecord], answers: Sequence[MaskRecord]) -> CheckedFrame:
    """Give each true mask the answer that overlaps it most, each answer once, the best pairs first."""
    masks = tuple(FrameMask(mask=one.rle, label=one.label) for one in truth)
    if not answers:
        return replace(frame, masks=masks)
    overlaps = iou_matrix([one.rle for one in truth], [one.rle for one in answers])
    chosen: dict[int, int] = {}
    left = overlaps.copy()
    while left.max() > 0:
        i, j = np.unravel_index(int(left.argmax()), left.shape)
        chosen[int(i)] = int(j)
        left[i], left[:, j] = 0, 0
    masks = tuple(
        replace(one, predicted_iou=answers[chosen[i]].scores.predicted_iou) if i in chosen else one
        for i, one in enumerate(masks)
    )
    return replace(
        frame,
        masks=masks,
        answers=tuple(answers[chosen[i]].rle if i in chosen else None for i in range(len(masks))),
        ious=tuple(float(overlaps[i, chosen[i]]) if i in chosen else 0.0 for i in range(len(masks))),
    )


__all__ = ["CheckedFrame", "ask_model", "grey_of", "picture_of", "read_checked_frames"]
