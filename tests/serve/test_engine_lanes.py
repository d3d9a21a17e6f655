"""Lanes: who goes by whom, what is cancelled, and what happens when a thread fails or dies."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from engine_data import Watch, WatchedModel, by, click, picture, plain_model, running, until
from maskwright.core import Image
from maskwright.core.errors import Cancelled, DeadlinePassed, ServeError
from maskwright.models import Model
from maskwright.predict import EverythingSettings, embed, predict
from maskwright.predict.everything import everything
from maskwright.serve.engine.lanes import num_cores
from maskwright.serve.engine.local import make_lanes
from maskwright.serve.engine.polite import PoliteModel
from maskwright.serve.settings import ServeSettings


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))


class Death(BaseException):
    """What nobody catches."""


def test_a_polite_model_finds_everything_to_the_last_bit() -> None:
    settings = EverythingSettings(
        points_per_side=12, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
    )
    steps: list[tuple[str, int]] = []

    @contextmanager
    def around(kind: str, weight: int) -> Iterator[None]:
        steps.append((kind, weight))
        yield

    image = picture()

    plain = everything(plain_model(), image, settings=settings)
    polite = everything(PoliteModel(plain_model(), around), image, settings=settings)

    assert [(one.rle, one.scores) for one in polite] == [(one.rle, one.scores) for one in plain]
    assert steps[0] == ("encode", 1)
    assert {kind for kind, _ in steps[1:]} == {"decode_some"}
    assert sum(weight for _, weight in steps[1:]) == 144
    assert len(steps) > 3


def test_clicks_go_by_what_takes_long_on_the_only_lane() -> None:
    order: list[str] = []

    def long_work(image: Image):
        def work(model: Model) -> None:
            for step in range(40):
                embed(model, image)
                order.append(f"step {step}")
                time.sleep(0.005)

        return work

    async def main() -> None:
        async with running() as on:
            await on.engine.embed(picture(), by())
            long = asyncio.create_task(on.engine.run(long_work(picture(1)), by("ben", "bulk")))
            while len(order) < 3:
                await asyncio.sleep(0.001)
            for _ in range(3):
                await on.engine.segment(picture(), click(), by())
                order.append("click")
            await long

    asyncio.run(main())
    assert order[-1] == "step 39"
    assert order.count("click") == 3


def test_with_batching_off_one_piece_runs_at_a_time() -> None:
    async def main() -> None:
        settings = ServeSettings(models=("test-sam",), max_batch=1)
        async with running(settings=settings) as on:
            await on.engine.embed(picture(), by())
            order: list[str] = []

            def work(model: Model) -> None:
                for _ in range(5):
                    embed(model, picture(1))
                    time.sleep(0.01)
                order.append("bulk")

            on.watch.is_encoding.clear()
            long = asyncio.create_task(on.engine.run(work, by("ben", "bulk")))
            await until(on.watch.is_encoding.is_set)
            await on.engine.segment(picture(), click(), by())
            order.append("click")
            await long
            assert order == ["bulk", "click"]

    asyncio.run(main())


def test_bulk_keeps_off_one_lane_so_clicks_do_not_wait_for_it() -> None:
    async def main() -> None:
        async with running(num_lanes=2) as on:
            await on.engine.embed(picture(), by())
            may_end = threading.Event()
            bulk = [
                asyncio.create_task(on.engine.run(lambda model: may_end.wait(20), by("ben", "bulk"))) for _ in range(3)
            ]
            await until(lambda: on.num_queued() == 2)

            async with asyncio.timeout(20):
                records = await on.engine.segment(picture(), click(), by())

            assert len(records) == 1
            assert on.engine.status().num_queued == {"click": 0, "bulk": 2, "ahead": 0}
            may_end.set()
            assert await asyncio.gather(*bulk) == [True] * 3

    asyncio.run(main())


def test_cancelling_ends_what_runs_at_its_next_step_and_waits_for_that() -> None:
    seen: list[object] = []

    def work(model: Model) -> None:
        try:
            while True:
                embed(model, picture())
        except Cancelled as error:
            time.sleep(0.05)
            seen.append(error)
            raise

    async def main() -> None:
        async with running() as on:
            task = asyncio.create_task(on.engine.run(work, by(priority="bulk")))
            while on.watch.num_encoded < 3:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(seen) == 1  # already

    asyncio.run(main())


def test_what_runs_ends_at_its_deadline() -> None:
    def work(model: Model) -> None:
        while True:
            embed(model, picture())

    async def main() -> None:
        async with running() as on:
            with pytest.raises(DeadlinePassed):
                await on.engine.run(work, by(priority="bulk", deadline=time.monotonic() + 0.1))
            settings = EverythingSettings(points_per_side=64)
            with pytest.raises(DeadlinePassed):
                await on.engine.everything(picture(), settings, by(deadline=time.monotonic() + 0.1))
            async with asyncio.timeout(20):
                assert await on.engine.run(lambda model: 1, by()) == 1

    asyncio.run(main())


def test_what_fails_unforeseen_fails_alone_and_is_logged(caplog) -> None:
    async def main() -> None:
        async with running() as on:
            for fault in (ValueError("unforeseen"), StopIteration(3)):
                on.watch.fault = fault
                with pytest.raises((ValueError, RuntimeError), match=r"unforeseen|StopIteration"):
                    await on.engine.embed(picture(), by())
            assert len(await on.engine.segment(picture(), click(), by())) == 1

    with caplog.at_level(logging.ERROR, "maskwright.serve.engine.lanes"):
        asyncio.run(main())
    assert [record.message for record in caplog.records] == ["a lane failed at something unforeseen"] * 2


@pytest.mark.parametrize("num_lanes", [1, 2])
@pytest.mark.parametrize("death", [SystemExit(3), KeyboardInterrupt(), Death(), asyncio.CancelledError()])
def test_a_thread_that_dies_is_replaced_and_its_work_fails_clearly(death: BaseException, num_lanes: int) -> None:
    async def main() -> None:
        async with running(num_lanes=num_lanes) as on:
            for ask in (
                lambda: on.engine.segment(picture(), click(), by()),
                lambda: on.engine.run(lambda model: embed(model, picture()), by(priority="bulk")),
            ):
                on.watch.fault = death
                with pytest.raises(ServeError, match=f"the worker that computed this died .{type(death).__name__}."):
                    await ask()
            async with asyncio.timeout(20):
                answers = await asyncio.gather(*(on.engine.segment(picture(i), click(), by(f"c{i}")) for i in range(6)))
            assert [len(records) for records in answers] == [1] * 6

    asyncio.run(main())


def test_a_death_in_a_click_that_was_let_by_fails_both_and_nothing_else() -> None:
    async def main() -> None:
        async with running() as on:
            await on.engine.embed(picture(), by())
            may_go_on = threading.Event()

            def work(model: Model) -> None:
                may_go_on.wait(20)
                embed(model, picture(1))

            long = asyncio.create_task(on.engine.run(work, by("ben", "bulk")))
            await until(lambda: on.engine.status().num_running == 1)
            clicks = asyncio.create_task(on.engine.segment(picture(), click(), by()))
            queued = asyncio.create_task(on.engine.run(lambda model: 5, by("cleo", "bulk")))
            await until(lambda: on.num_queued() == 2)
            on.watch.fault = Death()
            may_go_on.set()
            answers = await asyncio.gather(long, clicks, queued, return_exceptions=True)
            assert [type(answer) for answer in answers] == [ServeError, ServeError, int]
            assert on.engine.status().num_running == 0

    asyncio.run(main())


def test_a_piece_that_is_alone_gets_all_threads_and_only_on_the_first_lane() -> None:
    async def main() -> None:
        async with running(num_lanes=3, max_threads=3) as on:

            def count(model: Model) -> int:
                embed(model, picture())
                return torch.get_num_threads()

            alone = [await on.engine.run(count, by()) for _ in range(3)]
            may_end = threading.Event()

            def wait_and_count(model: Model) -> tuple[int, int]:
                embed(model, picture())
                before = torch.get_num_threads()
                may_end.wait(20)
                embed(model, picture())
                return before, torch.get_num_threads()

            together = [asyncio.create_task(on.engine.run(wait_and_count, by(f"c{i}"))) for i in range(3)]
            await until(lambda: on.engine.status().num_running == 3)
            may_end.set()
            counts = await asyncio.gather(*together)

            assert alone[:2] == [3, 1]  # tried both
            # Only the first to come and the last to go may have been alone.
            assert [before for before, _ in counts].count(3) <= 1
            assert [after for _, after in counts].count(3) <= 1

    asyncio.run(main())


def test_lanes_are_as_many_as_cores_and_one_where_batching_is_off(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    lanes = make_lanes(ServeSettings(device="cpu"))
    single = make_lanes(ServeSettings(device="cpu", max_batch=1))

    assert num_cores() == 3
    assert [(lane.index, lane.max_batch, lane.max_threads) for lane in lanes] == [(0, 1, 3), (1, 1, 1), (2, 1, 1)]
    assert [(lane.index, lane.max_batch, lane.max_threads) for lane in single] == [(0, 1, 3)]
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert num_cores() >= 1


def test_a_run_may_keep_tensors_between_calls() -> None:
    async def main() -> None:
        async with running(num_lanes=2) as on:
            embedding = await on.engine.run(lambda model: embed(model, picture()), by("ann", "bulk"))
            batch = await on.engine.run(lambda model: predict(model, embedding, click().prompts), by("ann", "bulk"))
            assert len(batch) == 1

    asyncio.run(main())


def test_with_several_devices_an_image_and_a_client_stay_on_one() -> None:
    """Devices are two names of the CPU here: each has its own copy of the model, and lanes do not share features."""

    async def main() -> None:
        async with running(num_lanes=2, devices=("cpu", "cpu:0"), max_batch=4) as on:
            copies: dict[str, set[int]] = {}

            def note(model: Model, client: str) -> None:
                copies.setdefault(client, set()).add(threading.get_ident())
                embed(model, picture(50))

            asked = [on.engine.segment(picture(i % 8), click(), by(f"c{i}")) for i in range(24)]
            runs = [
                on.engine.run(lambda model, client=client: note(model, client), by(client, "bulk"))
                for client in ("ann", "ben", "cleo", "dan") * 3
            ]
            answers, _ = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*runs))

            assert [len(records) for records in answers] == [1] * 24
            assert on.watch.num_encoded == 8 + len(runs)
            assert all(len(threads) == 1 for threads in copies.values())
            assert len(set.union(*copies.values())) == 2
            assert on.engine.status().devices == ("cpu", "cpu:0")

    asyncio.run(main())


def test_a_watched_model_is_what_the_tests_take_it_for() -> None:
    watch = Watch()
    embed(WatchedModel(watch), picture())
    assert (watch.num_encoded, watch.num_steps) == (1, 1)
