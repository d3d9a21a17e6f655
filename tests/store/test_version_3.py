"""Stores that version 3 wrote, before agreement was kept: read as they are, and refused by version 3 once written."""

import json
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from maskwright.core import MaskRecord, from_json
from maskwright.store import open_store
from maskwright.store.folder import VERSION
from maskwright.store.hdf5_store import open_hdf5_store
from maskwright.testing.store_values import make_record, make_ref

GOLDEN = Path(__file__).parent / "goldens" / "version_3.zip"


@pytest.fixture
def old(tmp_path):
    with zipfile.ZipFile(GOLDEN) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def records(old):
    """The records as version 3 wrote them in JSON, which reads too."""
    return [from_json(MaskRecord, one) for one in json.loads((old / "records.json").read_text())]


def test_masks_of_version_3_have_no_agreement_and_all_else(old, records):
    with open_store(old / "masks", read_only=True) as store:
        found = [one.record for one in store.query()]
        with store.sql() as views:
            (known,) = views.execute("SELECT count(agreement) FROM masks").fetchone()

    assert found == [replace(records[0], label="lid"), *records[1:]]
    assert all(one.scores.agreement is None and one.track_point is not None for one in found)
    assert known == 0


def test_old_and_new_masks_live_in_one_store_that_version_3_refuses(old, records):
    new = make_record(make_ref(9))
    with open_store(old / "masks") as store:
        store.put([new])
        for _ in range(2):
            assert [one.record for one in store.query()] == [replace(records[0], label="lid"), *records[1:], new]
            assert store.history(records[2].id).record == records[2]
            store.compact(grace_s=0)
    with sqlite3.connect(old / "masks" / "live.sqlite") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_hdf5_store_of_version_3_is_read_and_written(old, records):
    new = make_record(make_ref(9))
    with open_hdf5_store(old / "masks.h5") as store:
        store.put([new])
    with open_hdf5_store(old / "masks.h5") as store:
        assert [one.record for one in store.query()] == [*records, new]
