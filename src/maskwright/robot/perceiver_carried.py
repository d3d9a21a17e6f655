"""`Carried`: one object of a camera, between the picture on which the model saw it and the newest."""

from dataclasses import dataclass

from maskwright.core import Prompt, SizeHW
from maskwright.core.track import TrackState
from maskwright.masks import empty_mask, is_empty
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.robot.perceiver_motion import Way
from maskwright.robot.perceiver_time import Moment
from maskwright.robot.perceiver_values import PerceivedObject, PerceiverSettings, Status, status_of

NOTHING = SoftMask.nothing((1, 1))


@dataclass(slots=True)
class Carried:
    """One object. `base` is its mask on the last keyframe, `now` on the newest picture, `kept` the trust left since.

    `prompt` waits to be asked, and `way` leads from the picture that it is about to the newest; `base` is on that one
    then. `asked` was asked, and has no answer yet. `seen` is the moment of the picture on which the
    model last saw it. `added` tells this object from an earlier one of its name. `why` is why it is lost,
    `failed` why the last prompt drew nothing.
    """

    name: str
    added: int
    prompt: Prompt | None
    asked: Prompt | None = None
    way: Way | None = None
    base: SoftMask = NOTHING
    now: SoftMask = NOTHING
    confidence: float = 0.0
    kept: float = 1.0
    state: TrackState = "occluded"
    seen: Moment | None = None
    why: str = ""
    failed: str = ""

    def tell(
        self, moment: Moment, size_hw: SizeHW, *, since_ms: float, blind: str, settings: PerceiverSettings
    ) -> PerceivedObject:
        """Say what is known of it `since_ms` after the newest picture, that of `moment`.

        `blind` says why flow cannot have followed it since the model looked; "" where it can.
        """
        rle = self.now.rle(size_hw) if self.now.values.size else empty_mask(size_hw)
        has_mask = not is_empty(rle)
        age_ms = None if self.seen is None else moment.elapsed_ms - self.seen.elapsed_ms + since_ms
        status = status_of(has_mask=has_mask, age_ms=age_ms, is_blind=bool(blind), settings=settings)
        if status == "waiting" and (self.why or self.failed):
            status = "lost"
        return PerceivedObject(
            name=self.name,
            rle=rle,
            status=status,
            state=self.state,
            confidence=min(1.0, max(0.0, self.confidence * self.kept)) if has_mask else 0.0,
            age_frames=None if self.seen is None else moment.frame - self.seen.frame,
            age_ms=age_ms,
            seen_frame=None if self.seen is None else self.seen.frame,
            why=self._why(status, age_ms or 0.0, blind, settings),
        )

    def _why(self, status: Status, age_ms: float, blind: str, settings: PerceiverSettings) -> str:
        if status == "stale":
            return f"the model saw it {age_ms:.0f} ms ago" if age_ms > settings.stale_ms else blind
        if status != "lost":
            return ""
        missing = "the model does not find it" if self.state == "occluded" else "it left the picture"
        return self.why or (self.failed if self.seen is None else "") or missing


__all__ = ["NOTHING", "Carried"]
