"""The engine answers what `predict` answers, for many at once, and tells clearly what it does not do."""

import asyncio
import time
from dataclasses import replace

import pytest

from engine_data import by, click, picture, plain_model, running, until
from maskwright.core import BoxPrompt, MaskRecord, PointPrompt
from maskwright.core.errors import (
    DeadlinePassed,
    PromptOutsideImage,
    ServerStopping,
    SettingError,
    TooManyRequests,
    UnknownModel,
)
from maskwright.masks.cleanup import FillHoles
from maskwright.predict import EverythingSettings, embed, look_closer, predict, to_records
from maskwright.predict.everything import everything
from maskwright.serve.engine import LocalEngine
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Segment
from maskwright.workflows.predict_files import cleaned


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))


def same(found: list[MaskRecord], expected: list[MaskRecord]) -> bool:
    """Whether records are alike but for what differs between two runs."""
    moment = expected[0].provenance.created_at
    found, expected = (
        [replace(one, id="x", provenance=replace(one.provenance, created_at=moment)) for one in records]
        for records in (found, expected)
    )
    return found == expected


PROMPTS = (PointPrompt([(40, 30)]), BoxPrompt((10, 10, 60, 50)), PointPrompt([(40, 30), (90, 20)], [1, 0]))


@pytest.mark.parametrize("max_batch", [1, 8])
def test_segment_answers_what_predict_answers(max_batch: int) -> None:
    image, segment = picture(), Segment(prompts=PROMPTS, num_masks=2, labels=("a", None, "c"), cleanup=(FillHoles(50),))
    batch = predict(plain_model(), embed(plain_model(), image), PROMPTS, num_masks=2)
    expected = to_records(batch, labels=("a", None, "c"), cleanup=(FillHoles(50),))

    async def main() -> list[MaskRecord]:
        async with running(max_batch=max_batch) as on:
            return await on.engine.segment(image, segment, by())

    assert same(asyncio.run(main()), expected)


def test_segment_feeds_answers_back_in() -> None:
    image = picture()
    embedding = embed(plain_model(), image)
    first = predict(plain_model(), embedding, PROMPTS)
    expected = to_records(predict(plain_model(), embedding, PROMPTS, previous=first))

    async def main() -> list[MaskRecord]:
        async with running() as on:
            return await on.engine.segment(image, Segment(prompts=PROMPTS, refine_steps=1), by())

    assert same(asyncio.run(main()), expected)


def test_segment_looks_closer_and_cleans_up_afterwards() -> None:
    image, prompts = picture(size_hw=(400, 600)), (BoxPrompt((100, 100, 140, 130)),)
    model = plain_model()
    seen = look_closer(model, image, to_records(predict(model, embed(model, image), prompts)))
    expected = [cleaned(record, (FillHoles(50),)) for record in seen]

    async def main() -> list[MaskRecord]:
        async with running() as on:
            return await on.engine.segment(image, Segment(prompts=prompts, closer=True, cleanup=(FillHoles(50),)), by())

    assert [step.name for step in expected[0].provenance.steps] == ["look_closer", "fill_holes"]
    assert same(asyncio.run(main()), expected)


def test_everything_finds_what_everything_finds() -> None:
    image = picture(1)
    settings = EverythingSettings(
        points_per_side=8, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
    )
    expected = everything(plain_model(), image, settings=settings)

    async def main() -> list[MaskRecord]:
        async with running() as on:
            return await on.engine.everything(image, settings, by())

    assert len(expected) > 50
    assert same(asyncio.run(main()), expected)


def test_many_clients_on_many_images_each_get_their_own_answer() -> None:
    images = [picture(i) for i in range(6)]
    expected = [to_records(predict(plain_model(), embed(plain_model(), one), [PROMPTS[0]]))[0].rle for one in images]

    async def main() -> list[list[MaskRecord]]:
        async with running(num_lanes=3, max_batch=4) as on:
            asked = [on.engine.segment(image, click(), by(f"client {i}")) for i, image in enumerate(images * 3)]
            answers = await asyncio.gather(*asked)
            assert on.watch.num_encoded == len(images)
            return answers

    assert [records[0].rle for records in asyncio.run(main())] == expected * 3


def test_an_image_is_encoded_once_for_all_who_ask_at_once() -> None:
    async def main() -> None:
        async with running(num_lanes=2) as on:
            first = await asyncio.gather(*(on.engine.embed(picture(), by(f"client {i}")) for i in range(5)))
            again = await on.engine.embed(picture(), by())

            assert (first, again) == ([False] * 5, True)
            assert on.watch.num_encoded == 1
            assert on.count("maskwright_cache_total", cache="embedding", found="miss") == 1
            assert on.count("maskwright_cache_total", cache="embedding", found="hit") == 5

    asyncio.run(main())


def test_who_asked_first_and_went_does_not_spoil_it_for_the_others() -> None:
    async def main() -> None:
        async with running() as on:
            on.watch.may_encode.clear()
            gone = asyncio.create_task(on.engine.segment(picture(), click(), by("gone")))
            late = asyncio.create_task(
                on.engine.segment(picture(), click(), by("late", deadline=time.monotonic() + 0.2))
            )
            patient = [asyncio.create_task(on.engine.segment(picture(), click(), by(f"p{i}"))) for i in range(2)]
            await until(on.watch.is_encoding.is_set)
            gone.cancel()
            with pytest.raises(DeadlinePassed):
                await late
            on.watch.may_encode.set()

            answers = await asyncio.gather(*patient)

            assert gone.cancelled()
            assert [len(records) for records in answers] == [1, 1]
            assert on.watch.num_encoded == 1

    asyncio.run(main())


def test_an_encoding_that_nobody_waits_for_is_not_begun_but_one_that_ran_is_kept() -> None:
    async def main() -> None:
        async with running() as on:
            on.watch.may_encode.clear()
            runs = asyncio.create_task(on.engine.embed(picture(0), by()))
            await until(on.watch.is_encoding.is_set)
            waits = asyncio.create_task(on.engine.embed(picture(1), by()))
            await until(lambda: on.num_queued() == 1)
            for task in (runs, waits):
                task.cancel()
            await asyncio.gather(runs, waits, return_exceptions=True)
            on.watch.may_encode.set()

            await on.engine.run(lambda model: None, by())  # after what ran

            assert on.watch.num_encoded == 1
            assert await on.engine.embed(picture(0), by())

    asyncio.run(main())


def test_embeddings_are_found_on_disk_by_the_next_server(tmp_path) -> None:
    async def main() -> None:
        async with running() as on:
            assert not await on.engine.embed(picture(), by())
        async with running() as on:
            assert await on.engine.embed(picture(), by())
            assert on.watch.num_encoded == 0

    asyncio.run(main())
    assert list((tmp_path / "cache" / "embeddings").glob("*.safetensors"))


def test_a_full_queue_refuses_and_drops_what_is_ahead_of_need() -> None:
    settings = ServeSettings(models=("test-sam",), max_queued=2, max_queued_per_client=2)

    async def main() -> None:
        async with running(settings=settings) as on:
            on.watch.may_encode.clear()
            waiting = [asyncio.create_task(on.engine.embed(picture(0), by("ann")))]
            ahead = asyncio.create_task(on.engine.embed(picture(8), by("ben", "ahead")))
            await until(lambda: on.watch.is_encoding.is_set() and on.num_queued() == 1)

            assert not await on.engine.embed(picture(9), by("cleo", "ahead"))  # no room, and nobody is told off
            waiting.append(asyncio.create_task(on.engine.embed(picture(7), by("cleo"))))
            assert not await ahead  # whose seat it got
            with pytest.raises(TooManyRequests, match="2 requests are waiting already") as caught:
                await on.engine.segment(picture(6), click(), by("dan"))
            assert caught.value.retry_after_s > 0

            on.watch.may_encode.set()
            assert await asyncio.gather(*waiting) == [False, False]
            assert on.watch.num_encoded == 2
            assert on.count("maskwright_refused_total", why="queue_full") == 1

    asyncio.run(main())


def test_what_was_to_be_encoded_ahead_hurries_when_somebody_clicks_on_it() -> None:
    order: list[int] = []

    async def embed_and_note(on, number: int, work) -> None:
        await on.engine.embed(picture(number), work)
        order.append(number)

    async def main() -> None:
        async with running() as on:
            on.watch.may_encode.clear()
            tasks = [asyncio.create_task(embed_and_note(on, 0, by("ann")))]
            await until(on.watch.is_encoding.is_set)
            tasks += [asyncio.create_task(embed_and_note(on, i, by("ann", "ahead"))) for i in (1, 2, 3)]
            await until(lambda: on.num_queued() == 3)
            tasks.append(asyncio.create_task(embed_and_note(on, 3, by("ben"))))
            await until(lambda: on.engine.status().num_queued["click"] == 1)
            on.watch.may_encode.set()
            await asyncio.gather(*tasks)
            assert on.watch.num_encoded == 4

    asyncio.run(main())
    assert order == [0, 3, 3, 1, 2]


def test_what_is_too_late_is_not_run() -> None:
    async def main() -> None:
        async with running() as on:
            on.watch.may_encode.clear()
            blocking = asyncio.create_task(on.engine.embed(picture(), by()))
            await until(on.watch.is_encoding.is_set)
            ran: list[str] = []
            began = time.monotonic()
            for ask in (
                lambda: on.engine.segment(picture(1), click(), by(deadline=began + 0.1)),
                lambda: on.engine.run(lambda model: ran.append("run"), by(deadline=began + 0.1)),
            ):
                with pytest.raises(DeadlinePassed, match="the deadline passed before it was done"):
                    await ask()
            on.watch.may_encode.set()
            await blocking
            await on.engine.run(lambda model: None, by())

            assert ran == []
            assert on.watch.num_encoded == 1

    asyncio.run(main())


def test_a_wrong_prompt_spoils_only_its_own_request() -> None:
    async def main() -> list[object]:
        async with running(max_batch=8) as on:
            await on.engine.embed(picture(), by())
            on.watch.may_encode.clear()
            on.watch.is_encoding.clear()
            blocking = asyncio.create_task(on.engine.embed(picture(1), by()))
            await until(on.watch.is_encoding.is_set)
            places = [(40.0, 30.0), (4000.0, 30.0), (60.0, 50.0)]
            asked = [on.engine.segment(picture(), click(*xy), by(f"c{i}")) for i, xy in enumerate(places)]
            waiting = asyncio.gather(*asked, return_exceptions=True)
            await until(lambda: on.num_queued() == 3)
            on.watch.may_encode.set()
            await blocking
            answers = await waiting
            assert on.count("maskwright_batch_size_sum", stage="decode") == 3
            assert on.count("maskwright_batch_size_count", stage="decode") == 1
            return answers

    right, wrong, also_right = asyncio.run(main())
    assert isinstance(wrong, PromptOutsideImage)
    assert isinstance(right, list)
    assert isinstance(also_right, list)


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        (click(refine_steps=-1), "refine_steps must not be negative"),
        (click(closer=True, num_masks=2), "a closer look gives one mask for each object"),
        (click(labels=("a", "b")), "expected one label for each of 1 prompts, got 2"),
        (click(num_masks=9), "num_masks must be"),
    ],
)
def test_what_cannot_be_done_is_said(segment: Segment, told: str) -> None:
    async def main() -> None:
        async with running() as on:
            with pytest.raises(SettingError, match=told):
                await on.engine.segment(picture(), segment, by())

    asyncio.run(main())


def test_a_model_that_is_not_served_is_unknown() -> None:
    async def main() -> None:
        async with running() as on:
            assert await on.engine.run(lambda model: model.card.name, by(model="test_sam")) == "test-sam"
            with pytest.raises(UnknownModel, match="this server runs test-sam, not 'vit_h'"):
                await on.engine.embed(picture(), by(model="vit_h"))

    asyncio.run(main())


def test_before_the_start_and_after_the_end_nothing_is_taken() -> None:
    async def main() -> None:
        engine = LocalEngine(ServeSettings(models=("test-sam",)), Meter())
        assert not engine.status().is_ready
        with pytest.raises(ServerStopping, match="has not loaded its models yet"):
            await engine.embed(picture(), by())
        await engine.start()
        status = engine.status()
        assert (status.is_ready, status.models, status.devices) == (True, ("test-sam",), ("cpu",))
        await engine.drain(1)
        assert engine.status().is_draining
        assert not engine.status().is_ready
        with pytest.raises(ServerStopping, match="is stopping"):
            await engine.embed(picture(), by())

    asyncio.run(main())


def test_a_model_that_cannot_be_loaded_stops_the_start() -> None:
    async def main() -> None:
        engine = LocalEngine(ServeSettings(models=("no-such-model",)), Meter())
        with pytest.raises(UnknownModel, match="no model is called 'no-such-model'"):
            await engine.start()
        assert not engine.status().is_ready
        await engine.drain(0)

    asyncio.run(main())


def test_draining_finishes_what_there_is_time_for() -> None:
    async def main() -> None:
        async with running() as on:
            asked = [asyncio.create_task(on.engine.segment(picture(i), click(), by())) for i in range(3)]
            await asyncio.sleep(0)
            await on.engine.drain(10)

            assert [len(records) for records in await asyncio.gather(*asked)] == [1, 1, 1]

    asyncio.run(main())


def test_draining_fails_the_rest_clearly() -> None:
    async def main() -> None:
        async with running() as on:
            on.watch.may_encode.clear()
            asked = [asyncio.create_task(on.engine.segment(picture(i), click(), by())) for i in range(3)]
            await until(lambda: on.watch.is_encoding.is_set() and on.num_queued() == 2)
            draining = asyncio.create_task(on.engine.drain(0.1))
            await until(lambda: on.num_queued() == 0)
            on.watch.may_encode.set()
            await draining

            answers = await asyncio.gather(*asked, return_exceptions=True)

            assert [type(answer) for answer in answers] == [ServerStopping] * 3
            assert on.engine.status().num_running == 0

    asyncio.run(main())


def test_what_happens_is_measured() -> None:
    async def main() -> None:
        async with running() as on:
            await on.engine.segment(picture(), click(), by())
            await on.engine.everything(picture(), EverythingSettings(points_per_side=2), by())
            for stage, least in {"queue": 3, "encode": 1, "decode": 1, "draw": 1, "everything": 1}.items():
                assert on.count("maskwright_stage_seconds_count", stage=stage) == least, stage
            assert on.count("maskwright_batch_size_count", stage="encode") == 1
            assert on.count("maskwright_queued", priority="click") == 0

    asyncio.run(main())
