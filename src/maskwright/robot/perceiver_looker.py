"""`Looker`: the part of the Perceiver that runs the model: a tracker for each camera, which is shown keyframes alone.

Between two keyframes lies the motion that `step` has followed over all pictures between them, so that the tracker knows
what happened without having seen them.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskwright.core import Image, MaskPrompt, Prompt
from maskwright.core.errors import MaskwrightError
from maskwright.masks import encode
from maskwright.models.protocol import Model
from maskwright.models.tiny import TinySam
from maskwright.models.video_protocol import VideoModel
from maskwright.predict.tracking import TrackedFrame, Tracker, TrackSettings, make_tracker
from maskwright.predict.tracking.flow_tracker import FlowTracker
from maskwright.predict.tracking.motion import Motion
from maskwright.robot.perceiver_rigid import MotionOfThings
from maskwright.robot.perceiver_worker import Question, Reply, Sighting

_SQUARE_HW = (96, 128)
_FOR_EVER = 10**9  # keyframes for which a lost object is looked for


@dataclass(slots=True)
class _Session:
    number: int
    tracker: Tracker


class Looker:
    """Answers questions about the pictures of several cameras with one model."""

    def __init__(self, model: Model | VideoModel, *, flow_side: int) -> None:
        self._model = model
        # Every picture that it is shown is a keyframe: the model looks at each.
        self._settings = TrackSettings(stride=1, patience=_FOR_EVER, flow_side=flow_side)
        self._sessions: dict[str, _Session] = {}

    def make_ready(self, sides: Sequence[int] = ()) -> None:
        """Look at a picture of a square, on each of `sides`: what is compiled at first use (some seconds) is, then."""
        height, width = _SQUARE_HW
        pixels, inside = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.bool_)
        middle = slice(height // 4, -height // 4), slice(width // 4, -width // 4)
        pixels[middle], inside[middle] = 255, True
        asked = Question(camera="", session=0, number=0, pixels=pixels, prompts={"square": MaskPrompt(encode(inside))})
        self.look(asked)
        for number, side in enumerate(sides or (None,), start=1):
            self.look(replace(asked, number=number, prompts={}, model_side=side))
        del self._sessions[""]

    def look(self, question: Question) -> Reply:
        """Look at a keyframe. A prompt that draws nothing is told in `failed`, and the other objects go on."""
        began = time.perf_counter()
        self._look_at_side(question.model_side)
        tracker = self._tracker(question)
        for name in question.forget:
            if name in tracker.tracks:
                tracker.forget(name)
        image = Image(question.pixels)
        failed: dict[str, str] = {}
        try:
            frame = _step(tracker, image, question.prompts, question.motion)
        except MaskwrightError as error:
            drawn = {name: prompt for name, prompt in question.prompts.items() if isinstance(prompt, MaskPrompt)}
            if len(drawn) == len(question.prompts):
                raise
            failed = {name: str(error) for name in question.prompts if name not in drawn}
            frame = _step(tracker, image, drawn, question.motion)
        return Reply(
            camera=question.camera,
            session=question.session,
            number=question.number,
            sightings=tuple(
                Sighting(name=one.track, rle=one.rle, state=one.state, confidence=one.confidence) for one in frame.masks
            ),
            failed=failed,
            took_ms=1000 * (time.perf_counter() - began),
        )

    def _look_at_side(self, side: int | None) -> None:
        model = self._model
        if side is not None and isinstance(model, TinySam) and side != model.frame.side:
            model.look_at_side(side)  # what trackers know of objects is about no side

    def _tracker(self, question: Question) -> Tracker:
        session = self._sessions.get(question.camera)
        if session is None or session.number != question.session:
            session = _Session(question.session, make_tracker(self._model, self._settings))
            self._sessions[question.camera] = session
        return session.tracker


def _step(tracker: Tracker, image: Image, prompts: Mapping[str, Prompt], motion: Motion | None) -> TrackedFrame:
    if isinstance(tracker, FlowTracker):
        # Over several pictures at once a mask wears away by the flow of each pixel, and asks for less than is there.
        return tracker.step(image, prompts, motion=None if motion is None else MotionOfThings.of(motion))
    return tracker.step(image, prompts)  # a video model knows motion by itself


__all__ = ["Looker"]
