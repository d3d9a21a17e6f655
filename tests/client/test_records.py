"""The store over the client: masks are found, counted, read and saved; decisions are made, undone and followed."""

import dataclasses
import threading
import time

import httpx
import numpy as np
import pytest

import maskwright as mw
from client_server import CLICK, NUM_ANNOTATED, make_image
from maskwright.client import Client, TaggedRecord
from maskwright.core import Accept, Merge, Reject, Relabel, new_id
from maskwright.core.errors import (
    DuplicateRecord,
    EditConflict,
    NotAllowed,
    RequestError,
    SettingError,
    UnknownRecord,
)
from maskwright.masks import encode


@pytest.fixture
def saved(client):
    """Four masks of a picture that no other test uses."""
    masks = client.segment(make_image(time.monotonic_ns() % 2**32), [CLICK] * 4)
    return client.save([dataclasses.replace(mask, label=label) for mask, label in zip(masks, "abcd", strict=True)])


def test_masks_come_page_by_page(client, monkeypatch):
    monkeypatch.setattr("maskwright.client.record_steps._PAGE", 3)

    found = list(client.records(method=["sam_raw", "sam_refined"], dataset="pictures"))
    page = client.query(dataset="pictures", limit=2)
    rest = client.query(dataset="pictures", cursor=page.next_cursor, limit=1000)

    assert len(found) > 3
    assert all(isinstance(one, TaggedRecord) and one.etag for one in found)
    assert (*page.items, *rest.items) == tuple(found)
    assert rest.next_cursor is None
    assert client.count(dataset="pictures") == len(found)
    assert client.count(dataset="pictures", min_area=10**6) == client.count(label="nobody") == 0
    assert client.count(image_digest=found[0].record.image_digest, bbox=(0, 0, 64, 48), first_frame=0) > 0
    with pytest.raises(SettingError):
        client.count(min_area=5, max_area=1)


def test_masks_are_saved_as_they_are_and_signed(client, saved):
    read = client.record(saved[0].id)

    assert read == saved[0]
    assert read.record.provenance.actor == "anna"
    assert client.save([]) == []
    assert list(client.records(image_digest=read.record.image_digest)) == saved
    other = dataclasses.replace(saved[0].record, label="another")
    with pytest.raises(DuplicateRecord, match=saved[0].id):
        client.save([other])
    with pytest.raises(UnknownRecord, match="no mask in the store has the id nobody"):
        client.record("nobody")


def test_every_decision_is_made_and_undone(client, saved):
    first, second, third, fourth = saved
    rle = encode(np.pad(np.ones((4, 4), bool), ((0, 44), (0, 60))))

    edited = client.edit(first, rle)
    client.relabel(first, "cup", if_match=edited.etags[first.id])
    client.retrack(client.record(first.id), "cup-1")
    accepted = client.accept(client.record(first.id))
    state = client.record(first.id)
    reverted = client.revert(state, accepted.items[0])
    client.revert(client.record(first.id), reverted.items[0].event)
    client.reject(second, "blurred")
    client.merge(client.record(first.id), [third])
    client.comment(first.id, "is this one <cup>?")
    part = client.save([dataclasses.replace(fourth.record, id=new_id())])[0]
    client.split(fourth, [part])

    assert (state.status, state.verified_by, state.record.rle) == ("accepted", "anna", rle)
    assert (state.record.label, state.record.track) == ("cup", "cup-1")
    life = client.history(first.id)
    assert life.record == first.record
    assert [type(event.action).__name__ for event in life.events] == [
        *("Edit", "Relabel", "Retrack", "Accept", "Revert", "Revert", "Merge", "Comment"),
    ]
    assert life.resolved == client.record(first.id)
    assert life.resolved.status == "accepted"
    assert [(one.actor, one.text) for one in life.resolved.comments] == [("anna", "is this one <cup>?")]
    statuses = [client.record(one.id).status for one in (second, third, fourth, part)]
    assert statuses == ["rejected", "merged", "split", "proposed"]


def test_several_decisions_are_one(client, saved):
    edited = client.append([(saved[0], Accept()), (saved[1], Reject()), (saved[0], Relabel("x"))])

    assert len(edited.items) == 3
    assert {edited.moment} == {one.moment for one in edited.items}
    assert edited.etags == {one.id: client.record(one.id).etag for one in saved[:2]}
    with pytest.raises(EditConflict):
        client.append([(saved[2], Accept()), (saved[0], Accept())])
    assert client.record(saved[2].id) == saved[2]
    client.append([(saved[2].id, Merge((saved[3].id,)))], if_match="*")
    assert client.record(saved[3].id).status == "merged"


def test_nobodys_work_is_wiped_out_unseen(client, admin, saved):
    admin.accept(saved[0].id, if_match="*", actor="berta")

    with pytest.raises(EditConflict, match="berta changed it at"):
        client.reject(saved[0])
    with pytest.raises(RequestError, match=r'if_match="\*" to edit it whatever it is now; got the id alone'):
        client.reject(saved[0].id)
    client.reject(saved[0].id, if_match=admin.record(saved[0].id).etag)
    assert client.record(saved[0].id).status == "rejected"


def test_a_token_reaches_as_far_as_its_scope(served, client, saved):
    with Client(served.address, served.tokens["read"]) as reader:
        assert (reader.caller().name, reader.caller().scope) == ("rita", "read")
        assert reader.record(saved[0].id) == saved[0]
        with pytest.raises(NotAllowed, match="scope annotate"):
            reader.accept(saved[0])
        with pytest.raises(NotAllowed, match="scope annotate"):
            reader.save([saved[0].record])
    with pytest.raises(NotAllowed, match="only an admin signs for others"):
        client.accept(saved[0], actor="berta")
    with pytest.raises(NotAllowed, match="scope admin"):
        client.sql("SELECT 1")


def test_an_admin_asks_in_sql(admin):
    table = admin.sql("SELECT count(*) AS n, 'x' AS x FROM masks WHERE dataset = 'pictures' AND status = 'proposed'")

    assert table.columns == ("n", "x")
    assert table.rows == ((admin.count(dataset="pictures", status="proposed"), "x"),)
    assert admin.sql("SELECT * FROM masks", limit=1).is_cut


def test_the_log_is_read_and_followed(client, saved, monkeypatch):
    monkeypatch.setattr("maskwright.client.log_steps._PAGE", 2)
    last = max((one.position for one in client.events()), default=0)
    followed = []

    def follow():
        for one in client.follow(after=last):
            followed.append(one)
            if len(followed) == 3:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    for one in saved[:3]:
        client.accept(one)
    thread.join(20)

    assert [one.event.record_id for one in followed] == [one.id for one in saved[:3]]
    assert list(client.events(after=last)) == followed
    with pytest.raises(SettingError, match="0 or more"):
        next(client.follow(after=-1))


def test_a_follower_is_told_where_it_begins(served, client, saved):
    client.accept(saved[0])
    last = max(one.position for one in client.events())
    headers = {"Authorization": f"Bearer {served.tokens['read']}"}
    with httpx.stream("GET", f"{served.address}/v1/events/stream", headers=headers) as response:
        lines = (line for line in response.iter_lines() if line.startswith("id:"))

        assert next(lines) == f"id: {last}"


def test_frames_have_their_pictures_and_masks(client, served):
    frames = list(client.frames(dataset="pictures"))
    frame = frames[1]

    picture = client.frame_picture(frame)
    masks = client.segment(frame, [CLICK])
    opened = client.open_frame(frame.id, ahead=1)

    assert len(frames) >= NUM_ANNOTATED
    assert client.frame(frame.id) == frame
    assert picture.digest == frame.image_digest
    assert masks[0].frame == frame.ref
    assert client.segment(frame.ref, [CLICK])[0].rle == masks[0].rle
    assert (opened.frame.id, opened.ahead) == (frame.id, (frames[2].id,))
    assert sum(frame.num_masks.values()) == len(client.frame_records(frame, status="any"))
    assert [one.id for one in client.frame_records(frame)] == [
        one.id for one in client.records(first_frame=1, last_frame=1, dataset="pictures")
    ]
    put = client.save(masks)[0]
    assert put.record.frame == frame.ref
    client.reject(put)


def test_threads_share_one_client(client):
    image, found = make_image(200), []

    def click(x):
        found.append((x, client.segment(image, [mw.PointPrompt([(x, 20)])])[0]))

    threads = [threading.Thread(target=click, args=[x]) for x in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(found) == 12
    assert all(mask.provenance.prompt.points_xy == ((x, 20),) for x, mask in found)
