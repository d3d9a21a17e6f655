"""Stores that version 1 wrote, before tracks had columns: read as they are, and refused by version 1 once written."""

import json
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from maskwright.core import MaskRecord, Retrack, from_json
from maskwright.store import Query, open_store
from maskwright.store.folder import VERSION
from maskwright.store.hdf5_store import open_hdf5_store
from maskwright.testing.store_values import make_event, make_record, make_ref

GOLDEN = Path(__file__).parent / "goldens" / "version_1.zip"


@pytest.fixture
def old(tmp_path):
    with zipfile.ZipFile(GOLDEN) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def records(old):
    """The records as version 1 wrote them in JSON, which reads too."""
    return [from_json(MaskRecord, one) for one in json.loads((old / "records.json").read_text())]


def version_of(folder):
    with sqlite3.connect(folder / "live.sqlite") as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("read_only", [True, False])
def test_masks_of_version_1_have_no_track_point_and_all_else(old, records, read_only):
    with open_store(old / "masks", read_only=read_only) as store:
        assert [one.record for one in store.query()] == [replace(records[0], label="lid"), *records[1:]]
        assert [store.history(record.id).record for record in records] == records
        assert store.count(Query(track_source="keyframe")) == 0
        assert store.count(Query(track="track 1")) == 4
    assert version_of(old / "masks") == 1  # reading, and opening to write, leave it as it is


def test_old_and_new_masks_live_in_one_store(old, records):
    new = make_record(make_ref(9))
    with open_store(old / "masks") as store:
        store.put([new])
        store.append([make_event(record, Retrack("track 2")) for record in records[:3]])
        for _ in range(2):
            expected = [replace(records[0], label="lid"), *records[1:3]]
            moved = [replace(record, track="track 2") for record in expected]
            assert [one.record for one in store.query()] == [*moved, records[3], new]
            assert [one.record for one in store.query(Query(track="track 2"))] == moved
            assert [one.record for one in store.query(Query(track_state="occluded"))] == [new]
            assert store.history(records[2].id).record == records[2]
            store.compact(grace_s=0)


def test_the_first_write_has_version_1_refuse_the_store(old):
    with open_store(old / "masks") as store:
        store.tag("now")

    assert version_of(old / "masks") == VERSION


def test_an_hdf5_store_of_version_1_is_read_and_written(old, records):
    new = make_record(make_ref(9))
    with open_hdf5_store(old / "masks.h5") as store:
        assert [one.record for one in store.query()] == records
        store.put([new])
    with open_hdf5_store(old / "masks.h5") as store:
        assert [one.record for one in store.query()] == [*records, new]
