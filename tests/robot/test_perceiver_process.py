"""The real thing: a model in a process of its own, killed and started again. `test-sam` draws nonsense, but quickly."""

import os
import signal
import time

import numpy as np
import pytest

from maskwright.core.errors import ImageError, SettingError, UnknownModel
from maskwright.robot.perceiver import Perceiver
from maskwright.robot.perceiver_process import ProcessWorker
from maskwright.robot.perceiver_values import MODEL_SIDES, PerceiverSettings
from maskwright.robot.perceiver_worker import Question
from sliding_scene import picture, truth

PATIENCE_S = 60


def step_until(perceiver, is_reached, begin=0):
    """Give pictures as a camera does, until something is so."""
    until = time.monotonic() + PATIENCE_S
    number = begin
    while time.monotonic() < until:
        state = perceiver.step(picture(number % 40))
        if is_reached(state):
            return state
        number += 1
        time.sleep(0.01)
    raise AssertionError(f"it did not happen in {PATIENCE_S} s: {state}")


def kinds(state):
    return {notice.kind for notice in state.notices}


def test_a_process_looks_dies_and_is_started_again():
    settings = PerceiverSettings(flow_side=160, budget_ms=1000, gap_ms=5000)
    with Perceiver("test-sam", settings=settings) as perceiver:
        worker = perceiver._worker
        perceiver.add("mug", mask=truth("mug", 0))
        starting = perceiver.step(picture(0))
        step_until(perceiver, lambda state: state["mug"].seen_frame not in (None, 0) or state["mug"].status == "lost")
        first = worker.pid

        os.kill(first, signal.SIGKILL)
        told = step_until(perceiver, lambda state: "model_gone" in kinds(state))
        step_until(perceiver, lambda state: not state.notices or kinds(state) <= {"prompt_failed", "cut"})
        second = worker.pid

    assert kinds(starting) == {"model_starting"}
    assert any("started again (1 of 3): its process ended" in notice.text for notice in told.notices)
    assert second != first
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_one_may_wait_for_the_model_before_the_first_picture(tmp_path):
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(b"nothing")

    with Perceiver("test-sam") as perceiver:
        assert not perceiver.wait_until_ready(timeout_s=0)
        assert perceiver.wait_until_ready(PATIENCE_S)
        first = perceiver.step(picture(0))
    with Perceiver(damaged) as perceiver:
        assert not perceiver.wait_until_ready(PATIENCE_S)

    assert "model_starting" not in kinds(first)
    with pytest.raises(SettingError, match="was closed"):
        perceiver.wait_until_ready()


@pytest.mark.parametrize(("side", "sides"), [("auto", MODEL_SIDES), (320, ())])
def test_a_process_says_which_sides_it_can_be_asked_for(side, sides):
    with Perceiver("tiny", settings=PerceiverSettings(model_side=side)) as perceiver:
        starting = perceiver._worker.sides
        assert perceiver.wait_until_ready(PATIENCE_S)

        pid = perceiver._worker.pid
        # Out of the caller's group, which Ctrl+C ends; in its session, in which alone priorities count.
        assert (os.getpgid(pid), os.getsid(pid)) == (pid, os.getsid(0))
        assert starting == ()
        assert perceiver._worker.sides == sides
        assert perceiver.step(picture(0)).model_side == (sides[0] if sides else None)


def test_what_cannot_be_loaded_is_told_at_once(tmp_path):
    with pytest.raises(UnknownModel):
        Perceiver("test-sma")
    with pytest.raises(SettingError, match="there is no model at that path"):
        Perceiver(tmp_path / "missing.safetensors")
    with pytest.raises(SettingError, match="num_threads must be at least 1, got 0"):
        ProcessWorker("test-sam", flow_side=160, num_threads=0)


def test_a_damaged_checkpoint_is_told_by_the_state(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"nothing")
    with Perceiver(path, settings=PerceiverSettings(restarts=0)) as perceiver:
        state = step_until(perceiver, lambda state: "model_gone" in kinds(state))

    assert str(path) in state.notices[0].text


def test_a_picture_beyond_the_shared_memory_is_refused():
    worker = ProcessWorker("test-sam", flow_side=160)
    try:
        huge = np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), (5000, 5000, 3), (0, 0, 1))
        with pytest.raises(ImageError, match="at most 16 million pixels, got 5000x5000"):
            worker.submit(Question(camera="a", session=0, number=1, pixels=huge))
    finally:
        worker.close()
