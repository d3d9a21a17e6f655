"""What a user says about objects of a recording: which one, where, on which frame; checked before any work is done."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from maskwright.core import CombinedPrompt, MaskPrompt, Prompt, SinglePrompt, SizeHW, prompt_parts
from maskwright.core.errors import PromptError, PromptOutsideImage, SettingError
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.annotate_recipe import ObjectPrompt
from maskwright.workflows.frame_names import Place
from maskwright.workflows.stages import lies_outside


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPrompt:
    """On the frame at `place`, this is where the object is that the track is called after."""

    place: Place
    track: str
    prompt: Prompt
    label: str | None = None

    def __post_init__(self) -> None:
        if not self.track.strip():
            raise PromptError("an object to track needs a name")


def by_frame(prompts: Iterable[TrackPrompt]) -> dict[Place, dict[str, TrackPrompt]]:
    """Group prompts by frame and track; several of one object on one frame become one prompt.

    Raises:
        PromptError: an object has two boxes or masks on one frame, or two labels.
    """
    grouped: dict[Place, dict[str, list[TrackPrompt]]] = defaultdict(lambda: defaultdict(list))
    for one in prompts:
        grouped[one.place][one.track].append(one)
    return {
        place: {track: _joined(those) for track, those in by_track.items()}
        for place, by_track in sorted(grouped.items())
    }


def _joined(those: Sequence[TrackPrompt]) -> TrackPrompt:
    if len(those) == 1:
        return those[0]
    first, labels = those[0], {one.label for one in those if one.label is not None}
    if len(labels) > 1:
        raise PromptError(f"an object has one label, got {', '.join(sorted(labels))} for {first.track}")
    parts = tuple(part for one in those for part in prompt_parts(one.prompt))
    label = next(iter(labels), None)
    return TrackPrompt(place=first.place, track=first.track, prompt=CombinedPrompt(parts), label=label)


def check_place(footage: Footage, place: Place) -> None:
    """Refuse a frame that is not there.

    Raises:
        SettingError: the source has no such episode, camera or frame.
    """
    key, camera, index = place
    episode = next((one for one in footage.source.episodes if one.key == key), None)
    if episode is None or camera not in episode.cameras:
        raise SettingError(f"there is no camera {camera!r} of an episode {key!r} in this source: {footage.path}")
    if not 0 <= index < episode.num_frames:
        last = episode.num_frames - 1
        raise SettingError(f"a prompt needs a frame from 0 to {last}, got {index} of {key}/{camera}: {footage.path}")


def check_inside(prompt: TrackPrompt, size_hw: SizeHW) -> None:
    """Refuse a prompt that does not fit its frame.

    Raises:
        PromptOutsideImage: a point or box lies outside.
        PromptError: a mask has another size.
    """
    height, width = size_hw
    where = f"on frame {prompt.place[2]}, of {width}x{height} (width x height)"
    if lies_outside(ObjectPrompt(prompt=prompt.prompt), size_hw):
        raise PromptOutsideImage(f"the prompt for {prompt.track} lies outside the picture {where}")
    for part in prompt_parts(prompt.prompt):
        if isinstance(part, MaskPrompt) and part.rle.size_hw != size_hw:
            raise PromptError(f"the mask for {prompt.track} is {part.rle.size_hw} (h, w) {where}; it needs that size")


def said(prompt: Prompt | None) -> tuple[SinglePrompt, ...]:
    """What a user said of an object, without the mask that a correction starts from."""
    if prompt is None:
        return ()
    parts = prompt_parts(prompt)
    others = tuple(part for part in parts if not isinstance(part, MaskPrompt))
    return others or parts


def tracks_by_recording(prompts: Mapping[Place, Mapping[str, TrackPrompt]]) -> Iterator[tuple[str, str, str]]:
    """List (episode, camera, track) of all prompts."""
    for (episode, camera, _), by_track in prompts.items():
        for track in by_track:
            yield episode, camera, track


__all__ = ["TrackPrompt", "by_frame", "check_inside", "check_place", "said", "tracks_by_recording"]
