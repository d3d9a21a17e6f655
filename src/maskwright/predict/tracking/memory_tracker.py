"""A tracker over a video model, which remembers by itself how objects look and draws them anew on every frame.

Each object has its own memory of bounded size; they share only the features of the frame. The model says by itself when
an object is not in sight, and finds it again. What it does not do: carry masks by flow, see cuts, look for new objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from maskwright.core import RLE, Image, Prompt, Scores, SizeHW
from maskwright.core.errors import ImageError, SettingError
from maskwright.core.track import TrackState
from maskwright.masks import box_xyxy, is_empty
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.models.video_protocol import ObjectMemory, Sighting, VideoModel
from maskwright.predict.predict import STABILITY_OFFSET
from maskwright.predict.tracking.memory_prompts import check_prompt, given_mask, to_video_frame
from maskwright.predict.tracking.settings import TrackSettings
from maskwright.predict.tracking.tracked import TrackedFrame, TrackedMask
from maskwright.predict.upscale import masks_from_logits

# How near the edge, as a share of the side, an object was seen last that is taken to have left the picture.
_EDGE = 0.01


@dataclass(slots=True)
class _Followed:
    """One object: what the model remembers, where it was seen last, and for how many frames it has not been."""

    memory: ObjectMemory
    last_box_xyxy: tuple[float, float, float, float] | None = None
    num_unseen: int = 0


class MemoryTracker:
    """Implements `Tracker`. A track that is not seen for more than `patience` frames ends."""

    def __init__(self, model: VideoModel, *, patience: int = 300) -> None:
        if patience < 1:
            raise SettingError(f"patience must be above 0, got {patience}")
        self._model = model
        self._patience = patience
        self._followed: dict[str, _Followed] = {}
        self._size_hw: SizeHW | None = None
        self._index = -1

    @classmethod
    def of(cls, model: VideoModel, settings: TrackSettings) -> "MemoryTracker":
        """Begin a session by the settings of tracking, of which patience alone has a meaning here.

        Raises:
            SettingError: it is to look for new objects.
        """
        if settings.find_new:
            raise SettingError(
                f"{model.card.name} follows the objects that it is told of and finds no new ones. "
                "Use another model to find them, or leave find_new at 0."
            )
        return cls(model, patience=settings.patience)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, in the order in which they began."""
        return tuple(self._followed)

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        """Take the next frame. A prompt begins the track of its name, or corrects it: a keyframe either way.

        Points and boxes that correct are read in the light of what is remembered; a mask is taken as it is.

        Raises:
            PromptError, PromptOutsideImage, UnsupportedPrompt: as `check_prompt` does; the tracker is as it was before.
            ImageError: the frame has another size than those before it.
        """
        said = dict(prompts or {})
        self._check(image, said)
        self._size_hw = image.size_hw
        self._index += 1
        for track in said:
            if track not in self._followed:
                self._followed[track] = _Followed(self._model.begin_memory())
        masks = self._draw(image, said) if self._followed else ()
        self._end_what_is_gone()
        return TrackedFrame(
            index=self._index,
            image_digest=image.digest,
            masks=tuple(mask for mask in masks if mask.track in self._followed),
        )

    def forget(self, track: str) -> None:
        """Drop a track and all that is known of it.

        Raises:
            SettingError: there is no such track.
        """
        if track not in self._followed:
            known = ", ".join(self._followed) or "none"
            raise SettingError(f"there is no track {track!r}; tracks that live: {known}")
        del self._followed[track]

    def _check(self, image: Image, said: Mapping[str, Prompt]) -> None:
        if self._size_hw is not None and image.size_hw != self._size_hw:
            raise ImageError(
                f"expected a frame of {self._size_hw} (h, w), as those before it, got {image.size_hw}. "
                "Begin a new tracker for another camera."
            )
        for prompt in said.values():
            check_prompt(prompt, image.size_hw, self._model)

    def _draw(self, image: Image, said: Mapping[str, Prompt]) -> tuple[TrackedMask, ...]:
        features = self._model.encode_frame(image.pixels)
        sightings: list[Sighting] = []
        for track, followed in self._followed.items():
            prompt = said.get(track)
            spoken = None if prompt is None else to_video_frame(prompt, image.size_hw, self._model)
            sightings.append(followed.memory.step(features, spoken))
        drawn = _drawn(sightings, image.size_hw, self._model.frame.logits_side)
        return tuple(
            self._judge(track, mask, said.get(track)) for track, mask in zip(self._followed, drawn, strict=True)
        )

    def _judge(self, track: str, drawn: "_Drawn", prompt: Prompt | None) -> TrackedMask:
        """Say what a sighting means, and note where the object was seen."""
        followed = self._followed[track]
        given = None if prompt is None else given_mask(prompt)
        if given is not None:
            drawn = _Drawn(rle=given.rle, confidence=1.0, scores=Scores())
        state: TrackState = "visible"
        if is_empty(drawn.rle):
            has_left = given is not None or _was_at_edge(followed.last_box_xyxy, drawn.rle.size_hw)
            state = "outside" if has_left else "occluded"
            followed.num_unseen += 1
        else:
            followed.last_box_xyxy = box_xyxy(drawn.rle)
            followed.num_unseen = 0
        return TrackedMask(
            track=track,
            rle=drawn.rle,
            source="segmented" if prompt is None else "keyframe",
            state=state,
            confidence=drawn.confidence,
            prompt=prompt,
            scores=drawn.scores,
        )

    def _end_what_is_gone(self) -> None:
        for track in [name for name, one in self._followed.items() if one.num_unseen > self._patience]:
            del self._followed[track]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A sighting in image pixels."""

    rle: RLE
    confidence: float
    scores: Scores


def _drawn(sightings: Sequence[Sighting], size_hw: SizeHW, logits_side: int) -> list[_Drawn]:
    """Leave torch, for all objects of a frame at once.

    Confidence is the probability of being in sight times the predicted IoU; of nothing, that of not being in sight.
    """
    # Logits of the whole picture are resized to it in one step: their own square is the frame.
    square = FrameSpec(side=logits_side, logits_side=logits_side)
    frame = ModelFrame(size_hw=size_hw, input_hw=(logits_side, logits_side), spec=square)
    logits = torch.stack([one.logits for one in sightings])
    drawn = masks_from_logits(logits, frame, stability_offset=STABILITY_OFFSET)
    in_sight = torch.sigmoid(torch.stack([one.presence for one in sightings])).tolist()
    predicted = torch.stack([one.predicted_iou for one in sightings]).tolist()
    found: list[_Drawn] = []
    for mask, probability, iou in zip(drawn, in_sight, predicted, strict=True):
        if not mask.area:
            found.append(_Drawn(rle=mask.rle, confidence=1 - probability, scores=Scores()))
            continue
        confidence = probability * min(max(iou, 0.0), 1.0)
        found.append(
            _Drawn(rle=mask.rle, confidence=confidence, scores=Scores(predicted_iou=iou, stability=mask.stability))
        )
    return found


def _was_at_edge(box: tuple[float, float, float, float] | None, size_hw: SizeHW) -> bool:
    if box is None:
        return False
    height, width = size_hw
    x1, y1, x2, y2 = box
    near_x, near_y = _EDGE * width, _EDGE * height
    return x1 <= near_x or y1 <= near_y or x2 >= width - near_x or y2 >= height - near_y


__all__ = ["MemoryTracker"]
