"""`AsyncClient` has the methods of `Client`, and does the same."""

import asyncio
import inspect
import subprocess
import sys

import pytest

import maskwright as mw
from client_server import CLICK, DROP, answer, error, make_image, misbehaving, png_of
from maskwright.client import AsyncClient, AsyncTrackSession, Client, TrackSession
from maskwright.core.errors import NotSignedIn, PromptOutsideImage, ServerUnreachable, UnknownRecord

BOX = mw.BoxPrompt((10, 10, 40, 40))


def public(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_methods():
    assert public(AsyncClient) == public(Client)
    assert public(AsyncTrackSession) == public(TrackSession)
    for name in public(Client):
        one, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert list(one.parameters) == list(other.parameters)


@pytest.mark.parametrize("kind", [Client, AsyncClient, TrackSession, AsyncTrackSession])
def test_every_method_says_what_it_does_and_gives(kind):
    for name in public(kind):
        found = getattr(kind, name)
        assert found.__doc__, name
        if not isinstance(found, property):
            assert "Generator" not in str(inspect.signature(found).return_annotation), name
            assert "Steps" not in str(inspect.signature(found)), name


def test_the_client_costs_neither_torch_nor_a_server():
    code = (
        "import sys, maskwright\nmaskwright.Client('http://127.0.0.1:1')\n"
        "print([n for n in ('torch', 'numba', 'fastapi', 'starlette', 'pydantic', 'uvicorn') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_everything_works_on_an_event_loop(served, tmp_path):
    image = make_image(400)
    (tmp_path / "a.png").write_bytes(png_of(image))

    async def work():
        async with AsyncClient(served.address, served.tokens["annotate"]) as client:
            assert (await client.wait_until_ready()).state == "ready"
            masks = await asyncio.gather(*(client.segment(image, [CLICK]) for _ in range(8)))
            saved = await client.save(masks[0])
            assert (await client.segment(tmp_path / "a.png", [CLICK]))[0].rle == saved[0].record.rle
            last = [one.position async for one in client.events()][-1:] or [0]
            following = client.follow(after=last[0])
            edited = await client.accept(saved[0])
            event = await anext(following)
            await following.aclose()
            assert event == edited.items[0]
            assert [one.id async for one in client.records(image_digest=image.digest)] == [saved[0].id]
            job = await client.wait_for(await client.start_export("coco", image_digest=image.digest))
            path = await client.download(job, tmp_path / "coco.zip")
            assert path.stat().st_size > 100
            with pytest.raises(UnknownRecord):
                await client.record("nobody")

    asyncio.run(work())


def test_tracks_are_followed_on_an_event_loop(served):
    async def frames():
        for number in range(3):
            yield make_image(410 + number)

    async def work():
        async with AsyncClient(served.address, served.tokens["annotate"]) as client:
            found = [one.index async for one in client.track(frames(), {"cup": BOX}, budget="fast")]
            found += [one.index async for one in client.track([make_image(420)] * 2, {"cup": BOX})]
            async with client.open_track() as session:
                with pytest.raises(PromptOutsideImage):
                    await session.step(make_image(420), {"cup": mw.PointPrompt([(999, 0)])})
                await session.step(make_image(420), {"cup": BOX})
                await session.forget("cup")
            return found

    assert asyncio.run(work()) == [0, 1, 2, 0, 1]


def test_retries_and_errors_are_the_same():
    version = answer(200, {"name": "maskwright", "version": "9", "api": "v1"})

    async def work(address):
        async with AsyncClient(address, retries=2) as client:
            first = await client.version()
            with pytest.raises(NotSignedIn):
                await client.version()
            with pytest.raises(ServerUnreachable, match="no answer came"):
                await client.version()
            return first.version

    script = [DROP, error(503, "server_stopping", retry_after=0), version, error(401, "not_signed_in"), DROP]
    with misbehaving(*script) as (address, asked):
        assert asyncio.run(work(address)) == "9"

    assert len(asked) == 3 + 1 + 3


def test_a_task_that_is_cancelled_frees_its_connection(served):
    async def work():
        async with AsyncClient(served.address, served.tokens["annotate"]) as client:
            tasks = [asyncio.create_task(anext(client.follow())) for _ in range(70)]  # more than there are connections
            await asyncio.sleep(0.5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return await client.ready()

    assert asyncio.run(work())
