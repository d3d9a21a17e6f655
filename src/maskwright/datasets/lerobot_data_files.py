"""`DataFiles`: the parquet files of a LeRobot data set, written an episode at a time.

One row group an episode, as lerobot reads them, unless pictures would make it larger than memory should hold. v3.0
puts episodes into one file until it has 100 MB, v2.1 has a file each.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskwright.datasets.lerobot_layout import FILES_A_CHUNK, PATHS, LeRobotVersion

MEGABYTES_A_FILE = 100
_MOST_BYTES_A_GROUP = 64_000_000


class DataFiles:
    """Writes rows below `folder`; close it when all are written."""

    def __init__(self, folder: Path, version: LeRobotVersion) -> None:
        self._folder, self._version = folder, version
        self._number = 0
        self._path: Path | None = None
        self._writer: Any = None

    def write_episode(self, episode_index: int, rows: Iterable[pa.Table]) -> tuple[int, int]:
        """Write the rows of an episode and give its (chunk_index, file_index); no rows make no file."""
        if self._version == "v2.1" or (self._path and self._path.stat().st_size >= MEGABYTES_A_FILE * 1_000_000):
            self._next()
        for group in _groups(rows):
            writer = self._writer or self._open(episode_index, group.schema)
            writer.write_table(group.cast(writer.schema), row_group_size=max(1, group.num_rows))
        return divmod(self._number, FILES_A_CHUNK)

    def close(self) -> None:
        """Finish the file that is open."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _next(self) -> None:
        self.close()
        if self._path is not None:
            self._number += 1
        self._path = None

    def _open(self, episode_index: int, schema: pa.Schema) -> Any:
        chunk, file = divmod(self._number, FILES_A_CHUNK)
        words = {
            "chunk_index": chunk,
            "file_index": file,
            "episode_index": episode_index,
            "episode_chunk": episode_index // FILES_A_CHUNK,
        }
        self._path = self._folder / PATHS[self._version]["data_path"].format(**words)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._path, schema, compression="snappy")
        return self._writer


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    num_bytes = 0
    for table in tables:
        waiting.append(table)
        num_bytes += table.nbytes
        if num_bytes >= _MOST_BYTES_A_GROUP:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, num_bytes = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


__all__ = ["MEGABYTES_A_FILE", "DataFiles"]
