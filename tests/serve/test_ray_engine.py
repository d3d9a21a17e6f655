"""The real command with a real Ray cluster on this machine, and one worker of the smallest model behind it."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

import maskwright as mw
from maskwright.core import Image, PointPrompt
from maskwright.core.errors import PromptOutsideImage, SettingError
from maskwright.models import load_model
from maskwright.predict import embed, predict, to_records
from maskwright.serve import ray_engine
from maskwright.serve.meter import Meter
from maskwright.serve.ray_engine import RayEngine
from maskwright.serve.settings import ServeSettings

CLICK = PointPrompt([(40, 30)])


def picture(seed):
    return Image(np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8))


@contextmanager
def served_by_ray(folder):
    words = ["serve", "--model", "test-sam", "--engine", "ray", "--workers", "1", "--port", "0"]
    environ = {**os.environ, "MASKWRIGHT_CACHE": str(folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "maskwright.cli", *words], env=environ, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"serves .*: (http://\S+:\d+)", line):
                yield process, found[1], line
                break
        else:
            pytest.fail("".join(said))
    finally:
        process.kill()
        process.wait(30)
        process.stderr.close()


def test_clicks_are_answered_by_a_worker_as_by_the_model_here(tmp_path):
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'maskwright[ray]'")

    with served_by_ray(tmp_path) as (process, address, greeting), mw.Client(address) as client:
        answers = [client.segment(picture(seed), [CLICK])[0] for seed in (1, 2, 1)]
        with pytest.raises(PromptOutsideImage, match="lies outside the image of 80x60"):
            client.segment(picture(1), [PointPrompt([(900, 30)])])
        found = client.everything(picture(2), preset="fast")
        frames = list(client.track([picture(1), picture(1)], {"thing": CLICK}))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    model = load_model("test-sam")
    for seed, answer in zip((1, 2, 1), answers, strict=True):
        (expected,) = to_records(predict(model, embed(model, picture(seed)), [CLICK]))
        assert answer.rle == expected.rle
        assert answer.image_digest == picture(seed).digest
    assert "ray worker 1" in greeting
    assert all(record.image_digest == picture(2).digest for record in found)
    assert len(frames) == 2
    assert process.returncode == 0


def test_without_ray_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)

    with pytest.raises(SettingError, match=r"--engine ray needs Ray Serve: pip install 'maskwright\[ray\]'"):
        RayEngine(ServeSettings(engine="ray"), Meter())
