"""The server dies between two calls, and between a write and its answer: nothing is lost and nothing doubled."""

import threading

import pytest

from client_server import CLICK, between, make_image, png_of
from maskwright.client import Client
from maskwright.core import Accept
from maskwright.core.errors import ServerUnreachable


def test_a_kill_between_write_and_answer_doubles_nothing(served):
    """One test, since a start takes seconds: save, edit, click and follow, and a server that is killed meanwhile."""
    with (
        between(served.port) as (address, state),
        Client(address, served.tokens["annotate"], timeout_s=60, retries=60) as client,
        Client(served.address, served.tokens["annotate"], timeout_s=60, retries=60) as direct,
    ):
        picture = png_of(make_image(500))
        masks = direct.segment(picture, [CLICK] * 3)
        before = direct.count()
        last = max((one.position for one in direct.events()), default=0)
        followed, begun = [], threading.Event()
        thread = threading.Thread(target=follow, args=[direct, last, followed, begun])
        thread.start()

        starting = []

        def kill_and_start(request):
            assert b"records" in request.body
            served.kill()
            starting.append(threading.Thread(target=served.start))
            starting[0].start()

        state["losing"] = kill_and_start
        saved = client.save(masks)
        starting[0].join()

        lost = []
        state["losing"] = lost.append  # the edit is written; its answer is lost
        edited = client.append([(one, Accept()) for one in saved])
        thread.join(30)

        assert len(lost) == 1
        assert [one.id for one in saved] == [mask.id for mask in masks]
        assert direct.count() == before + 3
        assert [type(event.action) for event in direct.history(saved[0].id).events] == [Accept]
        assert edited.etags == {one.id: direct.record(one.id).etag for one in saved}
        assert [one.event.record_id for one in followed] == [one.id for one in saved]
        assert direct.segment(picture, [CLICK])[0].rle == masks[0].rle  # sent once more, since it is another server


def follow(client, last, followed, begun):
    begun.set()
    for one in client.follow(after=last):
        followed.append(one)
        if len(followed) == 3:
            return


def test_without_retries_a_dead_server_is_an_error_at_once(served):
    with between(served.port) as (address, state), Client(address, served.tokens["annotate"], retries=0) as client:
        state["losing"] = lambda request: None
        with pytest.raises(ServerUnreachable, match="no answer came"):
            client.count()
        assert client.count() >= 0
