"""A real Ray cluster on this machine, with one replica of the smallest model behind the application."""

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest

from maskwright.core import Image, PointPrompt
from maskwright.core.errors import DeadlinePassed, PromptOutsideImage, ServerStopping, SettingError
from maskwright.models import load_model
from maskwright.predict import EverythingSettings, embed, predict, to_records
from maskwright.serve import ray_engine
from maskwright.serve.meter import Meter
from maskwright.serve.ray_engine import RayEngine
from maskwright.serve.settings import ServeSettings
from maskwright.serve.values import Segment, Work

WORK = Work(client="ada")
CLICK = Segment(prompts=(PointPrompt([(40, 30)]),))


def picture(seed):
    return Image(np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8))


async def _through_its_life(engine):
    with pytest.raises(ServerStopping):
        await engine.segment(picture(1), CLICK, WORK)
    await engine.start()
    status = engine.status()
    one, two = picture(1), picture(2)
    was_there = [await engine.embed(one, WORK), await engine.embed(one, WORK)]
    answers = await asyncio.gather(*(engine.segment(image, CLICK, WORK) for image in (one, two, one)))
    found = await engine.everything(two, EverythingSettings(points_per_side=4), WORK)
    with pytest.raises(PromptOutsideImage, match="lies outside the image of 80x60"):
        await engine.segment(one, Segment(prompts=(PointPrompt([(900, 30)]),)), WORK)
    with pytest.raises(DeadlinePassed):
        await engine.segment(picture(3), CLICK, replace(WORK, deadline=time.monotonic()))
    here = await engine.run(lambda model: model.card.name, WORK)
    await engine.drain(10)
    with pytest.raises(ServerStopping):
        await engine.segment(one, CLICK, WORK)
    return status, was_there, answers, found, here


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Serve is older than the pydantic that is here
def test_clicks_are_answered_by_a_replica_as_by_the_model_here(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'maskwright[ray]'")
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path))
    engine = RayEngine(ServeSettings(models=("test-sam",), engine="ray", ray_workers=1), Meter())
    try:
        status, was_there, answers, found, here = asyncio.run(_through_its_life(engine))
    finally:
        ray.shutdown()

    model = load_model("test-sam")
    for image, (answer,) in zip((picture(1), picture(2), picture(1)), answers, strict=True):
        (expected,) = to_records(predict(model, embed(model, image), CLICK.prompts))
        assert answer.rle == expected.rle
        assert answer.image_digest == image.digest
    assert status.is_ready
    assert status.devices == ("cpu", "ray worker 1")
    assert was_there == [False, True]
    assert all(record.image_digest == picture(2).digest for record in found)
    assert here == "test-sam"


def test_without_ray_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)

    with pytest.raises(SettingError, match=r"--engine ray needs Ray Serve: pip install 'maskwright\[ray\]'"):
        RayEngine(ServeSettings(engine="ray"), Meter())
