"""Rows of a LeRobot data set: chosen columns of one episode, a few rows in memory at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from maskwright.core.errors import InputError
from maskwright.datasets.lerobot_meta import LeRobotEpisode, LeRobotMeta

_ROWS_AT_A_TIME = 16


def iter_rows(
    meta: LeRobotMeta, episode: LeRobotEpisode, columns: Sequence[str], *, numbers: range | None = None
) -> Iterator[dict[str, Any]]:
    """Read the rows of an episode in order, or those of them whose place in the episode is in `numbers`.

    Row groups of other episodes are passed over by their statistics.

    Raises:
        InputError: the file or a column is missing, or the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = meta.data_path(episode)
    if not path.is_file():
        raise InputError(f"the data set's file is missing: {path}")
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in ("episode_index", *columns) if name not in file.schema_arrow.names]
            if missing:
                raise InputError(f"the file has no column {', '.join(missing)}: {path}")
            groups = [at for at in range(file.num_row_groups) if _may_hold(file.metadata.row_group(at), episode.index)]
            batches = file.iter_batches(_ROWS_AT_A_TIME, row_groups=groups, columns=["episode_index", *columns])
            yield from _chosen(batches, episode.index, numbers)
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise InputError(f"the file is damaged ({error}): {path}") from error


def _chosen(batches: Iterator[Any], episode_index: int, numbers: range | None) -> Iterator[dict[str, Any]]:
    number = 0
    for batch in batches:
        here = np.flatnonzero(batch.column("episode_index").to_numpy(zero_copy_only=False) == episode_index)
        kept = [int(row) for place, row in enumerate(here, number) if numbers is None or place in numbers]
        if kept:
            yield from batch.take(kept).to_pylist()
        number += len(here)
        if numbers is not None and number >= numbers.stop:
            return


def _may_hold(group: Any, episode_index: int) -> bool:
    for at in range(group.num_columns):
        column = group.column(at)
        if column.path_in_schema == "episode_index":
            known = column.statistics
            return known is None or not known.has_min_max or known.min <= episode_index <= known.max
    return True


__all__ = ["iter_rows"]
