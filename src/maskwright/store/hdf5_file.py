"""One HDF5 file with everything a small store holds; written whole under a temporary name, synced and renamed.

HDF5 files that are changed in place do not survive a kill, so this one never is.

    /records    a data set for each column of a segment (`id`, `area`, `x1`, ...; NAME.valid where some are null),
                `rle` with all counts one after the other and `rle.offsets`: mask i has rle[offsets[i]:offsets[i + 1]]
    /frames     JSON text, one run and frame each, and its moment
    /events     JSON text, one event each, and its moment
    /moments    time and kind of each write;  attribute `tags`: JSON

The file's attributes are `format`, `version`, `name` and `created_at`.
"""

import io
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from maskwright.core.codec import from_json, to_json
from maskwright.core.errors import StoreDamaged, StoreMissing, StoreVersionError
from maskwright.core.review_event import ReviewEvent
from maskwright.store.columns import LATER_COLUMNS, SCHEMA, completed, records_of, table_of
from maskwright.store.folder import told_plainly, write_whole
from maskwright.store.frame_log import SeenFrame
from maskwright.store.hdf5_content import Content
from maskwright.store.moments import Tag, Write

FORMAT = "maskwright-hdf5-store"
VERSION = 3  # 1: without the columns of tracks; 2: without Reparent and Comment


def write_file(path: Path, content: Content) -> None:
    """Replace the file, whole or not at all.

    Raises:
        StoreFull, StoreReadOnly: it cannot be written.
    """
    image = io.BytesIO()  # the library crashes when a disk is full, so it never meets one
    with h5py.File(image, "w", libver="latest") as file:
        _write(file, content)
    with told_plainly(path):
        write_whole(path, image.getbuffer())


def read_file(path: Path) -> Content:
    """Read the file.

    Raises:
        StoreMissing, StoreVersionError, StoreDamaged: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise StoreMissing(f"there is no HDF5 store here: {path}")
    try:
        with h5py.File(path, "r") as file:
            about: Any = file.attrs
            if about.get("format") != FORMAT:
                raise StoreDamaged(f"this HDF5 file is not a mask store: {path}")
            version = int(about["version"])
            if version > VERSION:
                raise StoreVersionError(
                    f"the store has version {version}, this program reads up to {VERSION}. "
                    f"Install a newer maskwright: {path}"
                )
            return _read(file)
    except (OSError, KeyError, ValueError) as error:
        raise StoreDamaged(f"the HDF5 store cannot be read ({error}). Restore it from a copy: {path}") from error


def _write(file: Any, content: Content) -> None:
    file.attrs.update(format=FORMAT, version=VERSION, name=content.name, created_at=content.created_at.isoformat())
    table = table_of([record for _, record in content.records], 0)
    added = pa.array([moment for moment, _ in content.records], pa.int64())
    table = table.set_column(SCHEMA.get_field_index("added"), "added", added)
    records = file.create_group("records")
    for name in table.column_names:
        _write_column(records, name, table.column(name).combine_chunks())
    _write_texts(file, "events", [(moment, to_json(event)) for moment, event in content.events])
    _write_texts(file, "frames", [(moment, [run, to_json(frame)]) for moment, frame, run in content.frames])
    _write_texts(file, "moments", [(one.moment, [one.at.isoformat(), one.kind]) for one in content.writes])
    tags = [[tag.name, tag.moment, tag.at.isoformat()] for tag in content.tags]
    file["moments"].attrs["tags"] = json.dumps(tags)


def _read(file: Any) -> Content:
    group = file["records"]
    later = [name for names in LATER_COLUMNS.values() for name in names]
    present = pa.schema([field for field in SCHEMA if field.name in group or field.name not in later])
    table = completed(pa.table([_read_column(group, field) for field in present], schema=present))
    moments = table.column("added").to_pylist()
    return Content(
        name=file.attrs["name"],
        created_at=datetime.fromisoformat(file.attrs["created_at"]),
        records=list(zip(moments, records_of(table), strict=True)),
        events=[(moment, from_json(ReviewEvent, value)) for moment, value in _read_texts(file, "events")],
        frames=[(moment, from_json(SeenFrame, frame), run) for moment, (run, frame) in _read_texts(file, "frames")],
        writes=[
            Write(moment=moment, at=datetime.fromisoformat(at), kind=kind)
            for moment, (at, kind) in _read_texts(file, "moments")
        ],
        tags=[
            Tag(name=name, moment=moment, at=datetime.fromisoformat(at))
            for name, moment, at in json.loads(file["moments"].attrs["tags"])
        ],
    )


def _write_column(group: Any, name: str, array: Any) -> None:
    if pa.types.is_binary(array.type):
        chunks = array.to_pylist()
        offsets = np.concatenate([[0], np.cumsum([len(chunk) for chunk in chunks])]).astype(np.int64)
        group.create_dataset(name, data=np.frombuffer(b"".join(chunks), np.uint8))
        group.create_dataset(f"{name}.offsets", data=offsets)
        return
    if array.null_count:
        group.create_dataset(f"{name}.valid", data=np.array(array.is_valid().to_pylist(), bool))
    if pa.types.is_string(array.type):
        group.create_dataset(name, data=[text or "" for text in array.to_pylist()], dtype=h5py.string_dtype())
        return
    numbers = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array
    dataset = group.create_dataset(name, data=numbers.fill_null(0).to_numpy(zero_copy_only=False))
    if pa.types.is_timestamp(array.type):
        dataset.attrs["unit"] = "microseconds since 1970-01-01 UTC"


def _read_column(group: Any, field: Any) -> Any:
    values = group[field.name]
    if pa.types.is_binary(field.type):
        data, offsets = values[:].tobytes(), group[f"{field.name}.offsets"][:]
        return pa.array([data[a:b] for a, b in pairwise(offsets)], field.type)
    is_null = ~group[f"{field.name}.valid"][:] if f"{field.name}.valid" in group else None
    if pa.types.is_string(field.type):
        return pa.array(np.array(values.asstr()[:], object), field.type, mask=is_null)
    numbers = values[:]
    if pa.types.is_timestamp(field.type):
        return pa.array(numbers, pa.int64(), mask=is_null).cast(field.type)
    return pa.array(numbers, field.type, mask=is_null)


def _write_texts(file: Any, name: str, values: list[tuple[int, Any]]) -> None:
    group = file.create_group(name)
    group.create_dataset("moment", data=np.array([moment for moment, _ in values], np.int64))
    texts = [json.dumps(value, ensure_ascii=False) for _, value in values]
    group.create_dataset("json", data=texts, dtype=h5py.string_dtype(), shape=(len(texts),))


def _read_texts(file: Any, name: str) -> list[tuple[int, Any]]:
    texts = [json.loads(text) for text in file[name]["json"].asstr()[:]]
    return list(zip(file[name]["moment"][:].tolist(), texts, strict=True))


__all__ = ["read_file", "write_file"]
