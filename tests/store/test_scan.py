"""Questions: conditions, order, streams in pieces, SQL."""

import re
from pathlib import Path

import pytest

from maskwright.core import Accept, Edit, Reject, Relabel
from maskwright.core.errors import SettingError
from maskwright.store import ANY_STATUS, Query, SeenFrame, scan
from maskwright.testing.store_values import SIZE_HW, make_event, make_frame, make_record, make_ref, rectangle

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "store.md"


def fill(store, num_frames=12):
    """Write frames of two cameras and episodes and loose pictures, some of them edited."""
    records = []
    with store.bulk_writer(run="a run", rows_per_segment=9) as writer:
        for episode in ("episode-0", "episode-1"):
            for camera in ("left", "wrist"):
                for index in reversed(range(num_frames)):
                    ref = make_ref(index, episode=episode, camera=camera)
                    masks = [make_record(ref) for _ in range(index % 3)]
                    writer.add(make_frame(ref), masks)
                    records += masks
        for number in range(4):
            masks = [make_record(None, image_digest=f"{number}") for _ in range(3)]
            writer.add(SeenFrame(name=f"{number}.png", size_hw=SIZE_HW, image_digest=f"{number}"), masks)
            records += masks
    store.append([make_event(record, Edit(rectangle(0, 0, 1, 1))) for record in records[::5]])
    store.append([make_event(record, Reject()) for record in records[::7]])
    return records


@pytest.mark.parametrize(
    "query",
    [Query(), Query(status=ANY_STATUS), Query(episode="episode-1"), Query(max_area=1), Query(camera=("left", "none"))],
)
def test_a_long_stream_in_pieces_is_the_stream_at_once(store, monkeypatch, query):
    fill(store)
    at_once = list(store.query(query))

    monkeypatch.setattr(scan, "CHUNK", 4)
    in_pieces = list(store.query(query))

    assert in_pieces == at_once
    assert len(at_once) > 8


def test_frames_have_their_masks_however_the_stream_is_cut(store, monkeypatch):
    records = fill(store)
    monkeypatch.setattr(scan, "CHUNK", 5)

    frames = list(store.frames(Query(status=ANY_STATUS)))

    assert len(frames) == 52
    assert sorted(mask.record.id for one in frames for mask in one.masks) == sorted(record.id for record in records)
    assert all(mask.record.frame == one.frame.ref for one in frames for mask in one.masks)
    assert store.count_frames(Query(status=ANY_STATUS)) == sum(1 for one in frames if one.masks) == 36


def test_many_small_puts_become_a_file(store, monkeypatch):
    monkeypatch.setattr("maskwright.store.mask_store._MOST_PARTS_IN_LEDGER", 3)
    records = [make_record(make_ref(index)) for index in range(9)]
    moments = [store.put([record]) for record in records]

    assert [one.record for one in store.query()] == records
    assert len(list((store.path / "segments").glob("*.parquet"))) >= 1
    assert [store.count(as_of=moment) for moment in moments] == list(range(1, 10))
    assert [store.history(record.id).put_moment for record in records] == moments


def test_a_put_of_many_is_a_file_at_once(store, monkeypatch):
    monkeypatch.setattr("maskwright.store.mask_store.MOST_IN_LEDGER", 2)

    store.put([make_record(make_ref(0)) for _ in range(3)])

    assert len(list((store.path / "segments").glob("*.parquet"))) == 1
    assert store.count() == 3


def test_compaction_merges_and_folds_and_a_second_one_has_nothing_to_do(store):
    records = fill(store)
    before = [store.history(record.id) for record in records[:6]], list(store.query())

    done = store.compact(grace_s=0)
    again = store.compact(grace_s=0)

    assert done.num_segments_before > done.num_segments_after == 1
    assert (again.num_segments_before, again.num_segments_after) == (1, 1)
    assert done.num_records_folded == again.num_records_folded > 0
    assert ([store.history(record.id) for record in records[:6]], list(store.query())) == before
    assert len(list((store.path / "segments").iterdir())) == 2
    assert len(list((store.path / "folds").iterdir())) == 1


def test_events_after_a_compaction_are_laid_over_its_fold(store):
    first, second = records = [make_record(make_ref(0)) for _ in range(2)]
    store.put(records)
    accept = make_event(first, Accept())
    store.append([accept, make_event(second, Reject())])
    store.compact()

    store.append([make_event(first, Relabel("lid"))])

    assert [(one.status, one.record.label) for one in store.query(Query(status=ANY_STATUS))] == [
        ("accepted", "lid"),
        ("rejected", "cup"),
    ]


def test_what_a_compaction_replaced_stays_for_its_grace(store):
    fill(store)
    num_files = len(list((store.path / "segments").iterdir()))

    store.compact(grace_s=60)

    assert len(list((store.path / "segments").iterdir())) == num_files + 2


def test_a_condition_in_sql_holds_beside_the_others(store):
    record = make_record(make_ref(0), rectangle(0, 0, 4, 4))
    store.put([record, make_record(make_ref(1), rectangle(0, 0, 2, 2)), make_record(make_ref(2))])

    assert store.count(Query(where="x2 - x1 = y2 - y1")) == 2
    assert store.count(Query(where="x2 - x1 = y2 - y1 -- squares", min_area=5)) == 1
    assert store.count(Query(where="status = 'proposed' OR false", label="nothing")) == 0
    assert store.count(Query(where="json_extract_string(prompt, '$.kind') = 'CombinedPrompt'")) == 3


@pytest.mark.parametrize("where", ["area >", "no_such_column = 1", "1 = 1) OR (true", "'", "true; DROP VIEW masks"])
def test_a_condition_in_sql_that_is_wrong_is_told(store, where):
    store.put([make_record()])

    with pytest.raises(SettingError, match="the condition in SQL cannot be understood"):
        store.count(Query(where=where))


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"status": "good"}, "status must be one of proposed, accepted"),
        ({"method": ["sam"]}, "method must be one of sam_raw"),
        ({"bbox": (1, 2, 3)}, "bbox must be four numbers"),
        ({"bbox": (5, 5, 1, 9)}, "bbox needs x1 < x2"),
        ({"bbox": (0, 0, float("nan"), 9)}, "bbox needs x1 < x2"),
        ({"min_area": 3, "max_area": 2}, "the least area must not lie above"),
        ({"first_frame": 3, "last_frame": 2}, "the least frame must not lie above"),
    ],
)
def test_a_query_that_means_nothing_is_refused(conditions, message):
    with pytest.raises(SettingError, match=message):
        Query(**conditions)


def test_sql_sees_the_newest_state_and_what_was_put(store):
    records = fill(store)
    views = store.sql()

    def ask(sql):
        return views.execute(sql).fetchall()

    assert ask("SELECT count(*) FROM records") == ask("SELECT count(*) FROM masks") == [(len(records),)]
    assert ask("SELECT count(*) FROM masks WHERE status = 'rejected'") == [(len(records[::7]),)]
    assert ask("SELECT count(*) FROM masks WHERE area = 1") == [(len(records[::5]),)]
    assert ask("SELECT count(*) FROM records WHERE area = 1") == [(0,)]
    assert ask("SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind") == [
        ("edit", len(records[::5])),
        ("reject", len(records[::7])),
    ]
    assert ask("SELECT count(*), sum(num_masks), min(run) FROM frames") == [(52, len(records), "a run")]
    assert ask("SELECT count(*) FROM frames WHERE dataset IS NULL") == [(4,)]
    views.close()


def test_sql_as_of_an_earlier_moment_and_on_an_empty_store(store):
    store.put([make_record(make_ref(0))])
    store.put([make_record(make_ref(1))])

    for as_of, count in ((0, 0), (1, 1), (2, 2)):
        views = store.sql(as_of=as_of)
        for view in ("masks", "records", "frames"):
            assert views.execute(f"SELECT count(*) FROM {view}").fetchall() == [(count,)]
        views.close()


def test_every_column_of_the_views_is_in_the_guide(store):
    views = store.sql()
    text = GUIDE.read_text()

    for view in ("masks", "records", "events", "frames", "tags"):
        described = re.search(rf"^\| `{view}` \|.*$", text, re.MULTILINE)
        assert described, view
        columns = [row[0] for row in views.execute(f"DESCRIBE {view}").fetchall()]
        missing = [name for name in columns if f"`{name}`" not in text]
        assert missing == []
    views.close()
