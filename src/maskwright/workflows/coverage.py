"""Which frames of each recording have masks, and at what rate, beside the rate that it was recorded at.

Rates come from the frames' own numbers and times: numbers are those of the recording, so masks on every third frame of
a 30 Hz recording are masks at 10 Hz. How long a recording is, only its source knows; it is asked where a run of the
store found it and it is still there.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import MaskwrightError
from maskwright.workflows.run_manifest import read_manifests, source_paths

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One camera of one episode: `num_frames` were looked at, `num_masked` of them have a mask.

    `step` is the usual distance between frames that were looked at, `widest` the largest. `native_hz` and `num_native`
    are those of the recording, None where nothing tells.
    """

    dataset: str
    episode: str
    camera: str
    num_frames: int
    num_masked: int
    first: int
    last: int
    step: int
    widest: int
    native_hz: float | None = None
    num_native: int | None = None

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.dataset} {self.episode}/{self.camera}"

    @property
    def hz(self) -> float | None:
        """The rate of frames that were looked at."""
        return None if self.native_hz is None else self.native_hz / self.step

    @property
    def num_expected(self) -> int:
        """Frames of the recording; as far as anybody looked where its length is not known."""
        return self.num_native if self.num_native is not None else self.last + 1

    @property
    def share(self) -> float:
        """Which part of the recording's frames was looked at."""
        return min(1.0, self.num_frames / max(1, self.num_expected))


def read_coverage(views: Any, store_path: Path) -> list[Recording]:
    """List the recordings of a store by its SQL views; loose pictures belong to none."""
    rows = views.execute(_SQL).fetchall()
    lengths = _lengths(store_path, {row[0] for row in rows})
    return [
        Recording(
            dataset=dataset, episode=episode, camera=camera, num_frames=num_frames, num_masked=num_masked, first=first,
            last=last, step=int(step or 1), widest=int(widest or 1), native_hz=_rate(first, last, start_s, end_s),
            num_native=lengths.get((dataset, episode)),
        )
        for dataset, episode, camera, num_frames, num_masked, first, last, step, widest, start_s, end_s in rows
    ]  # fmt: skip


def share_covered(recordings: Sequence[Recording]) -> float | None:
    """Which part of all frames of some recordings was looked at; None where there is no recording."""
    expected = sum(one.num_expected for one in recordings)
    return sum(min(one.num_frames, one.num_expected) for one in recordings) / expected if expected else None


def _rate(first: int, last: int, start_s: float | None, end_s: float | None) -> float | None:
    if start_s is None or end_s is None or last == first or end_s <= start_s:
        return None
    hz = (last - first) / (end_s - start_s)
    return round(hz) if abs(hz - round(hz)) < 0.02 * hz else round(hz, 2)  # 29.97 is said as 30


def _lengths(store_path: Path, datasets: set[str]) -> Mapping[tuple[str, str], int]:
    """Ask the sources that runs of this store found, as far as they are still there."""
    found: dict[tuple[str, str], int] = {}
    for dataset in sorted(datasets if read_manifests(store_path) else ()):
        path = next((path for path in reversed(source_paths(store_path, dataset)) if Path(path).exists()), None)
        if path is None:
            continue
        from maskwright.datasets import open_source

        try:
            source = open_source(Path(path))
        except MaskwrightError as error:
            _log.warning("the lengths of recordings are not known: %s", error)
            continue
        found |= {(dataset, episode.key): episode.num_frames for episode in source.episodes}
    return found


_SQL = """
WITH seen AS (
    SELECT DISTINCT ON (dataset, episode, camera, frame_index) dataset, episode, camera, frame_index, timestamp_s
    FROM frames WHERE dataset IS NOT NULL
), masked AS (
    SELECT DISTINCT dataset, episode, camera, frame_index FROM masks
    WHERE dataset IS NOT NULL AND status IN ('proposed', 'accepted') AND area > 0
), stepped AS (
    SELECT seen.*, frame_index - lag(frame_index) OVER (
        PARTITION BY dataset, episode, camera ORDER BY frame_index
    ) AS step FROM seen
)
SELECT s.dataset, s.episode, s.camera, count(*), count(m.frame_index), min(s.frame_index), max(s.frame_index),
       quantile_disc(s.step, 0.5), max(s.step), min(s.timestamp_s), max(s.timestamp_s)
FROM stepped s LEFT JOIN masked m
    ON s.dataset = m.dataset AND s.episode = m.episode AND s.camera = m.camera AND s.frame_index = m.frame_index
GROUP BY ALL ORDER BY s.dataset, s.episode, s.camera
"""

__all__ = ["Recording", "read_coverage", "share_covered"]
