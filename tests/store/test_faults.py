"""What goes wrong with disks, versions and other processes: one line that says so, and a store that is as it was."""

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from maskwright.core import Accept
from maskwright.core.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreReadOnly,
    StoreVersionError,
)
from maskwright.store import Query, create_store, ledger, open_store
from maskwright.store.folder import VERSION
from maskwright.store.hdf5_store import create_hdf5_store, open_hdf5_store
from maskwright.testing.store_values import make_event, make_frame, make_record, make_ref

NOBODY = 65534


def segment_files(store, suffix=".parquet"):
    return sorted((store.path / "segments").glob(f"*{suffix}"))


def write_segment(store, index=0, count=3):
    records = [make_record(make_ref(index)) for _ in range(count)]
    with store.bulk_writer() as writer:
        writer.add(make_frame(make_ref(index)), records)
    return records


@contextlib.contextmanager
def room_for(num_bytes):
    """Let no file grow beyond a size, as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def nobody():
    """A user who may not write where this one did; and a folder that he can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_rights(folder):
    """Take the right to write away, and be a user whom that binds."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


# Versions and strangers


def test_a_store_of_a_newer_version_is_refused(store):
    about = json.loads((store.path / "store.json").read_text())
    (store.path / "store.json").write_text(json.dumps({**about, "version": VERSION + 1}))

    with pytest.raises(
        StoreVersionError, match=f"the store has version {VERSION + 1}, this program reads up to {VERSION}. Install"
    ):
        open_store(store.path)


def test_a_log_of_a_newer_version_is_refused(store):
    store.close()
    with contextlib.closing(sqlite3.connect(store.path / "live.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")

    with pytest.raises(StoreVersionError, match=f"the store's log has version {VERSION + 1}"):
        open_store(store.path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "other", "version": 1}'])
def test_a_store_json_that_is_not_one_is_told(store, text):
    (store.path / "store.json").write_text(text)

    with pytest.raises(StoreDamaged, match="store.json"):
        open_store(store.path)


@pytest.mark.parametrize("name", ["nothing", "file.txt", "folder"])
def test_what_is_no_store_is_told(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("text")

    with pytest.raises(StoreMissing, match=r"there is no mask store here .*: .*" + name):
        open_store(tmp_path / name)
    with pytest.raises((StoreMissing, StoreDamaged), match="HDF5"):
        open_hdf5_store(tmp_path / name)


def test_a_store_is_not_made_among_other_files(tmp_path):
    (tmp_path / "photo.jpg").write_text("")

    with pytest.raises(StoreError, match="a new store needs an empty folder"):
        create_store(tmp_path)


def test_a_creation_that_was_killed_can_be_done_again(store):
    (store.path / "store.json").unlink()
    store.close()

    with create_store(store.path) as again:
        again.put([make_record()])
        assert again.count() == 1


def test_names_of_any_script_are_names(tmp_path):
    with create_store(tmp_path / "マスク 'quoted' %41") as store:
        write_segment(store)
        assert store.name == "マスク 'quoted' %41"
        assert len(list(store.query())) == 3


# Damage


@pytest.mark.parametrize(("suffix", "ask"), [(".parquet", "query"), (".parquet", "record"), (".ids.npy", "record")])
@pytest.mark.parametrize("damage", ["missing", "cut off", "empty"])
def test_a_damaged_segment_is_told(store, suffix, ask, damage):
    record = write_segment(store)[0]
    path = segment_files(store, suffix)[0]
    path.unlink() if damage == "missing" else os.truncate(
        path, path.stat().st_size * 3 // 4 if damage == "cut off" else 0
    )

    with pytest.raises(StoreDamaged, match="file of the store|cannot be read"):
        list(store.query()) if ask == "query" else store.record(record.id)


def test_a_missing_log_is_told(store):
    store.close()
    (store.path / "live.sqlite").unlink()

    with pytest.raises(StoreDamaged, match="a file of the store is missing: .*live.sqlite"):
        open_store(store.path)


def test_a_log_that_is_no_database_is_told(store):
    store.close()
    (store.path / "live.sqlite").write_bytes(b"x" * 4096)

    with pytest.raises(StoreDamaged, match="the store's log is damaged"):
        open_store(store.path)


def test_an_hdf5_file_that_is_cut_off_is_told(tmp_path):
    path = tmp_path / "masks.h5"
    with create_hdf5_store(path) as store:
        store.put([make_record()])
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(StoreDamaged, match=r"the HDF5 store cannot be read .*masks.h5"):
        open_hdf5_store(path)


# Space and rights


def test_a_full_disk_loses_nothing_that_was_there(store):
    write_segment(store)

    with room_for(1000):
        with pytest.raises(StoreFull, match="no space is left to write to the store; nothing of this write is in it"):
            write_segment(store, 1)
        with pytest.raises(StoreFull, match="no space is left"):
            store.put([make_record(make_ref(2))])

    assert store.count() == 3
    assert len(segment_files(store)) == 1
    assert not list((store.path / "segments").glob(".*"))
    write_segment(store, 1)
    assert store.count() == 6


def test_a_full_disk_leaves_an_hdf5_file_as_it_was(tmp_path):
    with create_hdf5_store(tmp_path / "masks.h5") as store:
        store.put([make_record()])
        with room_for(1000), pytest.raises(StoreFull, match="no space is left"):
            store.put([make_record()])

        assert store.count() == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "with an open writer"])
def test_a_folder_that_cannot_be_written_can_be_read(nobody, is_closed):
    store = create_store(nobody / "masks")
    records = write_segment(store)
    store.append([make_event(records[0], Accept())])
    if is_closed:
        store.close()
    else:  # as it is copied from a running machine: the newest writes are in the write-ahead log
        (store.path / "live.sqlite-shm").unlink()

    with without_rights(nobody):
        with pytest.raises(StoreReadOnly, match="Open it with read_only=True"), open_store(nobody / "masks") as writer:
            writer.put([make_record()])
        with open_store(nobody / "masks", read_only=True) as reader:
            assert reader.count() == 3
            assert reader.count(Query(status="accepted")) == 1
        with pytest.raises(StoreReadOnly, match="where nothing can be written"):
            create_store(nobody / "other")

    store.close()


# Other processes


def test_a_log_that_another_holds_for_long_is_busy(store, monkeypatch):
    monkeypatch.setattr(ledger, "BUSY_S", 0.05)
    with contextlib.closing(sqlite3.connect(store.path / "live.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with open_store(store.path) as second, pytest.raises(StoreBusy, match="another process held the store"):
            second.put([make_record()])

    assert store.moment() == 0


def test_several_writers_take_turns(store):
    records = write_segment(store, count=4)
    stores = [open_store(store.path) for _ in range(4)]
    problems = []

    def work(index):
        try:
            for number in range(10):
                stores[index].append([make_event(records[index], Accept(), minute=number)])
                stores[index].put([make_record(make_ref(number, camera=f"camera {index}"))])
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.close()

    assert problems == []
    assert store.count() == 44
    assert len(list(store.events())) == 40
    assert [write.moment for write in store.writes()] == list(range(1, 82))


def test_one_store_serves_several_threads(store):
    records = write_segment(store, count=4)
    problems = []

    def ask():
        try:
            for _ in range(5):
                assert len(list(store.query())) == store.count() == 4
                assert store.history(records[0].id).record == records[0]
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []


def test_the_files_of_the_living_are_left_alone_and_those_of_the_dead_are_swept(store):
    write_segment(store)
    writer = segment_files(store)[0].stem.partition("-")[2]
    of_the_living = store.path / "segments" / f"00000000ff-{writer}.parquet"
    of_the_dead = [
        store.path / "segments" / name for name in (".00000000fe-abc.parquet.part", "00000000fd-abc.ids.npy")
    ]
    for path in (of_the_living, *of_the_dead):
        path.write_bytes(b"")

    open_store(store.path, read_only=True).close()
    assert all(path.exists() for path in of_the_dead)
    open_store(store.path).close()

    assert of_the_living.exists()
    assert not any(path.exists() for path in of_the_dead)
    assert store.count() == 3


def test_only_one_process_compacts(store):
    from filelock import FileLock

    write_segment(store)
    with FileLock(store.path / "locks" / "compaction.lock"), pytest.raises(StoreBusy, match="another process compacts"):
        store.compact()
