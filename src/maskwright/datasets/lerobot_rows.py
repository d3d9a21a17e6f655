"""Rows of a LeRobot data set: those of one episode, a few in memory at a time.

Row groups of other episodes are passed over by their statistics.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.core.errors import InputError
from maskwright.datasets.damage import told_as_damage
from maskwright.datasets.lerobot_meta import LeRobotEpisode, LeRobotMeta

_ROWS_AT_A_TIME = 16


def iter_rows(
    meta: LeRobotMeta, episode: LeRobotEpisode, columns: Sequence[str], *, numbers: range | None = None
) -> Iterator[dict[str, Any]]:
    """Read columns of the rows of an episode in order, or those of them whose place in the episode is in `numbers`.

    Raises:
        InputError: the file or a column is missing, or the file is damaged.
    """
    number = 0
    for table in iter_tables(meta, episode, columns):
        places = range(number, number + table.num_rows)
        kept = [at for at, place in enumerate(places) if numbers is None or place in numbers]
        if kept:
            yield from table.take(kept).to_pylist()
        number = places.stop
        if numbers is not None and number >= numbers.stop:
            return


def iter_tables(
    meta: LeRobotMeta, episode: LeRobotEpisode, columns: Sequence[str] | None = None, *, num_rows: int = _ROWS_AT_A_TIME
) -> Iterator[pa.Table]:
    """Read the rows of an episode in order, up to `num_rows` at a time; all columns where none are named.

    Raises:
        InputError: the file or a column is missing, or the file is damaged.
    """
    path = meta.data_path(episode)
    if not path.is_file():
        raise InputError(f"the data set's file is missing: {path}")
    with told_as_damage("the file", path), pq.ParquetFile(path) as file:
        missing = [name for name in ("episode_index", *(columns or ())) if name not in file.schema_arrow.names]
        if missing:
            raise InputError(f"the file has no column {', '.join(missing)}: {path}")
        groups = [at for at in range(file.num_row_groups) if _may_hold(file.metadata.row_group(at), episode.index)]
        names = None if columns is None else list(dict.fromkeys(["episode_index", *columns]))
        for batch in file.iter_batches(num_rows, row_groups=groups, columns=names):
            whose = batch.column("episode_index").to_numpy(zero_copy_only=False)
            here = np.flatnonzero(whose == episode.index)
            if len(here) == batch.num_rows:
                yield pa.Table.from_batches([batch])
            elif len(here):
                yield pa.Table.from_batches([batch.take(pa.array(here))])


def _may_hold(group: Any, episode_index: int) -> bool:
    for at in range(group.num_columns):
        column = group.column(at)
        if column.path_in_schema == "episode_index":
            known = column.statistics
            return known is None or not known.has_min_max or known.min <= episode_index <= known.max
    return True


__all__ = ["iter_rows", "iter_tables"]
