"""What tracking gives for each frame, and what a tracker is.

A tracker is shown the frames of one camera in order and says on each where its objects are. It looks at no later frame
and keeps no earlier one, so a live stream is as good as a file, and memory stays flat however long it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from maskwright.core import RLE, Image, Prompt, Scores
from maskwright.core.track import TrackSource, TrackState


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedMask:
    """An object on one frame. `rle` has the image's size and holds what is seen of the object, maybe nothing.

    `prompt` is what the model was asked, None for a mask that was carried; `scores` are the model's of its answer.
    """

    track: str
    rle: RLE
    source: TrackSource
    state: TrackState = "visible"
    confidence: float = 1.0
    prompt: Prompt | None = None
    scores: Scores = field(default_factory=Scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFrame:
    """Every live track on one frame, in the order in which they began.

    `index` counts the frames that the tracker was shown, from 0. `is_cut` says that the picture changed as a whole
    between the last frame and this one, so that nothing could be carried over.
    """

    index: int
    image_digest: str
    masks: tuple[TrackedMask, ...]
    is_cut: bool = False

    def __getitem__(self, track: str) -> TrackedMask:
        """The mask of one track."""
        for mask in self.masks:
            if mask.track == track:
                return mask
        raise KeyError(track)


class Tracker(Protocol):
    """A session of tracking: state of bounded size over the frames seen so far."""

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, in the order in which they began."""
        ...

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        """Take the next frame. A prompt begins the track of its name, or corrects it: a keyframe either way.

        A mask prompt is taken as it is; of other prompts the model draws the mask.

        Raises:
            PromptError, PromptOutsideImage, UnsupportedPrompt: as `predict` does; the tracker is as it was before.
            ImageError: the frame has another size than those before it.
        """
        ...

    def forget(self, track: str) -> None:
        """Drop a track and all that is known of it.

        Raises:
            SettingError: there is no such track.
        """
        ...


__all__ = ["TrackedFrame", "TrackedMask", "Tracker"]
