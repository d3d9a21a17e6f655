"""`Perceiver`: masks of a few objects on every picture of a camera, within a deadline.

    perceiver = Perceiver("tiny", budget_ms=33)
    perceiver.add("mug", box=(120, 80, 260, 300))
    for frame in camera:
        state = perceiver.step(frame)

A model takes longer than a picture lasts. It looks at keyframes in a process of its own, as many as it gets done, while
optical flow carries masks on every picture; an answer that comes late is moved to the newest picture by the motion
since its own. `step` waits for nobody: work is dropped, pictures are not, and the state says how old each mask is.
"""

import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core import (
    RLE,
    BoxPrompt,
    CombinedPrompt,
    Frame,
    Image,
    MaskPrompt,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from maskwright.core.errors import ImageError, PromptError, SettingError
from maskwright.core.prompt import SinglePrompt
from maskwright.masks import encode, is_empty
from maskwright.models.protocol import Model
from maskwright.models.video_protocol import VideoModel
from maskwright.robot import perceiver_colours
from maskwright.robot.perceiver_camera import CameraLine
from maskwright.robot.perceiver_pace import Sharpness
from maskwright.robot.perceiver_values import Notice, PerceiverSettings, PerceiverState
from maskwright.robot.perceiver_worker import ThreadWorker, Worker

CAMERA = "camera"
# Work that can wait begins before such a share of the budget is spent, or when it has waited for so many pictures.
_SPARE, _MOST_PUT_OFF = 0.75, 4
_ACTIVE_S = 1.0  # a camera that was silent for longer waits for no turn


class Perceiver:
    """A closed loop over one model and any number of cameras. Used from one thread; a context manager.

    `model` is a name or path, which a process of its own loads, or a loaded model, which a thread here runs: steps are
    more even beside a process. `worker` is for those who bring their own. `clock` gives seconds and never goes back.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Model | VideoModel = "tiny",
        *,
        budget_ms: float | None = None,
        settings: PerceiverSettings | None = None,
        worker: Worker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = _settings(settings, budget_ms)
        self._clock = clock
        self._worker = worker or _worker_for(model, self._settings)
        self._lines: dict[str, CameraLine] = {}
        self._num_served = 0
        self._num_restarts = 0
        self._free_since_s: float | None = None
        self._sharpness: Sharpness | None = None
        self._is_closed = False
        perceiver_colours.make_ready()

    @property
    def settings(self) -> PerceiverSettings:
        """What it works by."""
        return self._settings

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that were named so far."""
        return tuple(self._lines)

    def add(
        self,
        name: str,
        prompt: Prompt | None = None,
        *,
        box: Sequence[float] | None = None,
        points: Sequence[tuple[float, float]] | None = None,
        labels: Sequence[int] | None = None,
        mask: RLE | Bool[np.ndarray, "H W"] | None = None,
        text: str | None = None,
        camera: str = CAMERA,
    ) -> None:
        """Look for an object from the next picture of a camera on; what is said is about that picture.

        The model answers some pictures later: until then the object is `waiting`, and if it finds nothing, `lost`. A
        name that is known already is corrected.

        Raises:
            PromptError: nothing is said, or it is malformed.
            SettingError: the name is empty, or the Perceiver was closed.
        """
        self._check_open()
        if not isinstance(name, str) or not name.strip():
            raise SettingError(f"an object needs a name of at least one letter, got {name!r}")
        said = prompt if prompt is not None else _prompt(name, box, points, labels, mask, text)
        line = self._line(camera)
        if isinstance(said, MaskPrompt) and is_empty(said.rle):
            raise PromptError(f"the mask of {name!r} is empty, so it says nothing of where it is")
        if isinstance(said, MaskPrompt) and line.size_hw not in (None, said.rle.size_hw):
            raise PromptError(
                f"the mask of {name!r} must have the size of the camera's pictures {line.size_hw} (h, w), "
                f"got {said.rle.size_hw}"
            )
        line.add(name, said)

    def forget(self, name: str, *, camera: str = CAMERA) -> None:
        """Look for an object no longer.

        Raises:
            SettingError: there is no such object or camera.
        """
        self._known_line(camera).forget(name)

    def step(
        self,
        frame: Image | Frame | UInt8[np.ndarray, "H W 3"],
        *,
        camera: str = CAMERA,
        at_s: float | None = None,
    ) -> PerceiverState:
        """Take the next picture of a camera, and say where its objects are on it.

        `at_s` is when it was taken, by the camera's clock; without it a `Frame`'s timestamp, else the clock's time now.

        Raises:
            ImageError: it is no picture, or is too large for the model's process.
            SettingError: the Perceiver was closed.
        """
        self._check_open()
        began = self._clock()
        image, taken_s = _image_of(frame)
        line = self._line(camera)
        line.last_step_s = began
        when = at_s if at_s is not None else taken_s if taken_s is not None else began
        if not isinstance(when, int | float | np.number) or not np.isfinite(when):
            raise SettingError(f"at_s must be a finite number of seconds, got {when!r}")
        line.see(image, when)
        notices = self._hear()
        if line.late is not None and self._has_time(line, began, notices):
            self._weigh(line.merge())
        line.carry()
        if self._may_ask(line) and self._has_time(line, began, notices):
            self._ask(line, image)
            self._num_served += 1
            line.served = self._num_served
            self._free_since_s = None
        return self._state(line, began, notices, image)

    def wait_until_ready(self, timeout_s: float = 60.0) -> bool:
        """Wait until the model is loaded; False if it is not in time, or cannot be, which `step` then tells.

        Nothing needs this: `step` works from the first picture on. It is for recordings, which would be over by then.

        Raises:
            SettingError: the Perceiver was closed.
        """
        self._check_open()
        end = time.monotonic() + timeout_s
        while self._worker.trouble == "starting" and time.monotonic() < end:
            time.sleep(0.01)
        return not self._worker.trouble

    def peek(self, camera: str = CAMERA) -> PerceiverState:
        """Say what is known now, between two pictures: ages grow, and a camera that stalls is told.

        Raises:
            SettingError: the camera has given no picture yet.
        """
        line = self._known_line(camera)
        if line.size_hw is None:
            raise SettingError(f"camera {camera!r} has given no picture yet. Call step first.")
        since_ms = 1000 * (self._clock() - line.last_step_s)
        objects, notices = line.tell(since_ms)
        if line.is_stalled(since_ms):
            notices.append(Notice(kind="camera_stalled", text=f"no picture has come for {since_ms:.0f} ms"))
        return PerceiverState(
            camera=camera,
            frame=line.moment.frame,
            at_s=line.moment.at_s,
            size_hw=line.size_hw,
            objects=objects,
            notices=(*self._hear(), *notices),
        )

    def close(self) -> None:
        """Stop the model; the second time does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._worker.close()

    def __enter__(self) -> "Perceiver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, line: CameraLine, image: Image) -> None:
        try:
            self._worker.submit(line.question(image, self._model_side))
        except ImageError:
            line.begin_again()  # nothing was asked, so nothing will be answered
            raise

    @property
    def _model_side(self) -> int | None:
        """What to ask the model to look at; None where it is not for us to say."""
        if self._sharpness is None and self._worker.sides:
            self._sharpness = Sharpness(self._worker.sides, self._settings.wanted_age_ms)
        return None if self._sharpness is None else self._sharpness.side

    def _weigh(self, age_ms: float | None) -> None:
        """Let the model look at smaller frames where masks would be too old, and at larger ones where there is time."""
        if self._sharpness is not None and age_ms is not None:
            self._sharpness.answered(age_ms)

    def _state(self, line: CameraLine, began: float, notices: list[Notice], image: Image) -> PerceiverState:
        objects, more = line.tell()
        sharp = self._sharpness
        if sharp is not None and sharp.side < sharp.finest:
            text = f"the model looks at {sharp.side} instead of {sharp.finest} pixels, so that masks are not too old"
            notices.append(Notice(kind="model_coarse", text=text))
        if line.sent is not None:
            waiting_ms = line.moment.elapsed_ms - line.sent.moment.elapsed_ms
            if waiting_ms > self._settings.stale_ms:
                text = f"the model has been looking at one picture for {waiting_ms:.0f} ms"
                notices.append(Notice(kind="model_slow", text=text))
        took_ms = 1000 * (self._clock() - began)
        line.stepped(took_ms)
        return PerceiverState(
            camera=line.name,
            frame=line.moment.frame,
            at_s=line.moment.at_s,
            size_hw=image.size_hw,
            objects=objects,
            notices=(*notices, *more),
            step_ms=took_ms,
            over_budget=took_ms > self._settings.budget_ms,
            flow_side=line.flow_side,
            model_side=self._model_side,
            depth_m=image.depth_m,
        )

    def _hear(self) -> list[Notice]:
        """Take an answer that has come to its camera, and see to the model's health."""
        reply = self._worker.collect()
        if reply is not None and reply.camera in self._lines:
            self._lines[reply.camera].late = reply
        trouble = self._worker.trouble
        if trouble == "starting":
            return [Notice(kind="model_starting", text="the model is being loaded")]
        if not trouble:
            return []
        if self._num_restarts >= self._settings.restarts:
            return [Notice(kind="model_gone", text=f"the model stopped: {trouble}")]
        self._num_restarts += 1
        self._worker.restart()
        for line in self._lines.values():
            line.begin_again()
        again = f"{self._num_restarts} of {self._settings.restarts}"
        return [Notice(kind="model_gone", text=f"the model stopped and is started again ({again}): {trouble}")]

    def _has_time(self, line: CameraLine, began: float, notices: list[Notice]) -> bool:
        """Whether work that can wait still fits into the budget; it waits for a few pictures at most."""
        spent_ms = 1000 * (self._clock() - began)
        if spent_ms < _SPARE * self._settings.budget_ms or line.num_put_off >= _MOST_PUT_OFF:
            line.num_put_off = 0
            return True
        line.num_put_off += 1
        notices.append(Notice(kind="work_delayed", text=f"{spent_ms:.0f} ms were spent: an answer or a question waits"))
        return False

    def _may_ask(self, line: CameraLine) -> bool:
        """Whether it is this camera's turn: it was served least lately of those that give pictures, or none comes."""
        if not line.objects or line.sent is not None or not self._worker.is_free:
            return False
        now_s = self._clock()
        if self._free_since_s is None:
            self._free_since_s = now_s
        others = (
            one
            for one in self._lines.values()
            if one is not line and one.objects and one.sent is None and now_s - one.last_step_s < _ACTIVE_S
        )
        is_first = all(line.served <= one.served for one in others)
        return is_first or 1000 * (now_s - self._free_since_s) > 1.5 * line.period_ms

    def _line(self, camera: str) -> CameraLine:
        if camera not in self._lines:
            self._lines[camera] = CameraLine(camera, self._settings, self._clock)
        return self._lines[camera]

    def _known_line(self, camera: str) -> CameraLine:
        if camera not in self._lines:
            known = ", ".join(self._lines) or "none"
            raise SettingError(f"there is no camera {camera!r}; there are {known}")
        return self._lines[camera]

    def _check_open(self) -> None:
        if self._is_closed:
            raise SettingError("this Perceiver was closed. Make a new one.")


def _settings(settings: PerceiverSettings | None, budget_ms: float | None) -> PerceiverSettings:
    if settings is not None and budget_ms is not None:
        raise SettingError("give budget_ms or settings, which holds one, not both")
    if settings is not None:
        return settings
    return PerceiverSettings() if budget_ms is None else PerceiverSettings(budget_ms=budget_ms)


def _worker_for(model: str | os.PathLike[str] | Model | VideoModel, settings: PerceiverSettings) -> Worker:
    if isinstance(model, str | os.PathLike):
        from maskwright.robot.perceiver_process import ProcessWorker

        return ProcessWorker(model, flow_side=settings.finest_flow_side, model_side=settings.model_side)
    from maskwright.robot.perceiver_looker import Looker

    return ThreadWorker(Looker(model, flow_side=settings.finest_flow_side))


def _prompt(
    name: str,
    box: Sequence[float] | None,
    points: Sequence[tuple[float, float]] | None,
    labels: Sequence[int] | None,
    mask: Any,
    text: str | None,
) -> Prompt:
    parts: list[SinglePrompt] = []
    if box is not None:
        parts.append(BoxPrompt(box))
    if points is not None:
        parts.append(PointPrompt(points, labels))
    if mask is not None:
        parts.append(MaskPrompt(mask if isinstance(mask, RLE) else encode(mask)))
    if text is not None:
        parts.append(TextPrompt(text))
    if not parts:
        raise PromptError(f"say where {name!r} is: a box, points, a mask, or words (text=) for models that read them")
    return parts[0] if len(parts) == 1 else CombinedPrompt(parts)


def _image_of(frame: Any) -> tuple[Image, float | None]:
    if isinstance(frame, Frame):
        return frame.image, frame.ref.timestamp_s
    if isinstance(frame, Image):
        return frame, None
    if isinstance(frame, np.ndarray):
        return Image(frame), None
    raise ImageError(f"expected a picture: an Image, a Frame or a uint8 array (H, W, 3); got {type(frame).__name__}")


__all__ = ["CAMERA", "Perceiver"]
