"""The fold of events: what each does, and that any sequence of deciding, undoing and redoing replays to the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import Accept, Edit, Merge, Reject, Relabel, ResolvedRecord, Revert, Split
from maskwright.masks import area, box_xyxy
from maskwright.store import resolve
from maskwright.testing.store_values import START, make_event, make_record, rectangle

RECORD = make_record()
SMALL = rectangle(0, 0, 2, 1)
ACTIONS = (Accept(), Reject(), Edit(SMALL), Edit(rectangle(1, 1, 5, 5)), Relabel("lid"), Relabel(None))
ACTIONS += (Merge(("other",)), Split(("piece",)))


def fold(*actions, actor="ann"):
    return resolve(RECORD, [make_event(RECORD, action, actor=actor, minute=i) for i, action in enumerate(actions)])


def test_a_record_without_events_is_proposed():
    assert resolve(RECORD, []) == ResolvedRecord(record=RECORD)


def test_accepting_names_who_and_when():
    resolved = fold(Accept(), actor="bob")

    assert (resolved.status, resolved.verified_by, resolved.verified_at) == ("accepted", "bob", START)
    assert (resolved.num_events, resolved.as_of) == (1, START)


@pytest.mark.parametrize("decision", [Accept(), Reject()])
def test_an_edit_takes_back_what_was_decided_about_other_pixels(decision):
    resolved = fold(decision, Edit(SMALL))

    assert (resolved.status, resolved.verified_by, resolved.edited_by) == ("proposed", None, "ann")
    assert resolved.record == replace(RECORD, rle=SMALL, area=area(SMALL), box_xyxy=box_xyxy(SMALL))
    assert resolved.is_listed


def test_an_acceptance_after_an_edit_stands():
    assert fold(Edit(SMALL), Accept()).verified_by == "ann"


def test_the_last_decision_counts():
    assert fold(Accept(), Reject()).status == "rejected"
    assert fold(Accept(), Reject()).verified_by is None
    assert fold(Reject(), Accept()).status == "accepted"


def test_a_new_label_leaves_the_decision_alone():
    resolved = fold(Accept(), Relabel("lid"))

    assert (resolved.status, resolved.record.label) == ("accepted", "lid")
    assert fold(Relabel(None)).record.label is None


def test_a_split_record_is_no_longer_listed():
    assert fold(Accept(), Split(("piece",))).status == "split"


def test_the_absorbed_are_merged_and_the_other_keeps_its_pixels():
    merge = make_event("other", Merge((RECORD.id,)))

    assert resolve(RECORD, [merge]).status == "merged"
    assert resolve(replace(RECORD, id="other"), [merge]) == ResolvedRecord(
        record=replace(RECORD, id="other"), num_events=1, as_of=START
    )


def test_a_piece_of_a_split_that_was_undone_is_merged_again():
    split = make_event("whole", Split((RECORD.id,)))
    undo = make_event("whole", Revert(split.id))
    redo = make_event("whole", Revert(undo.id))

    assert resolve(RECORD, [split]).status == "proposed"
    assert resolve(RECORD, [split, undo]).status == "merged"
    assert resolve(RECORD, [split, undo, redo]).status == "proposed"


def test_what_was_decided_before_a_merge_is_there_when_it_is_undone():
    merge = make_event("other", Merge((RECORD.id,)))
    events = [make_event(RECORD, Accept()), merge, make_event("other", Revert(merge.id))]

    assert resolve(RECORD, events[:2]).status == "merged"
    assert resolve(RECORD, events).status == "accepted"


def test_undoing_something_in_the_middle_leaves_the_rest():
    first, second, third = (make_event(RECORD, action) for action in (Edit(SMALL), Relabel("lid"), Accept()))

    resolved = resolve(RECORD, [first, second, third, make_event(RECORD, Revert(first.id))])

    assert (resolved.record.rle, resolved.record.label, resolved.status) == (RECORD.rle, "lid", "accepted")


def test_the_time_of_a_record_is_that_of_the_last_event_that_counts():
    events = [make_event(RECORD, Accept()), make_event(RECORD, Reject(), minute=1)]
    events.append(make_event(RECORD, Revert(events[1].id), minute=2))

    resolved = resolve(RECORD, events)

    assert (resolved.as_of, resolved.num_events) == (START, 3)
    assert resolve(RECORD, [events[0], make_event(RECORD, Revert(events[0].id))]).as_of is None


def test_clocks_do_not_matter():
    late, early = make_event(RECORD, Accept(), minute=5), make_event(RECORD, Reject(), minute=1)

    assert resolve(RECORD, [late, early]).status == "rejected"


def test_events_of_other_records_are_ignored():
    events = [make_event("other", action) for action in ACTIONS]
    events.append(make_event("other", Revert(events[0].id)))

    assert resolve(RECORD, events) == ResolvedRecord(record=RECORD)


@given(st.lists(st.sampled_from([*ACTIONS, "undo", "redo"]), max_size=30))
def test_any_sequence_replays_to_what_an_editor_with_two_stacks_would_have(steps):
    """Undo takes the last action that stands, redo brings it back, and a new action forgets what was undone."""
    events, standing, undone = [], [], []
    for minute, step in enumerate(steps):
        if step == "undo" and standing:
            target = standing.pop()
            revert = make_event(RECORD, Revert(target[1]), minute=minute)
            events.append(revert)
            undone.append((target[0], target[1], revert.id))
        elif step == "redo" and undone:
            event, _, revert_id = undone.pop()
            redo = make_event(RECORD, Revert(revert_id), minute=minute)
            events.append(redo)
            standing.append((event, _newest(event, redo)))
        elif step not in ("undo", "redo"):
            event = make_event(RECORD, step, minute=minute)
            events.append(event)
            standing.append((event, event.id))
            undone.clear()

    resolved = resolve(RECORD, events)

    alone = resolve(RECORD, [event for event, _ in standing])
    assert replace(resolved, num_events=0) == replace(alone, num_events=0)
    assert resolved.num_events == len(events)


def _newest(event, redo):
    """What the next undo reverts: the event itself, though its redo would do as well."""
    return event.id if redo.at - START > timedelta(minutes=10) else redo.id
