"""`propagate`: objects through a sequence of frames, as a generator; forwards, or both ways between keyframes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from maskwright.core import Frame, Image, Prompt
from maskwright.core.errors import PromptError, SettingError
from maskwright.models.protocol import Model
from maskwright.models.video_protocol import VideoModel
from maskwright.predict.tracking.settings import TrackSettings
from maskwright.predict.tracking.tracked import TrackedFrame, TrackedMask, Tracker

Prompts = Mapping[str, Prompt] | Mapping[int, Mapping[str, Prompt]]


def propagate(
    model: Model | VideoModel | Tracker,
    frames: Iterable[Image | Frame],
    prompts: Prompts,
    *,
    settings: TrackSettings | None = None,
) -> Iterator[TrackedFrame]:
    """Follow objects through frames as they come; `frames` may be a live stream, of which nothing is kept.

    >>> for frame in propagate(model, frames, {"mug": BoxPrompt((120, 80, 260, 300))}):         # doctest: +SKIP
    ...     frame["mug"].rle, frame["mug"].state

    `prompts` are by track, for the first frame, or by frame number, from 0, and track. A prompt about a track that
    lives corrects it there. A tracker may be given in the place of a model, to go on with the tracks that it has.

    Raises:
        PromptError: there are no prompts, or a prompt is for a frame that never came (told when frames have ended).
        PromptError, PromptOutsideImage, UnsupportedPrompt, ImageError: as `Tracker.step` does.
    """
    by_frame = _by_frame(prompts)
    tracker = cast(Tracker, model) if _is_tracker(model) else make_tracker(cast(Model | VideoModel, model), settings)
    if not by_frame and not tracker.tracks and not (settings and settings.find_new):
        raise PromptError("nothing to follow: give a prompt for each object, or settings that find new objects")
    number = -1
    for number, frame in enumerate(frames):
        yield replace(tracker.step(_image(frame), by_frame.pop(number, None)), index=number)
    if by_frame:
        where = ", ".join(f"{at} ({', '.join(by_frame[at])})" for at in sorted(by_frame))
        raise PromptError(f"there is no frame for the prompts at {where}; the last frame was {number}, counted from 0")


def propagate_both_ways(
    model: Model | VideoModel,
    frames: Sequence[Image],
    prompts: Prompts,
    *,
    settings: TrackSettings | None = None,
) -> Iterator[TrackedFrame]:
    """Follow objects from their keyframes forwards and backwards; between two keyframes the nearer and surer way wins.

    `frames` is read by position, once in order and once in reverse; a sequence that decodes as it is asked keeps memory
    flat but for run lengths: half a kilobyte for each mask of the way forwards. Before a track's first keyframe there
    is the way backwards alone. Gives frames in order, once both passes are done.

    Raises:
        PromptError: there are no prompts, or a prompt is for a frame that is not there.
        PromptError, PromptOutsideImage, UnsupportedPrompt, ImageError: as `Tracker.step` does.
    """
    by_frame = _by_frame(prompts)
    if not by_frame:
        raise PromptError("nothing to follow: give a prompt for each object")
    beyond = [at for at in by_frame if not 0 <= at < len(frames)]
    if beyond:
        raise PromptError(f"there is no frame {beyond[0]} for a prompt; frames are 0 to {len(frames) - 1}")
    keyframes = {track: sorted(at for at, some in by_frame.items() if track in some) for track in _tracks(by_frame)}
    first, last = min(by_frame), max(by_frame)
    forwards = dict(_pass(make_tracker(model, settings), frames, range(first, len(frames)), by_frame))
    backwards = dict(_pass(make_tracker(model, settings), frames, range(last, -1, -1), by_frame))
    for index in range(len(frames)):
        ahead, back = forwards.get(index), backwards.get(index)
        either = ahead or back
        assert either is not None
        masks = (_merged(_of(ahead, track), _of(back, track), keyframes[track], index) for track in keyframes)
        yield TrackedFrame(
            index=index,
            image_digest=either.image_digest,
            masks=tuple(mask for mask in masks if mask is not None),
            is_cut=ahead.is_cut if ahead else False,
        )


def better_of(forward: TrackedMask, backward: TrackedMask, *, share: float) -> TrackedMask:
    """Choose between two masks of one object by confidence and nearness to the keyframe that each comes from.

    `share` says how far along the way from the keyframe before to the one after the frame lies, 0 to 1.
    """
    return forward if forward.confidence * (1 - share) >= backward.confidence * share else backward


def make_tracker(model: Model | VideoModel, settings: TrackSettings | None = None) -> Tracker:
    """Begin a session of tracking with a model. Of the settings a video model takes `patience` alone.

    Raises:
        SettingError: a video model is to look for new objects.
    """
    if isinstance(model, VideoModel):
        from maskwright.predict.tracking.memory_tracker import MemoryTracker

        return MemoryTracker.of(model, settings or TrackSettings())
    from maskwright.predict.tracking.flow_tracker import FlowTracker

    return FlowTracker(model, settings)


def _pass(
    tracker: Tracker, frames: Sequence[Image], numbers: range, by_frame: Mapping[int, Mapping[str, Prompt]]
) -> Iterator[tuple[int, TrackedFrame]]:
    for number in numbers:
        yield number, tracker.step(frames[number], by_frame.get(number))


def _merged(
    ahead: TrackedMask | None, back: TrackedMask | None, keyframes: list[int], index: int
) -> TrackedMask | None:
    if ahead is None or back is None:
        return ahead or back
    before = max((at for at in keyframes if at <= index), default=None)
    after = min((at for at in keyframes if at >= index), default=None)
    if before is None or after is None:
        return ahead if after is None else back
    share = 0.0 if before == after else (index - before) / (after - before)
    return better_of(ahead, back, share=share)


def _of(frame: TrackedFrame | None, track: str) -> TrackedMask | None:
    return next((mask for mask in frame.masks if mask.track == track), None) if frame else None


def _tracks(by_frame: Mapping[int, Mapping[str, Prompt]]) -> list[str]:
    return list(dict.fromkeys(track for at in sorted(by_frame) for track in by_frame[at]))


def _by_frame(prompts: Prompts) -> dict[int, Mapping[str, Prompt]]:
    """Sort prompts by frame; those by track alone are for the first."""
    numbers = [key for key in prompts if isinstance(key, int)]
    if numbers and len(numbers) < len(prompts):
        raise SettingError("prompts are by track, or by frame number and track, not both in one")
    if numbers:
        return {number: cast(Any, prompts)[number] for number in numbers if cast(Any, prompts)[number]}
    return {0: cast(Mapping[str, Prompt], prompts)} if prompts else {}


def _is_tracker(model: Any) -> bool:
    return hasattr(model, "step") and hasattr(model, "forget")


def _image(frame: Image | Frame) -> Image:
    return frame.image if isinstance(frame, Frame) else frame


__all__ = ["better_of", "make_tracker", "propagate", "propagate_both_ways"]
