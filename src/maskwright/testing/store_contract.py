"""`StoreContract`: what every `Store` must do, as tests to inherit.

    class TestMine(StoreContract):
        def create(self, path):
            return create_my_store(path / "masks")

        def reopen(self, path):
            return open_my_store(path / "masks")

The last of them drives a store by `store_machine`. Needs hypothesis and pytest, which only the dev extra brings.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from maskwright.core import (
    Accept,
    Action,
    Comment,
    Edit,
    FrameRef,
    Merge,
    Provenance,
    Reject,
    Relabel,
    Reparent,
    ResolvedRecord,
    Retrack,
    Revert,
    Scores,
    Split,
    TrackPoint,
)
from maskwright.core.errors import (
    DuplicateRecord,
    RecordError,
    SettingError,
    StoreError,
    StoreReadOnly,
    UnknownRecord,
)
from maskwright.core.rle import RLE
from maskwright.masks import encode
from maskwright.store import ANY_STATUS, Query, SeenFrame, resolve
from maskwright.store.protocol import Store
from maskwright.testing.store_machine import store_machine
from maskwright.testing.store_values import SIZE_HW, START, make_event, make_frame, make_record, make_ref, rectangle


class StoreContract:
    """Inherit, override `create` and `reopen`."""

    num_examples: ClassVar[int] = 8
    num_steps: ClassVar[int] = 20
    has_sql: ClassVar[bool] = True

    def create(self, path: Path) -> Store:
        """Make an empty store in an empty folder."""
        raise NotImplementedError("override create")

    def reopen(self, path: Path, *, read_only: bool = False) -> Store:
        """Open the store that `create` made in that folder."""
        raise NotImplementedError("override reopen")

    def compact(self, store: Any) -> None:
        """Do what keeps the store quick; nothing, where there is no such thing."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Any:
        """An empty store."""
        store = self.create(tmp_path)
        yield store
        store.close()

    # What is put

    @pytest.mark.parametrize("ref", [make_ref(3), None], ids=["frame", "loose picture"])
    def test_a_record_comes_back_as_it_was_put(self, store: Store, ref: FrameRef | None) -> None:
        record = make_record(ref)

        store.put([record])

        assert store.record(record.id) == ResolvedRecord(record=record)
        assert list(store.query()) == [ResolvedRecord(record=record)]

    def test_a_record_without_anything_optional_comes_back(self, store: Store) -> None:
        provenance = Provenance(method="human_drawn", created_at=START)
        bare = make_record(
            None, label=None, track=None, parent=None, scores=Scores(), track_point=None, provenance=provenance
        )

        store.put([bare])

        assert [one.record for one in store.query()] == [bare]

    def test_texts_of_any_kind_come_back(self, store: Store) -> None:
        odd = "a'b\"c\\d\n\t☕ 杯 ]]>; DROP TABLE masks --"
        record = make_record(replace(make_ref(0), episode=odd, dataset="", camera=" "), id=odd, label=odd, track="")

        store.put([record])

        assert store.record(odd).record == record
        assert [one.record for one in store.query(Query(episode=odd, label=odd))] == [record]

    def test_an_empty_mask_and_a_full_one_come_back(self, store: Store) -> None:
        empty, full = make_record(None, rectangle(0, 0, 0, 0)), make_record(None, rectangle(0, 0, 16, 12))

        store.put([empty, full])

        assert [one.record for one in store.query()] == [empty, full]
        assert store.count(Query(bbox=(-5, -5, 3, 3))) == 1

    def test_every_moment_of_a_track_comes_back_and_is_found(self, store: Store) -> None:
        points = [
            TrackPoint(source="keyframe"),
            TrackPoint(source="carried", confidence=0.25, anchors=("0:ab",)),
            TrackPoint(source="segmented", state="outside", confidence=0.0, anchors=("0:ab",)),
            None,
        ]
        records = [
            make_record(make_ref(index), rectangle(0, 0, 0, 0), track_point=point) for index, point in enumerate(points)
        ]

        store.put(records[:2])
        with store.bulk_writer() as writer:
            for record in records[2:]:
                writer.add(make_frame(record.frame), [record])
        self.compact(store)

        assert [one.record for one in store.query()] == records
        assert [one.record for one in store.query(Query(track_source="carried"))] == records[1:2]
        assert [one.record for one in store.query(Query(track_state=("visible", "outside")))] == records[:3]
        assert [one.is_keyframe for one in store.query()] == [True, False, False, True]

    def test_times_of_any_zone_come_back_as_the_same_moments(self, store: Store) -> None:
        from zoneinfo import ZoneInfo

        there = START.astimezone(ZoneInfo("Asia/Tokyo"))
        record = make_record(None, provenance=Provenance(method="imported", created_at=there, captured_at=there))

        store.put([record])

        assert store.record(record.id).record == record

    def test_putting_nothing_is_no_write(self, store: Store) -> None:
        assert store.put([]) == store.moment() == 0
        assert store.writes() == ()

    def test_an_id_is_put_once(self, store: Store) -> None:
        record = make_record(make_ref(0))
        other = make_record(make_ref(1))
        store.put([record])

        with pytest.raises(DuplicateRecord, match=f"an id must be new, and {record.id} is in the store"):
            store.put([other, record])
        with pytest.raises(DuplicateRecord, match="an id must be new"):
            store.put([other, other])
        with pytest.raises(DuplicateRecord, match="an id must be new"), store.bulk_writer() as writer:
            writer.add(make_frame(make_ref(0)), [record])

        assert [one.record for one in store.query()] == [record]

    def test_masks_come_in_frame_order_and_those_of_a_frame_as_they_were_put(self, store: Store) -> None:
        first = make_record(make_ref(9))
        second = [make_record(make_ref(10, camera="wrist")), make_record(make_ref(2)), make_record(None)]
        third = [make_record(make_ref(2)), make_record(make_ref(0, episode="episode-1")), make_record(make_ref(10))]

        store.put([first])
        store.put(second)
        with store.bulk_writer() as writer:
            for record in third:
                writer.add(make_frame(record.frame), [record])

        expected = [second[1], third[0], first, second[0], third[2], third[1], second[2]]
        assert [one.record for one in store.query()] == expected

    # Frames

    def test_frames_without_masks_are_known(self, store: Store) -> None:
        record = make_record(make_ref(1))
        with store.bulk_writer(run="a run") as writer:
            for index in range(3):
                writer.add(make_frame(make_ref(index)), [record] if index == 1 else [])

        frames = list(store.frames())

        assert [one.frame for one in frames] == [make_frame(make_ref(index)) for index in range(3)]
        assert [[mask.record for mask in one.masks] for one in frames] == [[], [record], []]
        assert store.done_frames("a run") == store.done_frames("a run", camera="wrist") == {0, 1, 2}
        assert store.done_frames("a run", camera="other") == store.done_frames("another run") == set()
        assert store.runs() == {"a run": 3}
        assert store.count_frames() == 1

    def test_a_run_writes_each_frame_once(self, store: Store) -> None:
        with store.bulk_writer(run="a run") as writer:
            writer.add(make_frame(make_ref(0)), [make_record(make_ref(0))])

        with pytest.raises(DuplicateRecord, match="a run writes each frame once; run a run has"):
            store.put(
                [make_record(make_ref(1))], frames=[make_frame(make_ref(0)), make_frame(make_ref(1))], run="a run"
            )
        with store.bulk_writer(run="another run") as writer:
            writer.add(make_frame(make_ref(0), "by another name"), [make_record(make_ref(0))])

        assert [len(one.masks) for one in store.frames()] == [2]
        assert store.runs() == {"a run": 1, "another run": 1}

    def test_loose_pictures_are_done_by_name_and_found_by_their_pixels(self, store: Store) -> None:
        record = make_record(None)
        frames = [SeenFrame(name=name, size_hw=SIZE_HW, image_digest="loose picture") for name in ("a.png", "b.png")]
        with store.bulk_writer(run="a run") as writer:
            writer.add(frames[0], [record])
            writer.add(frames[1], [])
            writer.add(make_frame(None, "c.png"))

        assert store.done_names("a run") == {"a.png", "b.png", "c.png"}
        assert {one.frame.name: len(one.masks) for one in store.frames()} == {"a.png": 1, "b.png": 1, "c.png": 0}

    def test_conditions_on_frames_choose_frames(self, store: Store) -> None:
        for camera in ("left", "wrist"):
            frames = [make_frame(make_ref(index, camera=camera)) for index in range(4)]
            store.put([make_record(frames[2].ref, label=camera)], frames=frames, run="a run")

        chosen = list(store.frames(Query(camera="left", first_frame=1, last_frame=2, label="nothing")))

        assert [(one.frame.ref, one.masks) for one in chosen] == [
            (make_ref(index, camera="left"), ()) for index in (1, 2)
        ]

    def test_a_frame_put_by_two_ways_is_one_frame(self, store: Store) -> None:
        store.put([], frames=[make_frame(make_ref(0))], run="a run")
        store.put([make_record(make_ref(0))])

        assert [(one.frame.name, len(one.masks)) for one in store.frames()] == [("episode-0/0.png", 1)]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"rle": encode(np.ones((2, 3), bool))}, r"has size \(2, 3\) \(h, w\), its frame \(12, 16\)"),
            ({"frame": make_ref(1)}, "was added to"),
            ({"image_digest": "other"}, "is of image other, not digest"),
        ],
    )
    def test_a_mask_of_another_frame_is_refused(self, store: Store, changes: Any, message: str) -> None:
        frame = SeenFrame(name="0.png", size_hw=SIZE_HW, ref=make_ref(0), image_digest="digest")
        record = replace(make_record(make_ref(0), image_digest="digest", area=1), **changes)

        with pytest.raises(RecordError, match=message), store.bulk_writer() as writer:
            writer.add(frame, [record])

        assert store.moment() == 0

    def test_leaving_a_writer_by_an_error_drops_what_was_not_flushed(self, store: Store) -> None:
        def write_and_fail() -> None:
            with store.bulk_writer(run="a run") as writer:
                writer.add(make_frame(make_ref(0)), [make_record(make_ref(0))])
                writer.flush()
                writer.add(make_frame(make_ref(1)), [make_record(make_ref(1))])
                raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            write_and_fail()

        assert store.done_frames("a run") == {0}
        assert store.count() == 1

    # Events

    def test_events_change_what_a_query_finds(self, store: Store) -> None:
        accepted, rejected, edited, untouched = records = [make_record(make_ref(index)) for index in range(4)]
        store.put(records)
        small = rectangle(0, 0, 2, 1)

        store.append([make_event(accepted, Accept()), make_event(rejected, Reject("blurred"))])
        store.append([make_event(edited, Edit(small)), make_event(edited, Relabel("lid"))])

        assert [one.record.id for one in store.query()] == [accepted.id, edited.id, untouched.id]
        assert [one.record.id for one in store.query(Query(status="rejected"))] == [rejected.id]
        assert store.count(Query(status=ANY_STATUS)) == 4
        assert store.count(Query(is_verified=True)) == 1
        assert store.count(Query(max_area=2)) == store.count(Query(label="lid")) == 1
        assert store.count(Query(label="cup", bbox=(8, 7, 9, 8))) == 2
        new = store.record(edited.id)
        assert (new.record.rle, new.record.area, new.record.box_xyxy) == (small, 2, (0, 0, 2, 1))
        assert new == next(store.query(Query(label="lid")))

    def test_masks_change_their_track_and_back(self, store: Store) -> None:
        moved, freed, kept = records = [make_record(make_ref(index)) for index in range(3)]
        store.put(records)
        before = store.moment()

        retrack = make_event(moved, Retrack("track 2"))
        store.append([retrack, make_event(freed, Retrack(None))])
        self.compact(store)

        assert [one.record.id for one in store.query(Query(track="track 2"))] == [moved.id]
        assert [one.record.id for one in store.query(Query(track="track 1"))] == [kept.id]
        now = {one.after.record.id: one.after.record.track for one in store.diff(before)}
        assert now == {moved.id: "track 2", freed.id: None}
        assert store.record(freed.id).record == replace(freed, track=None)
        store.append([make_event(moved, Revert(retrack.id))])
        assert [one.record for one in store.query(Query(track="track 1"))] == [moved, kept]

    def test_masks_become_parts_of_others_and_masks_of_their_own_again(self, store: Store) -> None:
        whole, part, freed = records = [make_record(make_ref(0), parent=None) for _ in range(3)]
        store.put(records)

        joined = make_event(part, Reparent(whole.id))
        store.append([joined, make_event(freed, Reparent(whole.id)), make_event(freed, Reparent(None))])
        self.compact(store)

        assert {one.record.id: one.record.parent for one in store.query()} == {
            whole.id: None,
            part.id: whole.id,
            freed.id: None,
        }
        assert store.record(part.id).record == replace(part, parent=whole.id)
        store.append([make_event(part, Revert(joined.id))])
        assert (
            store.record(part.id).record
            == next(one.record for one in store.query() if one.record.id == part.id)
            == part
        )
        for parent, error in (("nobody", UnknownRecord), (part.id, RecordError)):
            with pytest.raises(error):
                store.append([make_event(part, Reparent(parent))])

    def test_what_is_said_about_a_mask_stays_with_it_and_changes_nothing_else(self, store: Store) -> None:
        said, other = records = [make_record(make_ref(index)) for index in range(2)]
        store.put(records)
        before = store.moment()
        comments = [
            make_event(said, Comment(text), actor=who) for who, text in (("ann", "a <b>cup</b>?"), ("bob", "да"))
        ]

        store.append(comments)
        self.compact(store)

        found = {one.record.id: one for one in store.query()}
        assert [(one.actor, one.at, one.text) for one in found[said.id].comments] == [
            ("ann", comments[0].at, "a <b>cup</b>?"),
            ("bob", comments[1].at, "да"),
        ]
        assert found[said.id] == store.record(said.id)
        assert (found[said.id].record, found[said.id].status) == (said, "proposed")
        assert found[other.id].comments == ()
        assert list(store.diff(before)) == []
        store.append([make_event(said, Revert(comments[0].id))])
        assert [one.text for one in store.record(said.id).comments] == ["да"]

    def test_a_life_is_told_whole(self, store: Store) -> None:
        record = make_record(make_ref(0))
        first = store.put([record])
        events = [make_event(record, Edit(rectangle(0, 0, 1, 1))), make_event(record, Accept(), actor="bob", minute=1)]
        for event in events:
            store.append([event])

        history = store.history(record.id)

        assert history.record == record
        assert history.put_moment == first
        assert history.put_at <= datetime.now(UTC)
        assert history.events == tuple(events)
        assert history.resolved == resolve(record, events)
        assert store.history(record.id, as_of=first + 1).events == tuple(events[:1])

    def test_merges_and_splits_touch_others_and_can_be_undone(self, store: Store) -> None:
        whole, part, piece = records = [make_record(make_ref(0)) for _ in range(3)]
        store.put(records)
        merge, split = make_event(whole, Merge((part.id,))), make_event(whole, Split((piece.id,)))
        store.append([merge])
        assert store.record(part.id).status == "merged"

        store.append([make_event(whole, Revert(merge.id)), split])
        assert [one.record.id for one in store.query()] == [part.id, piece.id]

        store.append([make_event(whole, Revert(split.id))])
        assert [one.record.id for one in store.query()] == [whole.id, part.id]
        assert store.record(piece.id).status == "merged"
        assert len(store.history(piece.id).events) == 2

    def test_an_event_that_comes_twice_is_kept_once(self, store: Store) -> None:
        record = make_record()
        store.put([record])
        event = make_event(record, Accept())

        store.append([event])
        store.append([event])

        assert list(store.events()) == [event]
        with pytest.raises(DuplicateRecord, match="an event's id must be its own"):
            store.append([replace(event, actor="bob")])

    @pytest.mark.parametrize(
        ("action", "error", "message"),
        [
            (Edit(encode(np.ones((2, 2), bool))), RecordError, r"an edit must have its mask's size \(12, 16\)"),
            (Edit(RLE(SIZE_HW, b"1")), RecordError, "an edit's pixels cannot be read"),
            (Merge(()), RecordError, "a merge or split must name other records"),
            (Merge(("nobody",)), UnknownRecord, "no mask in the store has the id nobody"),
            (Split(("nobody",)), UnknownRecord, "no mask in the store has the id nobody"),
            (Revert("nothing"), UnknownRecord, "there is no event nothing"),
        ],
    )
    def test_events_that_could_not_be_folded_are_refused_with_all_beside_them(
        self, store: Store, action: Action, error: type[Exception], message: str
    ) -> None:
        record = make_record()
        store.put([record])
        before = store.moment()

        with pytest.raises(error, match=message):
            store.append([make_event(record, Accept()), make_event(record, action)])

        assert store.moment() == before
        assert store.record(record.id) == ResolvedRecord(record=record)

    def test_events_about_unknown_records_are_refused(self, store: Store) -> None:
        other = make_record()
        store.put([other, make_record()])
        accept = make_event(other, Accept())
        store.append([accept])

        with pytest.raises(UnknownRecord, match="no mask in the store has the id nobody"):
            store.append([make_event("nobody", Accept())])
        with pytest.raises(UnknownRecord, match=f"{accept.id} is another's"):
            store.append([make_event(next(store.query(Query(status="proposed"))).record, Revert(accept.id))])

    # Moments

    def test_every_earlier_moment_can_be_asked(self, store: Store) -> None:
        record, later = make_record(make_ref(0)), make_record(make_ref(1))
        put = store.put([record])
        tag = store.tag("before review")
        accepted = store.append([make_event(record, Accept())])
        time = datetime.now(UTC)
        store.put([later])
        store.append([make_event(record, Reject())])
        self.compact(store)

        assert tag.moment == put
        for as_of in (put, "before review", str(put)):
            assert [one.status for one in store.query(as_of=as_of)] == ["proposed"]
        for as_of in (accepted, time, time.isoformat()):
            assert store.record(record.id, as_of=as_of).status == "accepted"
            assert store.count(as_of=as_of) == 1
            assert len(list(store.frames(as_of=as_of))) == 1
        assert store.count(as_of=0) == 0
        assert store.record(record.id).status == "rejected"
        with pytest.raises(UnknownRecord, match=later.id):
            store.record(later.id, as_of=accepted)

    def test_moments_that_are_not_there_are_named(self, store: Store) -> None:
        store.put([make_record()])
        store.tag("v1")

        with pytest.raises(UnknownRecord, match="no tag is called 'v2'; tags are v1"):
            store.count(as_of="v2")
        with pytest.raises(UnknownRecord, match="moments go from 0 to"):
            store.count(as_of=99)
        with pytest.raises(SettingError, match="needs a time zone"):
            store.count(as_of=datetime(2026, 1, 1))
        with pytest.raises(DuplicateRecord, match="tag 'v1' names moment 1 already"):
            store.tag("v1", moment=0)
        with pytest.raises(SettingError, match="a tag needs a name"):
            store.tag("12")
        assert [(tag.name, tag.moment) for tag in store.tags()] == [("v1", 1)]

    def test_a_diff_tells_what_was_put_and_what_was_decided(self, store: Store) -> None:
        kept, changed, undone, new = [make_record(make_ref(index)) for index in range(4)]
        store.put([kept, changed, undone])
        before = store.append([make_event(kept, Accept())])
        accept = make_event(undone, Accept())
        store.put([new])
        store.append([make_event(changed, Reject()), accept, make_event(undone, Revert(accept.id))])
        self.compact(store)

        changes = list(store.diff(before))

        assert [(one.before and one.before.status, one.after.record.id, one.after.status) for one in changes] == [
            (None, new.id, "proposed"),
            ("proposed", changed.id, "rejected"),
        ]
        assert list(store.diff(before, before)) == []
        with pytest.raises(UnknownRecord, match="from an earlier moment to a later one"):
            list(store.diff(before, 0))

    def test_a_stream_is_of_one_moment(self, store: Store) -> None:
        records = [make_record(make_ref(index)) for index in range(3)]
        store.put(records)
        stream = store.query()
        first = next(stream)

        store.append([make_event(record, Reject()) for record in records])
        self.compact(store)

        assert [one.status for one in (first, *stream)] == ["proposed"] * 3

    # Opening

    def test_everything_is_there_when_it_is_opened_again(self, store: Store, tmp_path: Path) -> None:
        record = make_record(make_ref(0))
        store.put([record], frames=[make_frame(make_ref(0))], run="a run")
        store.append([make_event(record, Accept())])
        store.tag("v1")
        told = (store.writes(), store.tags(), store.runs(), list(store.frames()), store.history(record.id))
        store.close()

        again = self.reopen(tmp_path)

        assert (again.writes(), again.tags(), again.runs(), list(again.frames()), again.history(record.id)) == told
        assert again.name == store.name
        again.close()

    def test_a_second_opening_sees_what_the_first_writes(self, store: Store, tmp_path: Path) -> None:
        other = self.reopen(tmp_path)
        record = make_record(make_ref(0))

        store.put([record])
        other.append([make_event(record, Accept())])

        assert store.record(record.id).status == other.record(record.id).status == "accepted"
        assert store.count(Query(status="accepted")) == other.count(Query(status="accepted")) == 1
        with pytest.raises(DuplicateRecord, match="an id must be new"):
            other.put([record])
        other.close()

    def test_a_store_opened_for_reading_is_not_written(self, store: Store, tmp_path: Path) -> None:
        record = make_record()
        store.put([record])

        reader = self.reopen(tmp_path, read_only=True)

        assert [one.record for one in reader.query()] == [record]
        assert reader.is_read_only
        for write in (
            lambda: reader.put([make_record()]),
            lambda: reader.append([make_event(record, Accept())]),
            lambda: reader.tag("v1"),
        ):
            with pytest.raises(StoreReadOnly, match="opened for reading"):
                write()
        reader.close()

    def test_a_store_is_not_made_over_another(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="a new store needs"):
            self.create(tmp_path)

    # Everything

    def test_whatever_is_done_the_store_answers_as_the_model(self) -> None:
        run_state_machine_as_test(
            store_machine(self.create, self.reopen, self.compact),
            settings=settings(
                max_examples=self.num_examples,
                stateful_step_count=self.num_steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            ),
        )


__all__ = [
    "StoreContract",
]
