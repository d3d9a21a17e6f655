"""Track sessions: results are a tracker's own, in order; what is wrong is told in its turn; nothing grows or stays."""

import asyncio
import gc
import io
import weakref
from contextlib import aclosing

import numpy as np
import pytest
from PIL import Image as PillowImage

import maskwright as mw
from direct_engine import DirectEngine
from maskwright.core import BoxPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import (
    Cancelled,
    DeadlinePassed,
    ImageError,
    PromptError,
    ServerStopping,
    SettingError,
    TooLarge,
    TooManyRequests,
    UnknownJob,
    UnknownModel,
)
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.predict.tracking import tracker_settings
from maskwright.serve.in_turn import in_turn
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.track_sessions import TrackSessions
from maskwright.serve.track_stream import stream
from maskwright.serve.track_values import LostResults, ShownFrame, TrackLimits, TrackOptions
from maskwright.serve.values import Caller
from rolling_ball import shot

pytestmark = pytest.mark.anyio
ANNA = Caller(name="anna", scope="annotate", request_id="1")
BERT = Caller(name="bert", scope="annotate", request_id="2")
ROOT = Caller(name="root", scope="admin", request_id="3")
SIZE_HW = (24, 32)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def engine():
    return DirectEngine()


def sessions_of(engine, *, settings=None, **limits):
    made = TrackSessions(settings or ServeSettings(), engine, Meter())
    if limits:
        made = TrackSessions(settings or ServeSettings(), engine, Meter(), limits=TrackLimits(**limits))
    return made


def picture(number, size_hw=SIZE_HW):
    pixels = np.full((*size_hw, 3), 60, np.uint8)
    pixels[8:16, 4 + number : 12 + number] = 200
    return Image(pixels)


def mask(size_hw=SIZE_HW):
    canvas = np.zeros(size_hw, bool)
    canvas[8:16, 4:12] = True
    return MaskPrompt(encode(canvas))


def png(image):
    file = io.BytesIO()
    PillowImage.fromarray(image.pixels).save(file, "PNG")
    return file.getvalue()


async def show(session, picture_, prompts=None, **more):
    return await (await session.push(ShownFrame(picture=picture_, prompts=prompts or {}, **more), wait=True))


async def all_results(session):
    found = []
    while (result := await session.result_behind(len(found) - 1)) is not None:
        found.append(result)
    return found


async def test_masks_are_those_of_propagate_on_the_same_frames():
    model = load_model("tiny")
    frames = [shot(number).image for number in (0, 2)]
    prompts = {0: {"ball": BoxPrompt((16, 96, 64, 144))}, 1: {"box": MaskPrompt(shot(2).truth["box"])}}
    settings = tracker_settings("accurate")
    expected = list(mw.propagate(model, frames, prompts, settings=settings))
    sessions = sessions_of(DirectEngine(model))
    session = await sessions.open(TrackOptions(budget="accurate"), ANNA)

    results = [await show(session, png(frame), prompts.get(i)) for i, frame in enumerate(frames)]

    assert [result.tracked for result in results] == expected
    assert session.tracks == ("ball", "box")
    await sessions.close(session.id, ANNA)


async def test_a_frame_that_cannot_be_read_is_skipped_in_its_turn(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    shown = [png(picture(0)), b"no picture", png(picture(2))[:60], png(picture(3))]

    futures = [
        await session.push(ShownFrame(picture=one, prompts={"mug": mask()} if not i else {}), wait=True)
        for i, one in enumerate(shown)
    ]
    results = [await future for future in futures]

    assert [result.index for result in results] == [0, 1, 2, 3]
    assert [type(result.error) for result in results] == [type(None), ImageError, ImageError, type(None)]
    assert results[3].tracked.index == 3
    assert [one.track for one in results[3].tracked.masks] == ["mug"]
    assert session.info().num_skipped == 2


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"picture": picture(1), "prompts": {"cup": PointPrompt([(900, 900)])}}, "PromptOutsideImage"),
        ({"picture": picture(1), "prompts": {"cup": mask((8, 8))}}, "PromptError"),
        ({"picture": picture(1, (30, 40))}, "ImageError"),
        ({"picture": ImageError("it was lost on the way")}, "ImageError"),
    ],
    ids=["outside", "mask of another size", "frame of another size", "no picture"],
)
async def test_a_frame_that_does_not_fit_leaves_the_tracks_as_they_were(engine, bad, error):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(budget="accurate"), ANNA)
    await show(session, picture(0), {"mug": mask()})

    refused = await show(session, bad["picture"], bad.get("prompts"))
    after = await show(session, picture(1))

    assert type(refused.error).__name__ == error
    assert [one.track for one in after.tracked.masks] == ["mug"]
    expected = list(
        mw.propagate(engine.model, [picture(0), picture(1)], {"mug": mask()}, settings=tracker_settings("accurate"))
    )
    assert after.tracked["mug"] == expected[1]["mug"]


async def test_tracks_are_forgotten_between_frames_and_at_once(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    await show(session, picture(0), {"a": mask(), "b": mask(), "c": mask()})

    result = await show(session, picture(1), forget=("a", "never there"))
    await session.forget("b")
    later = await show(session, picture(2))

    assert [one.track for one in result.tracked.masks] == ["b", "c"]
    assert [one.track for one in later.tracked.masks] == ["c"]
    with pytest.raises(UnknownJob, match="there is no track 'b'; tracks that live: c"):
        await session.forget("b")


async def test_a_session_belongs_to_who_opened_it(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)

    with pytest.raises(UnknownJob, match="there is no track session"):
        sessions.get(session.id, BERT)
    assert sessions.get(session.id, ROOT) is session
    assert [one.id for one in sessions.list_of(ANNA)] == [session.id]
    assert sessions.list_of(BERT) == []
    with pytest.raises(UnknownJob):
        await sessions.close(session.id, BERT)
    await sessions.close(session.id, ANNA)
    with pytest.raises(UnknownJob):
        sessions.get(session.id, ANNA)


async def test_there_are_so_many_sessions_and_no_more(engine):
    sessions = sessions_of(engine, settings=ServeSettings(max_tracks=2))
    opened = [await sessions.open(TrackOptions(), ANNA) for _ in range(2)]

    with pytest.raises(TooManyRequests, match="2 track sessions are open, as many as may be") as refused:
        await sessions.open(TrackOptions(), BERT)
    assert refused.value.retry_after_s > 0
    await sessions.close(opened[0].id, ANNA)
    await sessions.open(TrackOptions(), BERT)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (TrackOptions(budget="quick"), SettingError, "a budget is default, fast, accurate"),
        (TrackOptions(budget="nan"), SettingError, "a budget in milliseconds must be finite"),
        (TrackOptions(find_new=-1), SettingError, "find_new counts frames"),
        (TrackOptions(model="huge"), UnknownModel, "no model 'huge' is served here; there are: test-sam"),
    ],
)
async def test_options_that_cannot_be_are_refused_when_a_session_is_opened(engine, options, error, message):
    sessions = sessions_of(engine)

    with pytest.raises(error, match=message):
        await sessions.open(options, ANNA)

    assert len(sessions) == 0


async def test_names_of_tracks_are_checked():
    with pytest.raises(PromptError, match="a track needs a name of 1 to 200 characters, got ''"):
        ShownFrame(picture=b"", prompts={"": mask()})
    with pytest.raises(PromptError, match="a track needs a name"):
        ShownFrame(picture=b"", forget=("x" * 201,))


async def test_an_idle_session_ends_and_says_so(engine):
    sessions = sessions_of(engine, idle_s=0.05)
    session = await sessions.open(TrackOptions(), ANNA)
    await show(session, picture(0), {"mug": mask()})
    assert 0 < session.info().ends_in_s <= 0.05

    followed = [result.index for result in await all_results(session)]

    assert followed == [0]
    assert len(sessions) == 0
    assert str(session.ended) == "the track session ended: no frame came for 0.05 seconds"
    with pytest.raises(Cancelled, match="no frame came for"):
        await session.push(ShownFrame(picture=picture(1)), wait=True)


async def test_a_session_that_works_is_not_idle(engine):
    engine.gate.clear()
    sessions = sessions_of(engine, idle_s=0.05)
    session = await sessions.open(TrackOptions(), ANNA)
    answer = await session.push(ShownFrame(picture=picture(0)), wait=True)

    await asyncio.sleep(0.15)
    engine.gate.set()

    assert (await answer).tracked.index == 0
    await sessions.close(session.id, ANNA)


async def test_who_sends_too_fast_waits_or_is_told_to(engine):
    engine.gate.clear()
    sessions = sessions_of(engine, most_waiting=2)
    session = await sessions.open(TrackOptions(), ANNA)
    answers = [await session.push(ShownFrame(picture=picture(i)), wait=True) for i in range(2)]

    with pytest.raises(TooManyRequests, match="2 frames of the track session wait"):
        await session.push(ShownFrame(picture=picture(2)), wait=False)
    third = asyncio.create_task(session.push(ShownFrame(picture=picture(2)), wait=True))
    await asyncio.sleep(0.05)
    assert not third.done()
    engine.gate.set()

    assert [(await answer).index for answer in [*answers, await third]] == [0, 1, 2]


async def test_bytes_that_wait_are_bounded_but_for_one_frame(engine):
    engine.gate.clear()
    sessions = sessions_of(engine, most_waiting_bytes=100)
    session = await sessions.open(TrackOptions(), ANNA)

    first = await session.push(ShownFrame(picture=picture(0)), wait=False)
    with pytest.raises(TooManyRequests):
        await session.push(ShownFrame(picture=picture(1)), wait=False)
    engine.gate.set()

    assert (await first).error is None


async def test_results_that_nobody_fetched_make_room_and_are_told_as_lost(engine):
    sessions = sessions_of(engine, most_kept=3)
    session = await sessions.open(TrackOptions(), ANNA)
    for i in range(5):
        await show(session, picture(i))

    assert await session.result_behind(-1) == LostResults(first=0, last=1)
    assert [(await session.result_behind(after)).index for after in (1, 2, 3)] == [2, 3, 4]


async def test_kept_results_are_bounded_in_bytes(engine):
    sessions = sessions_of(engine, most_kept_bytes=700)
    session = await sessions.open(TrackOptions(), ANNA)
    for i in range(4):
        await show(session, picture(i), {"mug": mask()})

    assert session.info().first_kept == 3


async def test_a_reader_gets_results_as_they_come_and_the_end(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    reading = asyncio.create_task(all_results(session))

    for i in range(3):
        await show(session, picture(i))
    await sessions.close(session.id, ANNA)

    assert [result.index for result in await reading] == [0, 1, 2]


async def test_closing_stops_what_runs_and_answers_what_waits(engine):
    engine.gate.clear()
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    answers = [await session.push(ShownFrame(picture=picture(i)), wait=True) for i in range(3)]
    await asyncio.sleep(0.02)

    await sessions.close(session.id, ANNA)

    assert [str((await answer).error) for answer in answers] == ["the track session was closed"] * 3
    assert engine.num_cancelled == 1
    assert len(sessions) == 0


async def test_limits_of_frames_tracks_and_pixels_are_held(engine):
    sessions = sessions_of(engine, most_frames=3, most_tracks=1, most_pixels=1000)
    session = await sessions.open(TrackOptions(), ANNA)
    await show(session, picture(0), {"mug": mask()})

    crowded = await show(session, picture(1), {"cup": mask()})
    large = await show(session, png(picture(0, (40, 40))))

    assert str(crowded.error) == "a track session follows 1 objects, got 2; forget some"
    assert isinstance(large.error, ImageError | TooLarge)
    with pytest.raises(TooLarge, match="a track session takes 3 frames; open another one"):
        await session.push(ShownFrame(picture=picture(3)), wait=True)


async def test_a_full_engine_is_asked_again(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    engine.full_times = 3

    assert (await show(session, picture(0))).error is None


async def test_a_frame_whose_time_is_up_is_skipped(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)

    late = await show(session, picture(0), deadline=1e-9)
    after = await show(session, picture(1))

    assert isinstance(late.error, DeadlinePassed)
    assert after.error is None


async def test_work_is_bulk_of_its_client_and_is_not_stopped_within_a_frame(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(model="test-sam"), ANNA)

    await show(session, picture(0))

    (work,) = engine.works
    assert (work.client, work.priority, work.model) == ("anna", "bulk", "test-sam")
    assert work.deadline is None


async def test_a_tracker_that_breaks_ends_its_session_alone(engine, caplog):
    sessions = sessions_of(engine)
    session, other = [await sessions.open(TrackOptions(), ANNA) for _ in range(2)]
    await show(session, picture(0), {"mug": mask()})

    class Broken:
        tracks = ("mug",)

        def step(self, image, prompts=None):
            raise RuntimeError("out of memory")

    session._tracker._tracker = Broken()
    result = await show(session, picture(1))

    assert str(result.error) == "the track session broke (RuntimeError) and was ended; open another one"
    assert "out of memory" in caplog.text
    assert (await show(other, picture(0))).error is None
    await asyncio.sleep(0)
    assert len(sessions) == 1


async def test_draining_follows_what_waits_and_opens_no_more(engine):
    engine.gate.clear()
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    answers = [await session.push(ShownFrame(picture=picture(i)), wait=True) for i in range(2)]

    draining = asyncio.create_task(sessions.drain(5))
    await asyncio.sleep(0.02)
    with pytest.raises(ServerStopping, match="opens no track session now"):
        await sessions.open(TrackOptions(), BERT)
    with pytest.raises(ServerStopping, match="the server is stopping, and with it the track session"):
        await session.push(ShownFrame(picture=picture(2)), wait=True)
    engine.gate.set()
    await draining

    assert [(await answer).error for answer in answers] == [None, None]
    assert len(sessions) == 0


async def test_draining_does_not_wait_for_ever(engine):
    engine.gate.clear()
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    answer = await session.push(ShownFrame(picture=picture(0)), wait=True)

    await sessions.drain(0.05)

    assert isinstance((await answer).error, ServerStopping)


async def test_sessions_are_counted_and_leave_nothing_behind(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    await show(session, picture(0), {"mug": mask()})
    tracker = weakref.ref(session._tracker._tracker)
    assert 'maskwright_sessions{kind="track"} 1.0' in sessions._meter.text().decode()

    await sessions.close(session.id, ANNA)
    gc.collect()

    assert tracker() is None
    assert 'maskwright_sessions{kind="track"} 0.0' in sessions._meter.text().decode()


async def test_a_stream_gives_results_in_order_and_ends(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)

    async def frames():
        for i in range(20):
            yield ShownFrame(picture=picture(i))

    assert [result.index async for result in stream(session, frames())] == list(range(20))


async def test_a_stream_reads_no_further_than_its_reader(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)
    asked = []

    async def frames():
        for i in range(100):
            asked.append(i)
            yield ShownFrame(picture=picture(0))

    async with aclosing(stream(session, frames())) as results:
        await anext(results)
        await asyncio.sleep(0.2)

        assert len(asked) <= 12


async def test_a_stream_raises_what_its_frames_raise_after_the_results_before(engine):
    sessions = sessions_of(engine)
    session = await sessions.open(TrackOptions(), ANNA)

    async def frames():
        yield ShownFrame(picture=picture(0))
        raise ImageError("that was all")

    results = stream(session, frames())

    assert (await anext(results)).index == 0
    with pytest.raises(ImageError, match="that was all"):
        await anext(results)


async def test_work_asked_ahead_is_cancelled_when_nobody_takes_it():
    cancelled = []

    async def work(number):
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async def asked():
        for number in range(10):
            yield asyncio.create_task(work(number))

    async with aclosing(in_turn(asked(), 2)) as results:
        assert await anext(results) == 0
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)

    assert sorted(cancelled) == [1, 2, 3]
