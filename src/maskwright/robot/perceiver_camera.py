"""`CameraLine`: all that a Perceiver knows of one camera: its objects, where flow has carried them, what is on its way.

Masks are kept as they were on the last keyframe, and each picture moves them by the motion since. When an answer
comes, it takes the place of the mask on its keyframe, and the same motion brings it to the newest picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.core import BoxPrompt, Image, MaskPrompt, Prompt, SizeHW
from maskwright.core.errors import SettingError
from maskwright.masks import box_xyxy, decode, is_empty
from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_carried import Carried
from maskwright.robot.perceiver_motion import MotionMeter, Way, reversed_motion
from maskwright.robot.perceiver_pace import Effort
from maskwright.robot.perceiver_prompts import moved, rescaled
from maskwright.robot.perceiver_time import Moment, Timeline
from maskwright.robot.perceiver_values import Notice, NoticeKind, PerceivedObject, PerceiverSettings
from maskwright.robot.perceiver_worker import Question, Reply, Sighting

_UNMOVED = "its motion could not be computed in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A question on its way: the moment of its picture, the objects that it was about, those that were only resumed.

    `asked` is the moment at which it was asked; a picture that came again and again is older than that.
    """

    number: int
    moment: Moment
    asked: Moment
    added: dict[str, int]
    resumed: frozenset[str]


@dataclass(slots=True)
class _Frozen:
    """How often the picture came again, and when it came first."""

    times: int = 0
    first: Moment | None = None


class CameraLine:
    """The pictures of one camera, in order."""

    def __init__(self, name: str, settings: PerceiverSettings, clock: Callable[[], float]) -> None:
        self.name = name
        self.objects: dict[str, Carried] = {}
        self.sent: Sent | None = None
        self.late: Reply | None = None
        self.last_step_s = 0.0
        self.served = 0
        self.num_put_off = 0
        self._settings, self._clock = settings, clock
        self._timeline = Timeline(settings)
        self._effort = Effort(settings.budget_ms) if settings.flow_side == "auto" else None
        self._motion_ms = 0.0
        self._share: float | None = None
        self._answered_ms: float | None = None
        self._size_hw: SizeHW | None = None
        self._session = self._number = self._added = 0
        self._meter, self._way = MotionMeter(settings.finest_flow_side), Way()
        self._frozen = _Frozen()
        self._blind_from, self._blind_why = 0, ""
        self._is_unmoved = False
        self._has_keyframe = False
        self._forgotten: list[str] = []
        self._resumed: set[str] = set()
        self._notices: list[Notice] = []

    @property
    def size_hw(self) -> SizeHW | None:
        """(height, width) of its pictures; None before the first."""
        return self._size_hw

    @property
    def moment(self) -> Moment:
        """That of the newest picture."""
        assert self._timeline.last is not None
        return self._timeline.last

    @property
    def period_ms(self) -> float:
        """The usual time between its pictures."""
        return self._timeline.period_ms

    def is_stalled(self, since_ms: float) -> bool:
        """Whether a picture should have come by now."""
        return self._timeline.is_gap(since_ms)

    def add(self, name: str, prompt: Prompt) -> None:
        """Look for an object from the next picture on; of one that is known, correct its mask."""
        known = self.objects.get(name)
        if known is not None:
            known.prompt, known.way, known.why, known.failed = prompt, None, "", ""
            return
        self._added += 1
        self.objects[name] = Carried(name, self._added, prompt)

    def forget(self, name: str) -> None:
        """Drop an object."""
        if name not in self.objects:
            known = ", ".join(self.objects) or "none"
            raise SettingError(f"camera {self.name!r} has no object {name!r}; it has {known}")
        del self.objects[name]
        self._forgotten.append(name)

    def see(self, image: Image, at_s: float) -> None:
        """Take the next picture: its time, its size, and how it moved."""
        moment, notices = self._timeline.take(at_s)
        self._notices = list(notices)
        if any(notice.kind == "frame_gap" for notice in notices):
            self._blind(moment, "pictures were missing after the model looked")
        if self._size_hw not in (None, image.size_hw):
            self._change_size(image.size_hw)
        self._size_hw = image.size_hw
        began = self._clock()
        self._watch_for_frozen(self._meter.see(image.pixels), moment)
        share = self._share = 1.0 if self._effort is None else self._effort.share()
        self._is_unmoved, self._motion_ms = share is None, 0.0
        if share is None:
            self._note("motion_skipped", "motion takes longer than the budget; masks stay where they were this time")
            self._extend(None)
            return
        motion = self._meter.motion(share)
        if motion is not None:
            self._motion_ms = 1000 * (self._clock() - began)
            if motion.is_cut:
                self._note("cut", "the picture changed as a whole")
        if share < 1:
            sides = f"{self.flow_side} instead of {self._settings.finest_flow_side} pixels"
            self._note("motion_coarse", f"motion is computed on {sides}, to keep the budget")
        self._extend(motion)

    @property
    def flow_side(self) -> int:
        """The longer side of what the motion to the newest picture was computed on; 0 where it was left out."""
        return round(self._settings.finest_flow_side * (self._share or 0))

    def stepped(self, took_ms: float) -> None:
        """Tell what all that was done about the newest picture took, so that the next ones keep the budget."""
        if self._effort is not None and self._motion_ms:
            self._effort.took(self._motion_ms, took_ms - self._motion_ms)

    def carry(self) -> None:
        """Move all masks to the newest picture."""
        for one in self.objects.values():
            way = one.way or self._way
            if way.is_cut and one.base.values.size:
                one.base, one.state, one.why = SoftMask.nothing(self._grid_hw), "outside", "the picture changed"
            one.now, one.kept = way.carry(one.base)

    def merge(self) -> float | None:
        """Let the answer that has come take the place of the masks of its keyframe.

        Returns how old masks are on average when such answers come so often; None where nobody knows.
        """
        reply, self.late = self.late, None
        sent, self.sent = self.sent, None
        if reply is None or sent is None or reply.session != self._session or reply.number != sent.number:
            return None
        for name, text in reply.failed.items():
            one = self._meant(name, sent)
            if one is not None:
                one.asked, one.failed = None, text
        for sighting in reply.sightings:
            one = self._meant(sighting.name, sent)
            if one is not None and one.name not in reply.failed:
                self._take(one, sighting, sent)
        now_ms, last_ms, self._answered_ms = self.moment.elapsed_ms, self._answered_ms, self.moment.elapsed_ms
        return None if last_ms is None else now_ms - sent.asked.elapsed_ms + (now_ms - last_ms) / 2

    def question(self, image: Image, model_side: int | None = None) -> Question:
        """Make the newest picture a keyframe. At most one prompt is asked that the model has to draw."""
        prompts = self._prompts_now(image.size_hw)
        self._number += 1
        motion = self._way.motion if self._has_keyframe else None
        question = Question(
            camera=self.name,
            session=self._session,
            number=self._number,
            pixels=image.pixels,
            motion=motion,
            prompts=prompts,
            forget=tuple(self._forgotten),
            model_side=model_side,
        )
        frozen = self._is_frozen and self._frozen.first
        self.sent = Sent(
            number=self._number,
            moment=frozen or self.moment,
            asked=self.moment,
            added={name: one.added for name, one in self.objects.items()},
            resumed=frozenset(self._resumed & set(prompts)),
        )
        self._resumed -= set(prompts)
        self._forgotten = []
        self._has_keyframe = True
        self._hold()
        self._way = Way(view=self._meter.newest)
        for one in self.objects.values():
            if one.prompt is None:  # what still waits to be asked keeps the way from its own picture
                one.base, one.confidence, one.kept, one.way = one.now, one.confidence * one.kept, 1.0, None
        return question

    def begin_again(self) -> None:
        """Start a new session from the masks as they are: whoever looked before knows nothing any more."""
        self._session += 1
        self.sent = self.late = self._answered_ms = None
        self._has_keyframe = False
        self._forgotten = []
        for one in self.objects.values():
            if one.prompt is None:  # what waits to be asked has a way of its own
                one.base, left = self._way.carry(one.base)
                one.confidence, one.kept = one.confidence * left, 1.0
                one.prompt = self._asked_again(one.asked) if one.asked else self._resuming(one)
                one.way = self._new_way()
            one.asked = None

    def _asked_again(self, prompt: Prompt) -> Prompt:
        """What was asked about the last keyframe, about the newest picture."""
        assert self._size_hw is not None
        return moved(prompt, self._way.motion, self._size_hw) if self._way.motion is not None else prompt

    def _resuming(self, one: Carried) -> Prompt | None:
        """What to ask about an object that was followed: its mask, or its box where that is not to be relied upon."""
        rle = one.base.rle(self._size_hw) if self._size_hw and one.base.values.size else None
        if rle is None or is_empty(rle):
            one.why = one.why or "it was lost when the model had to begin again; add it again"
            return None
        self._resumed.add(one.name)
        return BoxPrompt(box_xyxy(rle)) if self._is_blind(one) else MaskPrompt(rle)

    def tell(self, since_ms: float = 0.0) -> tuple[tuple[PerceivedObject, ...], list[Notice]]:
        """Say where the objects are, `since_ms` after the newest picture."""
        objects = tuple(self._tell(one, since_ms) for one in self.objects.values())
        notices = list(self._notices)
        if self._is_frozen:
            text = f"the camera gives one picture again and again, {self._frozen.times} times by now"
            notices.append(Notice(kind="camera_frozen", text=text))
        for one in self.objects.values():
            if one.failed:
                notices.append(Notice(kind="prompt_failed", text=f"{one.name}: {one.failed}"))
        return objects, notices

    def _extend(self, motion: Motion | None) -> None:
        """Let all ways go on; those of prompts that are new begin here, as their masks do."""
        self._way.extend(motion, self._meter.newest)
        for one in self.objects.values():
            if one.way is not None:
                one.way.extend(motion, self._meter.newest)
            elif one.prompt is not None:
                one.way = self._new_way()
                self._begin(one, one.prompt)
        if self._meter.is_far:
            self._hold()

    def _hold(self) -> None:
        """Measure motion from the newest picture on."""
        self._meter.hold()
        for way in (self._way, *(one.way for one in self.objects.values() if one.way is not None)):
            way.hold()

    def _new_way(self) -> Way:
        """Make a way that begins at the newest picture."""
        since = self._meter.since
        return Way(None if since is None else reversed_motion(since), view=self._meter.newest)

    def _begin(self, one: Carried, prompt: Prompt) -> None:
        """Show a mask that was given at once; other prompts leave what is there until the model has drawn them."""
        if not isinstance(prompt, MaskPrompt):
            one.base, _ = self._way.carry(one.base)
        elif prompt.rle.size_hw != self._size_hw:
            one.prompt, one.way = None, None
            one.failed = f"its mask is {prompt.rle.size_hw} (h, w), the picture {self._size_hw}"
        else:
            one.base, one.confidence, one.kept = SoftMask.of_bits(decode(prompt.rle), self._grid_hw), 1.0, 1.0
            one.state, one.why = "visible", ""
            if one.name not in self._resumed:
                one.seen = self.moment

    @property
    def _grid_hw(self) -> SizeHW:
        assert self._size_hw is not None
        return self._meter.grid_hw(self._size_hw)

    @property
    def _is_frozen(self) -> bool:
        return bool(self._settings.frozen_after) and self._frozen.times >= self._settings.frozen_after

    def _tell(self, one: Carried, since_ms: float) -> PerceivedObject:
        assert self._size_hw is not None
        blind = self._blind_why if self._is_blind(one) else _UNMOVED if self._is_unmoved else ""
        return one.tell(self.moment, self._size_hw, since_ms=since_ms, blind=blind, settings=self._settings)

    def _is_blind(self, one: Carried) -> bool:
        return one.seen is not None and one.seen.frame < self._blind_from

    def _blind(self, moment: Moment, why: str) -> None:
        self._blind_from, self._blind_why = moment.frame, why

    def _note(self, kind: NoticeKind, text: str) -> None:
        self._notices.append(Notice(kind=kind, text=text))

    def _watch_for_frozen(self, is_repeated: bool, moment: Moment) -> None:
        if is_repeated:
            self._frozen.times += 1
        else:
            self._frozen = _Frozen(first=moment)

    def _meant(self, name: str, sent: Sent) -> Carried | None:
        """The object that an answer is about, if it is still the one that was asked for."""
        one = self.objects.get(name)
        is_it = one is not None and one.prompt is None and sent.added.get(name) == one.added
        return one if is_it else None  # what waits to be asked is newer than this answer

    def _take(self, one: Carried, sighting: Sighting, sent: Sent) -> None:
        there = not is_empty(sighting.rle)
        one.asked = None
        is_resumed = one.name in sent.resumed  # nobody looked: the mask is the one that was there
        one.state, one.kept = sighting.state, 1.0
        one.confidence = min(one.confidence, sighting.confidence) if is_resumed else sighting.confidence
        one.base = SoftMask.of_bits(decode(sighting.rle), self._grid_hw) if there else SoftMask.nothing(self._grid_hw)
        one.why = ""
        if there and not is_resumed:
            one.seen = sent.moment

    def _prompts_now(self, size_hw: SizeHW) -> dict[str, Prompt]:
        prompts: dict[str, Prompt] = {}
        is_drawing = False
        for one in self.objects.values():
            prompt = one.prompt
            if prompt is None:
                continue
            if not isinstance(prompt, MaskPrompt):
                if is_drawing:
                    continue
                is_drawing = True
            if one.way is not None and one.way.motion is not None:
                if one.way.is_cut:
                    one.prompt, one.failed = None, "the picture changed before the model could look; add it again"
                    continue
                prompt = moved(prompt, one.way.motion, size_hw)
            prompts[one.name] = prompt
            one.prompt, one.asked = None, prompt
        return prompts

    def _change_size(self, size_hw: SizeHW) -> None:
        """Lay all masks on pictures of another size; the model is asked again, by their boxes."""
        assert self._size_hw is not None
        before = self._size_hw
        text = f"the pictures were {before[1]}x{before[0]} and are {size_hw[1]}x{size_hw[0]}"
        self._note("size_changed", text)
        for one in self.objects.values():
            if one.prompt is not None and one.way is None:
                continue  # it is about the picture that comes now
            said = one.prompt or one.asked
            if said is not None:
                one.prompt, one.asked = rescaled(said, before, size_hw), None
        self._meter, self._way = MotionMeter(self._settings.finest_flow_side), Way()
        self._frozen = _Frozen()
        self._size_hw = size_hw
        for one in self.objects.values():
            one.now = one.base = _resized(one.now, self._grid_hw)
            one.way = None
        self._blind(self.moment, text)
        self.begin_again()


def _resized(mask: SoftMask, grid_hw: SizeHW) -> SoftMask:
    if not mask.values.size:
        return SoftMask.nothing(grid_hw)
    return SoftMask.of(np.asarray(cv2.resize(mask.grid(), grid_hw[::-1], interpolation=cv2.INTER_AREA)))


__all__ = ["CameraLine", "Sent"]
