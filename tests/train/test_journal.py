import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskwright.models.tiny import TinyConfig, build_tiny_network
from maskwright.train import journal
from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.journal import Journal, draw_curves, read_log
from maskwright.train.run import Clock
from maskwright.train.samples import write_samples
from maskwright.train.scenes import paint
from maskwright.train.validation import HeldOut, scores_of

SMALL = TinyConfig(trunk="lite0", side=96, width=64, context_width=64, context_depth=1, embedding_depth=1)


@pytest.fixture(autouse=True)
def without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_tensorboard", lambda out, step: None)


def test_a_row_is_the_mean_of_the_steps_since_the_last(tmp_path: Path) -> None:
    book = Journal(tmp_path, step=0)
    for loss in (1.0, 2.0):
        book.add({"loss": torch.tensor(loss)})

    book.write(2, 1.0, pictures_a_second=3.0)
    book.add({"loss": torch.tensor(5.0), "new": torch.tensor(7.0)})
    book.write(3, 2.0)

    assert read_log(tmp_path / "log.csv") == [
        {"step": 2, "seconds": 1.0, "loss": 1.5, "pictures_a_second": 3.0},
        {"step": 3, "seconds": 2.0, "loss": 5.0, "new": 7.0},
    ]


def test_rows_after_the_step_that_a_run_goes_on_from_are_dropped(tmp_path: Path) -> None:
    before = Journal(tmp_path, step=0)
    for step in (10, 20, 30):
        before.write(step, step)

    after = Journal(tmp_path, step=20)
    after.write(25, 25.0)

    assert [row["step"] for row in read_log(tmp_path / "log.csv")] == [10, 20, 25]


def test_curves_are_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [{"step": float(i), "loss": 1 / (i + 1), "held_out_box": 0.5, "iou_box": 0.4} for i in range(5)]

    draw_curves(rows, tmp_path / "curves.png")

    with Image.open(tmp_path / "curves.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_held_out_scenes_are_asked_about_in_the_same_way_every_time(pack: AssetPack, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_tiny_network(config=SMALL)
    held_out = HeldOut(paint(Dice(5), pack, batch=5, side=96, max_objects=4))

    first, second = held_out.ask(model), held_out.ask(model)

    assert scores_of(first) == scores_of(second)
    assert sum(len(one.iou) for one in first) == 15
    assert 0 <= scores_of(first)["held_out_score"] <= 1
    write_samples(first, tmp_path / "samples.jpg", per_picture=held_out.per_image, most=4)
    with Image.open(tmp_path / "samples.jpg") as sheet:
        assert sheet.size == (4 * 288, 288)


def test_a_clock_keeps_back_what_the_end_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("maskwright.train.run.time.monotonic", lambda: now[0])
    clock = Clock(minutes=10, steps=0, began=90.0, longest_step=5.0, scoring=20.0, saving=5.0)

    progress = [clock.progress(0)]
    for now[0] in (300.0, 90.0 + 600 - 45, 90.0 + 600 - 35):
        progress.append(clock.progress(0))

    assert progress[0] == 0
    assert progress == sorted(progress)
    assert progress[2] < 1 <= progress[3]


def test_a_clock_goes_on_where_the_run_was() -> None:
    clock = Clock(minutes=10, steps=0, began=time.monotonic(), before=300.0)

    assert 0.45 < clock.progress(7) < 0.6


def test_steps_end_a_run_as_well_as_minutes() -> None:
    clock = Clock(minutes=0, steps=8, began=0.0)

    assert clock.progress(4) == 0.5
    assert clock.progress(8) == 1
