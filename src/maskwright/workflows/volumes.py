"""Masks through a volume: objects shown on a slice or a few, followed slice by slice in both directions.

One pass runs from the first prompted slice to the end, one from the last prompted slice to the beginning; every
prompted slice on the way corrects its objects. Before the first and after the last slice that an object was shown on,
one pass speaks of it; between two such slices both do, and the nearer and surer one is taken. Things in a volume end
and do not come back, unlike those of a video: where a pass is no longer sure of an object it has ended there. What the
first pass found is kept as run lengths; the second writes each slice into the label volume as it comes, which lies in a
temporary file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt

from maskwright import __version__
from maskwright.core import BoxPrompt, MaskPrompt, ModelRef, PointPrompt, Prompt, SizeHW, prompt_parts, to_json
from maskwright.core.errors import PromptError, PromptOutsideImage, SettingError
from maskwright.datasets.medical import Intensity
from maskwright.datasets.volume import Volume, axis_name
from maskwright.datasets.volume_labels import write_labels
from maskwright.datasets.volume_slices import VolumeSlices
from maskwright.masks import area, intersection, is_empty
from maskwright.models import Model
from maskwright.predict.embedding import model_ref
from maskwright.predict.tracking import TrackedMask, Tracker, TrackSettings, make_tracker
from maskwright.workflows.label_volume import LabelCanvas, SeenMask, SegmentedObject

# Slice number -> object -> prompt, in voxels of the slice (x before y).
SlicePrompts = Mapping[int, Mapping[str, Prompt]]
NewTracker = Callable[[], Tracker]
_MOST_OBJECTS = 65_535
# The model on every second slice: by number, not by time as for video, so that the same command gives the same labels.
_SETTINGS = TrackSettings(stride=2)
# Less sure than this, or less of it over what it was on the slice before, and an object has ended. Measured on a
# fluorescence volume with the embedded model: docs/log.md, "volumes".
_ENDS_BELOW, _ENDS_APART = 0.4, 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentedVolume:
    """Labels on the grid of a volume, 0 where there is no object, and how they came to be."""

    volume: Volume
    axis: int
    labels: UInt[np.ndarray, "i j k"]
    objects: tuple[SegmentedObject, ...]
    prompts: SlicePrompts
    model: ModelRef
    intensity: Intensity | None
    created_at: datetime

    @property
    def names(self) -> dict[int, str]:
        """What each number is called."""
        return {one.number: one.name for one in self.objects}

    def save(self, out: str | Path) -> Path:
        """Write the labels as .nii, .nii.gz or .tif with a JSON beside it; gives the JSON's path.

        Raises:
            SettingError: one of the files exists or cannot be written, or the suffix is another.
        """
        return write_labels(self.labels, self.names, self.volume, Path(out), story=self._story())

    def _story(self) -> dict[str, Any]:
        return {
            "method": "sam_raw",
            "model": to_json(self.model),
            "axis": axis_name(self.volume, self.axis),
            "prompts": {
                str(index): {name: to_json(prompt) for name, prompt in shown.items()}
                for index, shown in self.prompts.items()
            },
            "intensity": None if self.intensity is None else repr(self.intensity),
            "objects": to_json(self.objects),
            "created_at": self.created_at.isoformat(),
            "maskwright": __version__,
        }


def segment_volume(
    model: Model,
    volume: Volume,
    prompts: SlicePrompts,
    *,
    axis: str | int | None = None,
    intensity: Intensity | None = None,
    progress: Callable[[int, int], None] | None = None,
    new_tracker: NewTracker | None = None,
) -> SegmentedVolume:
    """Follow objects through a volume from the slices across `axis` that they were shown on.

    Prompts are in voxels of the slice; `volume_slices` says which way its axes run. Where objects meet, the surer one
    has the voxel. `new_tracker` makes the session of a pass; left out, it is one that draws on every second slice.

    Raises:
        PromptError, PromptOutsideImage, UnsupportedPrompt: a prompt does not fit its slice or the model.
        SettingError: there is no such axis or slice.
        InputError: a slice cannot be decoded.
    """
    slices = VolumeSlices(volume, axis=axis, intensity=intensity)
    check_prompts(slices, prompts)
    shown = {index: dict(prompts[index]) for index in sorted(prompts) if prompts[index]}
    first, last = min(shown), max(shown)
    telling = _Telling(progress, total=slices.num_slices - first + last + 1)
    begin = new_tracker or _tracker_of(model)
    forward = dict(_follow(begin(), slices, shown, range(first, slices.num_slices), telling))
    backward = _follow(begin(), slices, shown, range(last, -1, -1), telling)
    numbers = {name: number for number, name in enumerate(_names(shown), start=1)}
    drawn = LabelCanvas(slices, numbers)
    for index, found in backward:
        drawn.draw(index, _joined(forward.pop(index, {}), found))
    for index, found in forward.items():
        drawn.draw(index, found)
    return SegmentedVolume(
        volume=volume,
        axis=slices.axis,
        labels=drawn.labels,
        objects=drawn.objects(),
        prompts=shown,
        model=model_ref(model),
        intensity=intensity or volume.window,
        created_at=datetime.now(UTC),
    )


def check_prompts(slices: VolumeSlices, prompts: SlicePrompts) -> None:
    """Refuse prompts that do not fit, before a model is loaded.

    Raises:
        PromptError: there is none, or a mask has another size than the slice.
        PromptOutsideImage: a point or box lies wholly outside its slice.
        SettingError: there is no such slice.
    """
    if not any(prompts.values()):
        raise PromptError("following an object needs at least one prompt on one slice, got none")
    if len(_names(prompts)) > _MOST_OBJECTS:
        raise SettingError(f"a label volume holds at most {_MOST_OBJECTS} objects, got {len(_names(prompts))}")
    for index, shown in prompts.items():
        if not 0 <= index < slices.num_slices:
            raise SettingError(
                f"there is no {slices.camera} slice {index}; slices are 0 to {slices.num_slices - 1}: "
                f"{slices.volume.path}"
            )
        for name, prompt in shown.items():
            _check_inside(f"{name} on slice {index}", prompt, slices.grid.voxels_hw)


@dataclass(slots=True)
class _Telling:
    progress: Callable[[int, int], None] | None
    total: int
    done: int = 0

    def one_more(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _tracker_of(model: Model) -> NewTracker:
    return lambda: make_tracker(model, _SETTINGS)


def _follow(
    tracker: Tracker,
    slices: VolumeSlices,
    shown: SlicePrompts,
    order: range,
    telling: _Telling,
) -> Iterator[tuple[int, dict[str, SeenMask]]]:
    """Run one pass; gives what was seen on each slice. Objects that have ended are forgotten."""
    shown_last = {name: index for index in order for name in shown.get(index, {})}
    shown_at: dict[str, int] = {}
    before: dict[str, SeenMask] = {}
    for index in order:
        given = shown.get(index, {})
        shown_at |= dict.fromkeys(given, index)
        moved = {name: slices.grid.to_picture(prompt) for name, prompt in given.items()}
        frame = tracker.step(slices.image(index), moved or None)
        found = {one.track: _seen(one, slices, abs(index - shown_at[one.track])) for one in frame.masks}
        for name, one in list(found.items()):
            was_shown_for_good = shown_at[name] == shown_last[name] and name not in given
            if was_shown_for_good and _has_ended(one, before[name]):
                tracker.forget(name)
                del found[name]
        yield index, found
        before = found
        telling.one_more()


def _has_ended(now: SeenMask, before: SeenMask) -> bool:
    """Say whether an object that was there on the slice before is there no longer."""
    smaller = min(area(now.rle), area(before.rle))
    shared = area(intersection([now.rle, before.rle]))
    return now.confidence < _ENDS_BELOW or shared < _ENDS_APART * smaller or not smaller


def _seen(mask: TrackedMask, slices: VolumeSlices, distance: int) -> SeenMask:
    return SeenMask(rle=slices.grid.to_voxels(mask.rle), confidence=mask.confidence, distance=distance)


def _joined(forward: Mapping[str, SeenMask], backward: Mapping[str, SeenMask]) -> dict[str, SeenMask]:
    return {
        name: _better(forward[name], backward[name])
        if name in forward and name in backward
        else (forward.get(name) or backward[name])
        for name in {**forward, **backward}
    }


def _better(forward: SeenMask, backward: SeenMask) -> SeenMask:
    """Choose between two that were seen from both sides: confidence, weighed by how near the shown slice is."""
    if is_empty(forward.rle) != is_empty(backward.rle) and min(forward.distance, backward.distance):
        return backward if is_empty(forward.rle) else forward  # an object that is on both sides is in between
    sure_forward, sure_backward = forward.confidence * backward.distance, backward.confidence * forward.distance
    return forward if sure_forward >= sure_backward else backward


def _names(prompts: SlicePrompts) -> list[str]:
    """List the objects in the order in which their slices come."""
    return list(dict.fromkeys(name for index in sorted(prompts) for name in prompts[index]))


def _check_inside(what: str, prompt: Prompt, size_hw: SizeHW) -> None:
    height, width = size_hw
    for part in prompt_parts(prompt):
        match part:
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                corners = [(x1, y1, x2, y2)]
            case PointPrompt(points_xy=points):
                corners = [(x, y, x, y) for x, y in points]
            case MaskPrompt(rle=rle):
                if rle.size_hw != size_hw:
                    raise PromptError(
                        f"the mask of {what} must have the slice's size {size_hw} (h, w), got {rle.size_hw}"
                    )
                corners = []
            case _:
                corners = []
        for x1, y1, x2, y2 in corners:
            if x2 < 0 or y2 < 0 or x1 > width or y1 > height:
                raise PromptOutsideImage(
                    f"the prompt of {what} lies outside the slice of {width}x{height} voxels (width x height). "
                    "Coordinates are voxels from the first corner, x,y."
                )


__all__ = ["SegmentedObject", "SegmentedVolume", "SlicePrompts", "check_prompts", "segment_volume"]
