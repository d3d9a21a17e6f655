"""`pick`: the best few of a stream of frames, with the reasons in words. The whole path, without files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskwright.core.errors import SettingError
from maskwright.core.resolved import Status
from maskwright.review.active.kinds import DEFAULT_GROUPS, Signal, signals_of
from maskwright.review.active.measure import Item, Sources, by_frame, measure
from maskwright.review.active.pool import Pool, pool_of
from maskwright.review.active.selection import Chosen, Limits, select
from maskwright.store import StoredFrame

_LEAST_POOL, _MOST_POOL, _POOL_OF = 4_000, 50_000, 20  # members: that many times the budget, within these
_TOLD_RANK = 0.75  # from here on a signal is a reason
_MOST_REASONS = 3
_FAR = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class PickSettings:
    """What to choose by, and how much. `of_frames`: the budget counts frames, and each comes with all its masks."""

    budget: int
    by: tuple[str, ...] = DEFAULT_GROUPS
    limits: Limits = field(default_factory=Limits)
    of_status: tuple[Status, ...] = ("proposed",)
    of_frames: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        signals_of(self.by)
        if self.budget < 1:
            raise SettingError(f"the budget must be at least 1, got {self.budget}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Something picked: masks that come together, how much they need a person (0 to 1), and why."""

    record_ids: tuple[str, ...]
    statuses: tuple[Status, ...]
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What was picked, of how many; `weights` are of the signals that told anything, calibrated by `num_decided`."""

    picks: tuple[Pick, ...]
    num_items: int
    num_decided: int
    weights: dict[str, float]

    @property
    def num_masks(self) -> int:
        """How many masks people will see."""
        return sum(len(one.record_ids) for one in self.picks)


def pick(
    frames: Iterable[StoredFrame],
    settings: PickSettings,
    *,
    sources: Sources | None = None,
    leave_out: Callable[[str], bool] = lambda _: False,
) -> Picked:
    """Pick from frames in frame order. `leave_out` tells of ids that are not to be picked, as they wait elsewhere.

    The same frames, settings and seed give the same picks. Memory holds the pool, not the store.
    """
    sources, kinds = sources or Sources(), signals_of(settings.by)
    items: Iterable[Item] = measure(frames, kinds, of_status=settings.of_status, sources=sources)
    items = (one for one in items if one.was_wrong is not None or not leave_out(one.record_ids[0]))
    if settings.of_frames:
        items = by_frame(items, of_status=settings.of_status)
    capacity = max(2 * settings.budget, min(_MOST_POOL, max(_LEAST_POOL, _POOL_OF * settings.budget)))
    weights = [one.weight for one in kinds]
    pool = pool_of(items, weights, capacity=capacity, seed=settings.seed, of_status=set(settings.of_status))
    vectors = None
    if sources.vectors_of is not None and pool.members:
        names = [one.item.record_ids[0] if sources.is_by_mask else one.item.image_digest for one in pool.members]
        vectors = sources.vectors_of(names)
    chosen = select(
        pool.members,
        settings.budget,
        limits=settings.limits,
        seed=settings.seed,
        vectors=vectors,
    )
    weighed = {one.name: round(float(w), 3) for one, w in zip(kinds, pool.scale.weights, strict=True) if w > 0}
    picks = tuple(_pick(one, kinds, pool, has_vectors=vectors is not None) for one in chosen)
    return Picked(picks=picks, num_items=pool.num_items, num_decided=pool.num_decided, weights=weighed)


def _pick(chosen: Chosen, kinds: Sequence[Signal], pool: Pool, *, has_vectors: bool) -> Pick:
    item = chosen.item
    return Pick(
        record_ids=item.record_ids,
        statuses=item.statuses,
        score=round(chosen.pooled.score, 4),
        reasons=tuple(reasons(chosen, kinds, pool.scale.weights.tolist(), has_vectors=has_vectors)),
    )


def reasons(
    chosen: Chosen, kinds: Sequence[Signal], weights: Sequence[float], *, has_vectors: bool = False
) -> list[str]:
    """Say in words why something was chosen: the signals that speak most for it, and variety where that decided."""
    ranks, values = chosen.pooled.ranks, chosen.item.values
    heard = np.nan_to_num(ranks, nan=0.0) * np.asarray(weights)
    order = [at for at in np.argsort(-heard, kind="stable").tolist() if weights[at] > 0 and ranks[at] >= _TOLD_RANK]
    told = [kinds[at].words(values[at], float(ranks[at])) for at in order[:_MOST_REASONS]]
    if has_vectors and chosen.distance >= _FAR:
        told.append("the picture is unlike those chosen before it")
    return told or ["nothing speaks against it alone; chosen to spread over the recordings"]


__all__ = ["Pick", "PickSettings", "Picked", "pick", "reasons"]
