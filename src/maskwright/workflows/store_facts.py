"""`read_facts`: what is in a store, counted: what a card tells, a catalogue lists and an audit begins with.

Everything is computed from the store as it is; robots, tasks and sources come from the manifests of its runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from maskwright.store import MaskStore
from maskwright.workflows.coverage import Recording, read_coverage, share_covered
from maskwright.workflows.run_manifest import read_manifests

# Masks that need nobody to look at them: a simulator knows, a person drew or redrew them, or a person accepted them.
TRUSTED = "(method IN ('simulator', 'human_drawn') OR verified_by IS NOT NULL OR edited_by IS NOT NULL)"
LISTED = "status IN ('proposed', 'accepted')"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """How many masks one checkpoint drew."""

    name: str
    family: str
    sha256: str
    precision: str
    num_masks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """The 5th, 50th and 95th percentile, and the ends."""

    least: float
    low: float
    middle: float
    high: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Counts of a store at one moment. `num_masks` are listed ones; rejected, merged and split ones are in `statuses`.

    `num_trusted` are masks of a simulator, or that a person drew, redrew or accepted. Dictionaries go from the most to
    the fewest.
    """

    path: Path
    name: str
    created_at: datetime
    moment: int
    num_frames: int
    num_masked_frames: int
    num_masks: int
    num_trusted: int
    num_verified: int
    num_events: int
    statuses: Mapping[str, int]
    methods: Mapping[str, int]
    labels: Mapping[str, int]
    licences: Mapping[str, int]
    sizes_hw: Mapping[str, int]
    datasets: Mapping[str, int]
    models: tuple[ModelUse, ...]
    verifiers: tuple[str, ...]
    areas: Quantiles | None
    masks_per_frame: Quantiles | None
    num_tracks: int
    recordings: tuple[Recording, ...]
    robots: tuple[str, ...]
    tasks: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def share_trusted(self) -> float:
        """Which part of the masks is known to be right."""
        return self.num_trusted / self.num_masks if self.num_masks else 0.0

    @property
    def share_covered(self) -> float | None:
        """Which part of the recordings' frames was looked at; None for loose pictures."""
        return share_covered(self.recordings)

    @property
    def has_raw(self) -> bool:
        """Whether there are masks of a model that no person has verified."""
        return self.num_trusted < self.num_masks


def read_facts(store: MaskStore) -> StoreFacts:
    """Count what is in a store."""
    manifests = [one.get("source", {}) for one in read_manifests(store.path)]
    with store.sql() as views:
        totals = views.execute(_TOTALS).fetchone()
        return StoreFacts(
            path=store.path,
            name=store.name,
            created_at=store.created_at,
            moment=store.moment(),
            num_frames=_number(views, f"SELECT count(*) FROM (SELECT DISTINCT {_FRAME} FROM frames)"),
            num_masked_frames=_number(
                views, f"SELECT count(*) FROM (SELECT DISTINCT {_PLACE} FROM masks WHERE {LISTED})"
            ),
            num_masks=totals[0],
            num_trusted=totals[1],
            num_verified=totals[2],
            num_tracks=totals[3],
            num_events=_number(views, "SELECT count(*) FROM events"),
            statuses=_counts(views, "status", "true"),
            methods=_counts(views, "method"),
            labels=_counts(views, "coalesce(label, '')"),
            licences=_counts(views, "coalesce(licence, '')"),
            sizes_hw=_counts(views, "height || 'x' || width"),
            datasets=_counts(views, "coalesce(dataset, '')"),
            models=tuple(ModelUse(**dict(zip(_MODEL, row, strict=True))) for row in views.execute(_MODELS).fetchall()),
            verifiers=tuple(row[0] for row in views.execute(_VERIFIERS).fetchall()),
            areas=_quantiles(
                views, f"SELECT area AS value FROM masks WHERE {LISTED} AND (area > 0 OR track_state IS NULL)"
            ),
            masks_per_frame=_quantiles(
                views, f"SELECT count(*) AS value FROM masks WHERE {LISTED} GROUP BY {_PLACE}"
            ),
            recordings=tuple(read_coverage(views, store.path)),
            robots=_names(source.get("robot") for source in manifests),
            tasks=_names(task for source in manifests for task in source.get("tasks") or ()),
            sources=_names(source.get("path") for source in manifests),
        )  # fmt: skip


def _number(views: Any, sql: str) -> int:
    return int(views.execute(sql).fetchone()[0])


def _counts(views: Any, column: str, where: str = LISTED) -> dict[str, int]:
    rows = views.execute(f"SELECT {column}, count(*) FROM masks WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    return dict(rows)


def _quantiles(views: Any, sql: str) -> Quantiles | None:
    row = views.execute(
        "SELECT min(value), quantile_cont(value, 0.05), quantile_cont(value, 0.5), quantile_cont(value, 0.95), "
        f"max(value) FROM ({sql})"
    ).fetchone()
    if row[0] is None:
        return None
    least, low, middle, high, most = map(float, row)
    return Quantiles(least=least, low=low, middle=middle, high=high, most=most)


def _names(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values if value}))


_PLACE = "dataset, episode, camera, frame_index, CASE WHEN dataset IS NULL THEN image_digest END"
_FRAME = f"{_PLACE}, CASE WHEN dataset IS NULL THEN name END"
_TOTALS = (
    f"SELECT count(*), count(*) FILTER ({TRUSTED}), count(verified_by), "
    f"count(DISTINCT (dataset, episode, track)) FILTER (track IS NOT NULL) FROM masks WHERE {LISTED}"
)
_MODEL = ("name", "family", "sha256", "precision", "num_masks")
_MODELS = (
    "SELECT model_name, model_family, model_sha256, model_precision, count(*) FROM masks "
    f"WHERE {LISTED} AND model_name IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1, 3, 4"
)
_VERIFIERS = f"SELECT DISTINCT verified_by FROM masks WHERE {LISTED} AND verified_by IS NOT NULL ORDER BY 1"

__all__ = ["LISTED", "TRUSTED", "ModelUse", "Quantiles", "StoreFacts", "read_facts"]
