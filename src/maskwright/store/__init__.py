"""The mask store: immutable Parquet segments, an append-only SQLite log, questions by DuckDB. No torch.

`create_store` and `open_store` give a `MaskStore`; `Query` says which masks one wants; `resolve` is the fold of review
events over a record. Names are resolved on first use, so that this room costs neither pyarrow nor duckdb until then.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maskwright.store.query import ANY_STATUS, LISTED, Query, matches
from maskwright.store.resolve import resolve  # the function; found lazily it would be the module of that name

if TYPE_CHECKING:
    from maskwright.store.bulk_writer import BulkWriter as BulkWriter
    from maskwright.store.compaction import Compacted as Compacted
    from maskwright.store.frame_log import SeenFrame as SeenFrame
    from maskwright.store.hdf5_store import Hdf5Store as Hdf5Store
    from maskwright.store.hdf5_store import create_hdf5_store as create_hdf5_store
    from maskwright.store.hdf5_store import open_hdf5_store as open_hdf5_store
    from maskwright.store.mask_store import MaskStore as MaskStore
    from maskwright.store.mask_store import create_store as create_store
    from maskwright.store.mask_store import open_store as open_store
    from maskwright.store.moments import Moment as Moment
    from maskwright.store.moments import Tag as Tag
    from maskwright.store.moments import Write as Write
    from maskwright.store.protocol import Store as Store
    from maskwright.store.values import Change as Change
    from maskwright.store.values import History as History
    from maskwright.store.values import StoredFrame as StoredFrame

_HOMES = {
    "bulk_writer": ("BulkWriter",),
    "compaction": ("Compacted",),
    "frame_log": ("SeenFrame",),
    "hdf5_store": ("Hdf5Store", "create_hdf5_store", "open_hdf5_store"),
    "mask_store": ("MaskStore", "create_store", "open_store"),
    "moments": ("Moment", "Tag", "Write"),
    "protocol": ("Store",),
    "values": ("Change", "History", "StoredFrame"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'maskwright.store' has no attribute {name!r}")
    value = getattr(import_module(f"maskwright.store.{_HOME_OF[name]}"), name)
    globals()[name] = value  # found once, an ordinary name from then on
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "ANY_STATUS",
    "LISTED",
    "BulkWriter",
    "Change",
    "Compacted",
    "Hdf5Store",
    "History",
    "MaskStore",
    "Moment",
    "Query",
    "SeenFrame",
    "Store",
    "StoredFrame",
    "Tag",
    "Write",
    "create_hdf5_store",
    "create_store",
    "matches",
    "open_hdf5_store",
    "open_store",
    "resolve",
]
