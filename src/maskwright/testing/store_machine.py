"""A state machine that tries everything on a store, and `StoreModel`, which says in plain Python what it should answer.

Both are compared after every few steps. Needs hypothesis, which only the dev extra brings.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from maskwright.core import (
    Accept,
    Comment,
    Edit,
    FrameRef,
    MaskRecord,
    Merge,
    Reject,
    Relabel,
    Reparent,
    ResolvedRecord,
    Retrack,
    Revert,
    ReviewEvent,
    Scores,
    Split,
    TrackPoint,
)
from maskwright.core.rle import RLE
from maskwright.store import ANY_STATUS, Query, SeenFrame, matches, resolve
from maskwright.store.frame_log import key_of
from maskwright.store.protocol import Store
from maskwright.testing.store_values import SIZE_HW, make_event, make_frame, make_record, make_ref, rectangle


@dataclass
class StoreModel:
    """What a store should hold, in plain Python."""

    records: list[tuple[int, MaskRecord]] = field(default_factory=list)
    events: list[tuple[int, ReviewEvent]] = field(default_factory=list)
    frames: list[tuple[int, SeenFrame, str]] = field(default_factory=list)
    moments: list[int] = field(default_factory=lambda: [0])

    def resolved(self, query: Query, moment: int) -> list[ResolvedRecord]:
        """What a query should find at a moment."""
        events = [event for at, event in self.events if at <= moment]
        found = [resolve(record, events) for at, record in self.records if at <= moment]
        found = [one for one in found if matches(query, one)]
        return sorted(found, key=lambda one: key_of(one.record.frame, one.record.image_digest))

    def seen(self, moment: int) -> set[tuple[Any, ...]]:
        """The frames that a store should know at a moment."""
        named = {frame.key for at, frame, _ in self.frames if at <= moment}
        return named | {key_of(r.frame, r.image_digest) for at, r in self.records if at <= moment}


def queries(records: Sequence[MaskRecord]) -> st.SearchStrategy[Query]:
    """Draw queries that often find something."""
    boxes = st.tuples(st.integers(-3, 12), st.integers(-3, 9), st.integers(1, 8), st.integers(1, 8))
    return st.builds(
        Query,
        status=st.sampled_from([ANY_STATUS, ("proposed", "accepted"), "accepted", "rejected", ("merged", "split")]),
        bbox=st.none() | boxes.map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])),
        min_area=st.none() | st.integers(0, 60),
        label=st.none() | st.sampled_from(["cup", "lid", ("cup", "lid"), ()]),
        track=st.none() | st.sampled_from(["track 1", "track 2"]),
        track_state=st.none() | st.sampled_from(["outside", ("visible", "occluded")]),
        episode=st.none() | st.just("episode-1"),
        camera=st.none() | st.just("left"),
        first_frame=st.none() | st.integers(0, 3),
        last_frame=st.none() | st.integers(3, 5),
        is_verified=st.none() | st.booleans(),
        min_predicted_iou=st.none() | st.just(0.2),
    )


def store_machine(
    create: Callable[[Path], Store], reopen: Callable[[Path], Store], compact: Callable[[Store], None]
) -> type[RuleBasedStateMachine]:
    """Make a machine that drives a store and a `StoreModel` side by side."""
    refs = st.none() | st.builds(
        make_ref,
        st.integers(0, 5),
        episode=st.sampled_from(["episode-0", "episode-1"]),
        camera=st.sampled_from(["left", "wrist"]),
    )
    shapes = st.tuples(st.integers(0, 8), st.integers(0, 6), st.integers(0, 8), st.integers(0, 6)).map(
        lambda box: rectangle(box[0], box[1], box[0] + box[2], box[1] + box[3])
    )
    drawn = st.builds(
        make_record,
        refs,
        shapes,
        label=st.sampled_from(["cup", None]),
        scores=st.sampled_from([Scores(), Scores(predicted_iou=0.1), Scores(predicted_iou=0.9)]),
        track_point=st.sampled_from([None, TrackPoint(source="keyframe"), TrackPoint(source="carried")]),
    )

    class Machine(RuleBasedStateMachine):
        records = Bundle("records")

        @initialize()
        def begin(self) -> None:
            self.folder = tempfile.TemporaryDirectory()
            self.path = Path(self.folder.name)
            self.store = create(self.path)
            self.model = StoreModel()
            self.num_runs = 0

        @rule(target=records, record=drawn)
        def put(self, record: MaskRecord) -> MaskRecord:
            moment = self.store.put([record])
            self.model.records.append((moment, record))
            self._note(moment)
            return record

        @rule(target=records, put=st.lists(drawn, min_size=1, max_size=4))
        def write_in_bulk(self, put: list[MaskRecord]) -> MaskRecord:
            self.num_runs += 1
            by_key: dict[Any, list[MaskRecord]] = {}
            for record in put:
                by_key.setdefault(key_of(record.frame, record.image_digest), []).append(record)
            with self.store.bulk_writer(run=f"run {self.num_runs}") as writer:
                for masks in by_key.values():
                    frame = SeenFrame(
                        name="a name", size_hw=SIZE_HW, ref=masks[0].frame, image_digest=masks[0].image_digest
                    )
                    writer.add(frame, masks)
            moment = self.store.moment()
            self.model.records += [(moment, record) for masks in by_key.values() for record in masks]
            self._note(moment)
            return put[0]

        @rule(ref=refs)
        def look_in_vain(self, ref: FrameRef | None) -> None:
            self.num_runs += 1
            frame = make_frame(ref)
            moment = self.store.put([], frames=[frame], run=f"run {self.num_runs}")
            self.model.frames.append((moment, frame, f"run {self.num_runs}"))
            self._note(moment)

        @rule(record=records, rle=shapes, data=st.data())
        def decide(self, record: MaskRecord, rle: RLE, data: st.DataObject) -> None:
            actions = (
                Accept(),
                Reject("x"),
                Edit(rle),
                Relabel("lid"),
                Retrack("track 2"),
                Retrack(None),
                Comment("why?"),
            )
            self._append(make_event(record, data.draw(st.sampled_from(actions))))

        @rule(record=records, other=records)
        def make_a_part(self, record: MaskRecord, other: MaskRecord) -> None:
            self._append(make_event(record, Reparent(None if record.id == other.id else other.id)))

        @rule(record=records, other=records, kind=st.sampled_from([Merge, Split]))
        def join_or_part(self, record: MaskRecord, other: MaskRecord, kind: Any) -> None:
            if record.id != other.id:
                self._append(make_event(record, kind((other.id,))))

        @precondition(lambda self: self.model.events)
        @rule(data=st.data())
        def undo_or_redo(self, data: st.DataObject) -> None:
            _, event = data.draw(st.sampled_from(self.model.events))
            self._append(make_event(event.record_id, Revert(event.id)))

        @precondition(lambda self: self.model.events)
        @rule(data=st.data())
        def say_again(self, data: st.DataObject) -> None:
            _, event = data.draw(st.sampled_from(self.model.events))
            self._note(self.store.append([event]))

        @rule()
        def compact(self) -> None:
            compact(self.store)

        @rule()
        def open_again(self) -> None:
            self.store.close()
            self.store = reopen(self.path)

        @rule(data=st.data())
        def ask(self, data: st.DataObject) -> None:
            moment = data.draw(st.none() | st.sampled_from(self.model.moments))
            query = data.draw(queries([record for _, record in self.model.records]))
            at = self.store.moment() if moment is None else moment
            expected = self.model.resolved(query, at)

            assert list(self.store.query(query, as_of=moment)) == expected
            assert self.store.count(query, as_of=moment) == len(expected)

        @rule(data=st.data())
        def compare_moments(self, data: st.DataObject) -> None:
            first, last = sorted(data.draw(st.tuples(*[st.sampled_from(self.model.moments)] * 2)))
            before = {one.record.id: one for one in self.model.resolved(Query(status=ANY_STATUS), first)}
            after = {one.record.id: one for one in self.model.resolved(Query(status=ANY_STATUS), last)}
            changed = {key for key, one in after.items() if key not in before or _is_other(before[key], one)}

            found = list(self.store.diff(first, last))

            assert {one.after.record.id for one in found} == changed
            assert all(one.before == before.get(one.after.record.id) for one in found)
            assert all(one.after == after[one.after.record.id] for one in found)

        def teardown(self) -> None:
            if hasattr(self, "store"):
                self._compare_all()
                self.store.close()
                self.folder.cleanup()

        def _append(self, event: ReviewEvent) -> None:
            moment = self.store.append([event])
            self.model.events.append((moment, event))
            self._note(moment)

        def _note(self, moment: int) -> None:
            assert moment >= self.model.moments[-1]
            self.model.moments.append(moment)

        def _compare_all(self) -> None:
            now = self.store.moment()
            expected = self.model.resolved(Query(status=ANY_STATUS), now)
            frames = list(self.store.frames(Query(status=ANY_STATUS)))
            assert {one.frame.key for one in frames} == self.model.seen(now)
            for resolved in expected[:3]:
                assert self.store.record(resolved.record.id) == resolved
            assert list(self.store.query(Query(status=ANY_STATUS))) == expected
            masks = {one.frame.key: one.masks for one in frames}  # pictures of the same pixels share theirs
            assert [mask for of_frame in masks.values() for mask in of_frame] == expected

    return Machine


def _is_other(before: ResolvedRecord, after: ResolvedRecord) -> bool:
    silent = {"num_events": 0, "as_of": None, "comments": ()}
    return replace(before, **silent) != replace(after, **silent)


__all__ = [
    "StoreModel",
    "queries",
    "store_machine",
]
