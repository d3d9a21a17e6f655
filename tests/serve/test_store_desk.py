"""The desk: edits are durable when they are acknowledged, nobody's work is wiped out unseen, reads never wait."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from full_disk import room_for
from maskwright.core import Accept, Edit, Merge, Reject, Relabel, Revert, Split, new_id
from maskwright.core.errors import (
    DeadlinePassed,
    DuplicateRecord,
    EditConflict,
    KeyReused,
    NotAllowed,
    RecordError,
    RequestError,
    SettingError,
    StoreFull,
    StoreMissing,
    StoreReadOnly,
    UnknownImage,
    UnknownRecord,
)
from maskwright.serve.store_desk import StoreDesk
from maskwright.serve.store_edits import Edits, named_by
from maskwright.serve.store_saves import Draft
from maskwright.serve.store_sql import select
from maskwright.serve.store_tags import Expected, expected, read_tags, tag_after, tag_of
from maskwright.store import ANY_STATUS, Query, create_store, open_store
from maskwright.testing.store_values import make_event, make_frame, make_record, make_ref, rectangle
from store_rest import ADMIN, ANN, BOB, run, settings_of

ANYTHING = Expected(anything=True)
ALL = Query(status=ANY_STATUS)


@pytest.fixture
def records(tmp_path):
    made = [make_record(make_ref(index)) for index in range(6)]
    with create_store(tmp_path / "masks") as store:
        store.put(made)
    return made


@pytest.fixture
def desk(tmp_path, records):
    desk = StoreDesk(settings_of(tmp_path / "masks"))
    yield desk
    desk.close()


def edits(record, action, *, tag=None, caller=ANN, key=None, actor=None):
    record_id = record if isinstance(record, str) else record.id
    expects = ANYTHING if tag is None else expected(f'"{tag}"', {}, [record_id])
    return Edits([(record_id, action)], expects, caller, key=key, actor=actor)


def drawn(**changes):
    record = make_record(make_ref(0), parent=None, track_point=None, **changes)
    return replace(record, provenance=replace(record.provenance, derived_from=(), actor=None))


# Edits and tags


def test_an_edit_is_in_the_store_when_it_is_acknowledged(tmp_path, desk, records):
    edited = run(desk.append(edits(records[0], Accept())))

    with open_store(tmp_path / "masks", read_only=True) as store:
        (event,) = store.events()
    assert event == edited.events[0].event
    assert (event.actor, event.record_id) == ("ann", records[0].id)
    assert edited.tags == {records[0].id: tag_of(run(desk.record(records[0].id)))}


def test_a_tag_changes_with_all_that_touches_a_record_and_with_nothing_else(desk, records):
    async def tags():
        return {record.id: tag_of(await desk.record(record.id)) for record in records}

    async def touch():
        before = await tags()
        for action, touched in (
            (Relabel("mug"), {0}),
            (Merge((records[1].id,)), {0, 1}),
            (Split((records[2].id,)), {0, 2}),
        ):
            edited = await desk.append(edits(records[0], action))
            after = await tags()
            changed = {i for i, record in enumerate(records) if before[record.id] != after[record.id]}
            assert changed == touched
            assert edited.tags == {records[i].id: after[records[i].id] for i in touched}
            before = after
        merge = (await desk.history(records[1].id)).events[0]
        await desk.append(edits(records[0], Revert(merge.id)))
        after = await tags()
        assert {i for i, record in enumerate(records) if before[record.id] != after[record.id]} == {0, 1}

    run(touch())


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["accept", "reject", "label", "edit", "merge", "split", "revert"]),
            st.integers(0, 3),
        ),
        max_size=12,
    )
)
def test_every_way_to_read_a_record_gives_the_same_tag(tmp_path_factory, steps):
    made = [make_record(make_ref(index)) for index in range(4)]
    path = tmp_path_factory.mktemp("tags") / "masks"
    with create_store(path) as store:
        store.put(made)
        added = []
        for index, name, other in steps:
            action = action_of(name, made, other, [one for one in added if one.record_id == made[index].id])
            if action is None or (isinstance(action, Merge | Split) and other == index):
                continue
            added.append(make_event(made[index], action, minute=len(added)))
            store.append([added[-1]])
        seen = {}
        for one in store.query(ALL):
            seen[one.record.id] = tag_of(one)
        for record in made:
            history = store.history(record.id)
            assert seen[record.id] == tag_of(history.resolved) == tag_after(record.id, history.events)


def action_of(name, made, other, own):
    match name:
        case "accept":
            return Accept()
        case "reject":
            return Reject()
        case "label":
            return Relabel(f"label {other}")
        case "edit":
            return Edit(rectangle(0, 0, 2 + other, 3))
        case "merge":
            return Merge((made[other].id,))
        case "split":
            return Split((made[other].id,))
        case "revert":
            return Revert(own[other % len(own)].id) if own else None


def test_an_edit_of_what_somebody_changed_is_refused_and_says_who(desk, records):
    async def edit_twice():
        read = tag_of(await desk.record(records[0].id))
        await desk.append(edits(records[0], Relabel("bob's"), tag=read, caller=BOB))
        with pytest.raises(EditConflict, match=r"its etag is now 1-[0-9a-f]+, bob changed it at .*Read it again"):
            await desk.append(edits(records[0], Relabel("ann's"), tag=read))
        now = tag_of(await desk.record(records[0].id))
        await desk.append(edits(records[0], Relabel("ann's"), tag=now))
        return await desk.record(records[0].id)

    assert run(edit_twice()).record.label == "ann's"


@settings(max_examples=15, deadline=None)
@given(
    plan=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 1), st.sampled_from(["read", "write"])), min_size=4, max_size=24
    )
)
def test_two_clients_never_lose_an_update(tmp_path_factory, plan):
    """Each writes what it read and its own number; a write that nobody refused is in all that came later."""
    made = [make_record(make_ref(index), label="") for index in range(2)]
    path = tmp_path_factory.mktemp("two") / "masks"
    with create_store(path) as store:
        store.put(made)
    callers = {"a": ANN, "b": BOB}
    known = {(who, i): ("", "0-0") for who in "ab" for i in range(2)}
    accepted = {0: [], 1: []}

    async def play():
        for number, (who, i, what) in enumerate(plan):
            if what == "read":
                mask = await desk.record(made[i].id)
                known[who, i] = (mask.record.label, tag_of(mask))
                continue
            label, tag = known[who, i]
            written = f"{label},{who}{number}"
            try:
                await desk.append(edits(made[i], Relabel(written), tag=tag, caller=callers[who]))
            except EditConflict:
                continue
            accepted[i].append(f"{who}{number}")
        return [(await desk.record(record.id)).record.label for record in made]

    desk = StoreDesk(settings_of(path))
    try:
        labels = run(play())
    finally:
        desk.close()
    assert [label.split(",")[1:] for label in labels] == [accepted[0], accepted[1]]


def test_of_edits_that_race_with_one_tag_exactly_one_is_made(desk, records):
    async def race():
        tag = tag_of(await desk.record(records[0].id))
        tries = [desk.append(edits(records[0], Relabel(str(i)), tag=tag)) for i in range(30)]
        return await asyncio.gather(*tries, return_exceptions=True)

    outcomes = run(race())

    assert sum(not isinstance(one, Exception) for one in outcomes) == 1
    assert sum(isinstance(one, EditConflict) for one in outcomes) == 29


def test_an_edit_without_a_tag_is_refused_unless_it_says_that_it_takes_anything(desk, records):
    with pytest.raises(RequestError, match="send the record's etag in If-Match"):
        Edits([(records[0].id, Accept())], Expected(), ANN)
    merge = [(records[0].id, Merge((records[1].id,)))]
    assert named_by(merge) == (records[0].id, records[1].id)
    with pytest.raises(RequestError, match=f"got none for {records[1].id}"):
        Edits(merge, Expected(tags={records[0].id: frozenset({"0-0"})}), ANN)
    run(desk.append(Edits(merge, ANYTHING, ANN)))


def test_one_refused_edit_leaves_the_others_of_its_write_alone(desk, records):
    async def together():
        good = [desk.append(edits(records[i], Accept())) for i in range(3)]
        bad = [
            desk.append(edits("nobody", Accept())),
            desk.append(edits(records[3], Edit(rectangle(0, 0, 1, 1)), tag="9-9")),
            desk.append(edits(records[4], Revert("no event"))),
        ]
        return await asyncio.gather(*bad, *good, return_exceptions=True)

    outcomes = run(together())

    assert [type(one) for one in outcomes[:3]] == [UnknownRecord, EditConflict, UnknownRecord]
    assert all(one.moment for one in outcomes[3:])


def test_edits_that_wait_are_written_together(desk, records, tmp_path):
    with open_store(tmp_path / "masks", read_only=True) as store:
        before = len(store.writes())

        async def many():
            await asyncio.gather(*(desk.append(edits(records[i % 6], Relabel(str(i)))) for i in range(200)))

        run(many())
        assert len(list(store.events())) == 200
        assert len(store.writes()) - before < 50


def test_only_an_admin_signs_for_others(desk, records):
    with pytest.raises(NotAllowed, match="edits are signed with the token's name, ann"):
        edits(records[0], Accept(), actor="bob")

    run(desk.append(edits(records[0], Accept(), actor="bob", caller=ADMIN)))
    run(desk.append(edits(records[1], Accept(), actor="ann")))

    assert run(desk.record(records[0].id)).verified_by == "bob"


def test_tags_in_headers_are_read_as_the_web_writes_them():
    assert read_tags('"1-a", W/"2-b" ,"3"') == {"1-a", "3"}
    assert read_tags('W/"2-b"', weak=True) == {"2-b"}
    assert read_tags(" * ") == {"*"}
    assert read_tags("1-5f") == {"1-5f"}
    for wrong in ("", '"', "a b", '"a" "b"', ",".join(['"1"'] * 200)):
        with pytest.raises(RequestError, match="a header of tags holds"):
            read_tags(wrong)
    with pytest.raises(RequestError, match="If-Match holds the etag of one record"):
        expected('"1-a"', {}, ["x", "y"])


# Idempotency


def test_a_repeated_edit_gets_the_first_answer_even_after_a_restart(tmp_path, desk, records):
    first = run(desk.append(edits(records[0], Relabel("mug"), tag="0-0", key="k")))
    run(desk.append(edits(records[0], Accept(), caller=BOB)))
    again = run(desk.append(edits(records[0], Relabel("mug"), tag="0-0", key="k")))
    desk.close()
    other = StoreDesk(settings_of(tmp_path / "masks"))
    once_more = run(other.append(edits(records[0], Relabel("mug"), tag="0-0", key="k")))
    num_events = run(other.record(records[0].id)).num_events
    other.close()

    assert first == again == once_more
    assert num_events == 2


def test_a_key_with_another_body_is_refused_and_another_callers_key_is_another(desk, records):
    body = [(records[0].id, Relabel("mug")), (records[1].id, Accept())]
    run(desk.append(Edits(body, ANYTHING, ANN, key="k")))

    for other in (body[:1], [*body, (records[2].id, Accept())], [body[0], (records[1].id, Reject())], body[::-1]):
        with pytest.raises(KeyReused, match="this Idempotency-Key was used for another request"):
            run(desk.append(Edits(other, ANYTHING, ANN, key="k")))
    run(desk.append(Edits(body[:1], ANYTHING, BOB, key="k")))
    with pytest.raises(RequestError, match="an Idempotency-Key has 1 to 200 visible ASCII"):
        Edits(body, ANYTHING, ANN, key="a key")


def test_a_key_that_was_refused_may_be_used_again(desk, records):
    with pytest.raises(EditConflict):
        run(desk.append(edits(records[0], Accept(), tag="7-7", key="k")))

    assert run(desk.append(edits(records[0], Accept(), tag="0-0", key="k"))).events


def test_twins_that_race_with_one_key_are_made_once(desk, records):
    async def race():
        return await asyncio.gather(*(desk.append(edits(records[0], Accept(), key="k")) for _ in range(10)))

    answers = run(race())

    assert all(one == answers[0] for one in answers)
    assert run(desk.record(records[0].id)).num_events == 1


def test_saved_masks_are_put_once_for_one_key(desk):
    draft = Draft(record=drawn(id="mine", label="mug"))

    async def save():
        return await asyncio.gather(*(desk.put([draft], ANN, key="k") for _ in range(5)))

    answers = run(save())
    run(desk.append(edits("mine", Accept())))
    again = run(desk.put([draft], ANN, key="k"))

    assert all(one == again for one in answers)
    assert again.records[0].record.provenance.actor == "ann"
    with pytest.raises(KeyReused):
        run(desk.put([Draft(record=drawn(id="mine", label="cup"))], ANN, key="k"))
    with pytest.raises(DuplicateRecord, match="an id must be new, and mine is in the store"):
        run(desk.put([draft], ANN))


# What may be saved


def test_what_a_mask_says_of_itself_is_checked(desk, records):
    seen = replace(drawn(), image_digest=records[0].image_digest)
    wrong = {
        "the box and area of a mask are those of its pixels": replace(seen, area=3),
        "the mask is of another picture": replace(seen, image_digest="other"),
        "the store has no frame": replace(seen, frame=make_ref(77)),
        "a mask's parent and ancestors are masks of the store, and nobody is none": replace(seen, parent="nobody"),
    }
    for told, record in wrong.items():
        with pytest.raises((RecordError, UnknownRecord), match=told):
            run(desk.put([Draft(record=record)], ANN))
    imported = replace(seen.provenance, method="imported", model=None)
    with pytest.raises(NotAllowed, match="only an admin saves masks of the method imported"):
        run(desk.put([Draft(record=replace(seen, provenance=imported))], ANN))
    with pytest.raises(NotAllowed, match="only an admin signs"):
        run(desk.put([Draft(record=replace(seen, provenance=replace(seen.provenance, actor="bob")))], ANN))
    run(desk.put([Draft(record=replace(seen, id=new_id(), parent=records[1].id))], ANN))
    run(desk.put([Draft(record=replace(seen, id=new_id(), frame=make_ref(77)))], ADMIN))


def test_saves_that_wait_are_put_together_and_one_refused_leaves_the_others_alone(desk):
    async def many():
        good = [desk.put([Draft(record=drawn(id=f"mask-{i}"))], ANN) for i in range(20)]
        twins = [desk.put([Draft(record=drawn(id="twin"))], ANN) for _ in range(2)]
        return await asyncio.gather(*good, *twins, return_exceptions=True)

    outcomes = run(many())

    assert not any(isinstance(one, Exception) for one in outcomes[:20])
    assert sorted(type(one).__name__ for one in outcomes[20:]) == ["DuplicateRecord", "Saved"]
    assert run(desk.count(Query(dataset="böxes", first_frame=0, last_frame=0))) == 22


# Reading


def test_pages_and_counts_are_those_of_the_store(tmp_path, desk, records):
    async def walk():
        found, cursor = [], None
        while True:
            page = await desk.query(Query(), cursor=cursor, limit=2)
            found += page.masks
            cursor = page.next_cursor
            if cursor is None:
                return found

    assert [one.record.id for one in run(walk())] == [one.id for one in records]
    assert run(desk.count(Query(first_frame=2))) == 4


def test_a_question_about_a_frame_sees_every_write_of_whoever(tmp_path, desk, records):
    query = Query(dataset="böxes", episode="episode-0", camera="wrist", first_frame=1, last_frame=1)

    def labels():
        return sorted(one.record.label for one in run(desk.query(query)).masks)

    assert labels() == ["cup"]
    run(desk.append(edits(records[1], Relabel("mug"))))
    assert labels() == ["mug"]
    with open_store(tmp_path / "masks") as other:
        other.put([make_record(make_ref(1), label="new")])
        assert labels() == ["mug", "new"]
        other.append([make_event(records[1], Reject())])
        assert labels() == ["new"]
        other.compact(grace_s=0)
        assert labels() == ["new"]
        other.append([make_event(records[1], Accept())])
        assert labels() == ["mug", "new"]
    assert run(desk.count(query)) == 2


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_shelf_of_frames_answers_as_the_store_does(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("shelf") / "masks"
    create_store(path).close()
    desk = StoreDesk(settings_of(path))
    with open_store(path) as store:
        ids = []
        for _ in range(data.draw(st.integers(2, 8))):
            what = data.draw(st.sampled_from(["put", "loose", "event", "compact", "ask"]))
            if what in ("put", "loose"):
                ref = make_ref(data.draw(st.integers(0, 40))) if what == "put" else None
                made = make_record(ref)
                store.put([made])
                ids.append(made.id)
            elif what == "event" and ids:
                action = data.draw(st.sampled_from([Accept(), Reject(), Relabel("mug"), Edit(rectangle(0, 0, 9, 9))]))
                store.append([make_event(data.draw(st.sampled_from(ids)), action)])
            elif what == "compact":
                store.compact(grace_s=0)
            for index in data.draw(st.lists(st.integers(0, 40), max_size=3)):
                query = Query(
                    dataset="böxes", episode="episode-0", camera="wrist", first_frame=index, last_frame=index,
                    bbox=(0, 0, 5, 5), status=data.draw(st.sampled_from([None, ("proposed",), ("accepted",)])),
                )  # fmt: skip
                assert list(run(desk.query(query)).masks) == list(store.query(query))
    desk.close()


def test_questions_do_not_wait_for_writes(tmp_path, desk, records):
    begun, finish = threading.Event(), threading.Event()

    def hold():
        with open_store(tmp_path / "masks") as other, other._ledger.writing("tag"):
            begun.set()
            finish.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait(10)
    try:

        async def ask():
            writing = asyncio.create_task(desk.append(edits(records[0], Accept())))
            began = time.monotonic()
            await desk.query(Query())
            await desk.record(records[0].id)
            took = time.monotonic() - began
            assert not writing.done()
            finish.set()
            await writing
            return took

        assert run(ask()) < 5
    finally:
        finish.set()
        holder.join()


def test_frames_come_with_counts_and_what_is_not_there_is_told(desk, records):
    run(desk.append(edits(records[0], Reject())))
    page = run(desk.frames(Query(), limit=4))
    rest = run(desk.frames(Query(), cursor=page.next_cursor, limit=4))

    assert [one.frame.ref.frame_index for one in (*page.frames, *rest.frames)] == list(range(6))
    assert [one.num_masks for one in page.frames][:2] == [{"rejected": 1}, {"proposed": 1}]
    assert rest.next_cursor is None
    for wrong in ("", "%", "W10", "é", "eyJhIjoxfQ", "x" * 5000, "WzEsMiwzLDRd", "WyJhIiwiYiIsImMiLC0xXQ"):
        with pytest.raises(RequestError, match="this is not a (frame's id|cursor) that the server gave"):
            run(desk.frame(wrong))
        with pytest.raises(RequestError, match="that the server gave"):
            run(desk.query(Query(), cursor=wrong))
    with pytest.raises(UnknownImage, match="the store has no such frame"):
        run(desk.image(make_ref(99)))
    with pytest.raises(UnknownImage, match="is not on the server's machine"):
        run(desk.image(make_ref(1)))
    with pytest.raises(UnknownRecord, match="no mask in the store has the id nobody"):
        run(desk.record("nobody"))


# SQL


def test_a_select_reads_the_store_and_nothing_else(tmp_path, desk, records):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    table = run(desk.select("SELECT label, count(*) AS n, max(created_at) AS at FROM masks GROUP BY label", limit=10))

    assert table.columns == ("label", "n", "at")
    assert table.rows[0][:2] == ["cup", 6]
    assert run(desk.select("SELECT id FROM masks ORDER BY frame_index", limit=2)).is_cut
    for wrong in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM '{secret}'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('/etc/hostname')",
        f"COPY masks TO '{tmp_path}/out.csv'",
        "DROP VIEW masks",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "INSTALL httpfs",
        "ATTACH '/tmp/x.db'",
        "SELECT getenv('HOME')",
        "nonsense",
    ):
        with pytest.raises(SettingError):
            run(desk.select(wrong, limit=10))
    assert not (tmp_path / "out.csv").exists()


def test_a_select_of_a_large_store_reads_its_files(tmp_path):
    with create_store(tmp_path / "masks") as store, store.bulk_writer() as writer:
        for index in range(3):
            writer.add(make_frame(make_ref(index)), [make_record(make_ref(index))])
    with open_store(tmp_path / "masks", read_only=True) as store:
        assert select(store, "SELECT count(*) FROM masks", limit=1).rows == [[3]]


def test_a_select_that_takes_too_long_is_stopped(desk):
    with pytest.raises(DeadlinePassed, match=r"the SELECT took longer than 0\.2 seconds"):
        select(
            desk._scanner,
            "SELECT sum(a.range * b.range) FROM range(1000000000) a, range(100000) b",
            limit=1,
            time_s=0.2,
        )


# Disks


def test_a_full_disk_is_told_and_what_comes_after_it_is_saved(tmp_path, desk, records):
    log = tmp_path / "masks" / "live.sqlite-wal"

    async def fill():
        with room_for(log.stat().st_size + 8000):
            told = await asyncio.gather(
                *(desk.append(edits(records[i % 6], Relabel("x" * 5000))) for i in range(20)), return_exceptions=True
            )
            assert {type(one) for one in told} <= {StoreFull, type(told[-1])}
            assert any(isinstance(one, StoreFull) for one in told)
            kept = [one for one in told if not isinstance(one, Exception)]
        again = await desk.append(edits(records[0], Accept()))
        return kept, again

    kept, again = run(fill())

    with open_store(tmp_path / "masks", read_only=True) as store:
        ids = {event.id for event in store.events()}
    assert ids == {one.events[0].event.id for one in (*kept, again)}


def test_a_store_that_cannot_be_written_is_read(tmp_path, records):
    from maskwright.serve import store_desk

    def refuse(path, *, read_only=False):
        if not read_only:
            raise StoreReadOnly("it lies where nothing can be written")
        return open_store(path, read_only=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_desk, "open_store", refuse)  # root may write anywhere
        desk = StoreDesk(settings_of(tmp_path / "masks"))
    try:
        assert desk.is_read_only
        assert run(desk.count(Query())) == 6
        with pytest.raises(StoreReadOnly, match="may only read its store"):
            run(desk.append(edits(records[0], Accept())))
    finally:
        desk.close()


def test_a_missing_store_is_told(tmp_path):
    with pytest.raises(StoreMissing):
        StoreDesk(settings_of(tmp_path / "nothing"))
