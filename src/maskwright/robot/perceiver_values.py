"""What the Perceiver tells of each picture, and what decides how it works: values, and the rule of what is stale.

A mask's age is counted from the picture that the model really looked at, never from when its answer came.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from maskwright.core import RLE, SizeHW
from maskwright.core.errors import SettingError
from maskwright.core.shapes import BoxXYXY
from maskwright.core.track import TrackState
from maskwright.masks import box_xyxy, decode, is_empty

# waiting: the model has not answered yet. fresh: it looked a moment ago. carried: longer ago, flow has moved the mask.
# stale: too long ago, or something happened that flow does not survive. lost: it is not seen, and the mask is empty.
Status = Literal["waiting", "fresh", "carried", "stale", "lost"]
NoticeKind = Literal[
    "model_starting",
    "model_slow",
    "model_gone",
    "prompt_failed",
    "frame_gap",
    "clock_backwards",
    "camera_frozen",
    "camera_stalled",
    "size_changed",
    "cut",
    "motion_coarse",
    "motion_skipped",
    "model_coarse",
    "work_delayed",
]
Auto = Literal["auto"]
# What "auto" begins with, and how far the model's frames are made smaller: of a side of 224 masks are crumbs.
FLOW_SIDE, MODEL_SIDES = 480, (384, 320, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceiverSettings:
    """How a Perceiver works; times in milliseconds.

    `flow_side` is the longer side of the pictures that motion is computed on, `model_side` the side of the frame in
    which `tiny` looks at pictures, a multiple of 32; None takes the model's own, which is slower and finer. It holds
    for a model that is named: one that was loaded is used as it is. "auto" begins with 480 and 384, and takes less
    while this machine cannot keep the budget, or masks would be older than `wanted_age_ms` on average; notices say so.
    Numbers stay what they are.
    """

    budget_ms: float = 33.0
    wanted_age_ms: float = 400.0
    # A mask is fresh for so long after the picture that the model looked at, and stale beyond the second.
    fresh_ms: float = 500.0
    stale_ms: float = 1500.0
    # A gap between pictures of so many usual periods, and of so many milliseconds, breaks what flow can follow.
    gap_periods: float = 3.5
    gap_ms: float = 150.0
    # So many pictures without any difference are taken for one, shown again and again; 0 never does.
    frozen_after: int = 10
    flow_side: int | Auto = "auto"
    model_side: int | Auto | None = "auto"
    # How often a model that died is started again.
    restarts: int = 3

    def __post_init__(self) -> None:
        for name in ("flow_side", "model_side"):
            side = getattr(self, name)
            if isinstance(side, str) and side != "auto":
                raise SettingError(f'{name} must be a number of pixels or "auto", got {side!r}')
        for name in ("budget_ms", "wanted_age_ms", "fresh_ms", "stale_ms", "gap_periods", "gap_ms", "flow_side"):
            value = getattr(self, name)
            if value != "auto" and not value > 0:
                raise SettingError(f"{name} must be above 0, got {value}")
        side = self.model_side
        if isinstance(side, int) and (side < 32 or side % 32):
            raise SettingError(f"model_side must be a multiple of 32, got {side}. Take 448, say")
        if self.fresh_ms > self.stale_ms:
            raise SettingError(
                f"fresh_ms must not be above stale_ms, got {self.fresh_ms:g} and {self.stale_ms:g}: "
                "a mask is fresh first and stale later"
            )
        for name in ("frozen_after", "restarts"):
            if getattr(self, name) < 0:
                raise SettingError(f"{name} must be 0 or above, got {getattr(self, name)}")

    @property
    def finest_flow_side(self) -> int:
        """What flow begins with."""
        return FLOW_SIDE if self.flow_side == "auto" else self.flow_side


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that makes masks worse than usual; `text` is one line for people."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceivedObject:
    """An object on one picture. `rle` holds what is seen of it, nothing where it is waiting or lost.

    `age_frames` and `age_ms` say how long before this picture the one was taken on which the model last saw it; None if
    it never did. `why` says in words why it is stale or lost. `confidence`, 0 to 1, falls as flow carries the mask.
    """

    name: str
    rle: RLE
    status: Status
    state: TrackState
    confidence: float
    age_frames: int | None = None
    age_ms: float | None = None
    seen_frame: int | None = None
    why: str = ""

    @property
    def mask(self) -> Bool[np.ndarray, "H W"]:
        """The pixels, decoded."""
        return decode(self.rle)

    @property
    def box_xyxy(self) -> BoxXYXY:
        """The tight box in image pixels; all zero where there is no mask."""
        return box_xyxy(self.rle)

    @property
    def can_be_used(self) -> bool:
        """Whether there is a mask that is neither stale nor lost."""
        return self.status in ("fresh", "carried") and not is_empty(self.rle)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceiverState:
    """All objects of a camera on one picture, in the order in which they were added.

    `frame` counts the pictures of the camera from 0. `step_ms` is what `step` took, `over_budget` whether that was too
    much. `flow_side` and `model_side` are the sides that motion was computed on, 0 where it was left out, and that the
    model is asked to look at, None where that is the model's own affair. `depth_m` is the picture's, where it had one.
    """

    camera: str
    frame: int
    at_s: float
    size_hw: SizeHW
    objects: tuple[PerceivedObject, ...]
    notices: tuple[Notice, ...] = ()
    step_ms: float = 0.0
    over_budget: bool = False
    flow_side: int = 0
    model_side: int | None = None
    depth_m: Float[np.ndarray, "H W"] | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> PerceivedObject:
        """The object of that name.

        Raises:
            KeyError: nobody has added it to this camera, or it was forgotten.
        """
        for one in self.objects:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.objects) or "none"
        raise KeyError(f"camera {self.camera!r} has no object {name!r}; it has {known}")

    @property
    def masks(self) -> dict[str, RLE]:
        """Masks that can be used, by name: fresh and carried ones."""
        return {one.name: one.rle for one in self.objects if one.can_be_used}

    @property
    def stale(self) -> tuple[str, ...]:
        """Names of the objects whose mask must not be relied upon, or that have none."""
        return tuple(one.name for one in self.objects if not one.can_be_used)

    @property
    def is_degraded(self) -> bool:
        """Whether something is said in `notices`."""
        return bool(self.notices)


def status_of(*, has_mask: bool, age_ms: float | None, is_blind: bool, settings: PerceiverSettings) -> Status:
    """Say what an object with an answer from the model is.

    `is_blind`: since the model looked, something happened that flow does not survive.
    """
    if age_ms is None:
        return "waiting"
    if not has_mask:
        return "lost"
    if is_blind or age_ms > settings.stale_ms:
        return "stale"
    return "fresh" if age_ms <= settings.fresh_ms else "carried"


__all__ = [
    "FLOW_SIDE",
    "MODEL_SIDES",
    "Auto",
    "Notice",
    "NoticeKind",
    "PerceivedObject",
    "PerceiverSettings",
    "PerceiverState",
    "Status",
    "status_of",
]
