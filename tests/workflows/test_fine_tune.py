import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import maskwright.train.tune.step as step_module
from labelled_blocks import write_blocks
from maskwright.cli.__main__ import run
from maskwright.core.errors import InputError, ModelError
from maskwright.models import load_model
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.workflows.fine_tune import FineTuneJob, fine_tune
from maskwright.workflows.retention import Retention

QUICK = TuneRecipe(
    epochs=3,
    batch=8,
    learning_rate=3e-3,
    warmup=1,
    ema=0.5,
    corrections=0,
    mirror=0,
    focal_weight=2.0,
    dice_weight=2.0,
    clip=10.0,
    eval_pictures=4,
    seed=1,  # of which some epoch is better than the base, so that everything after it runs
)


def write_squares(folder, numbers):
    for inner in ("images", "masks"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 40, (64, 64, 3)).astype(np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        x, y = rng.integers(2, 14, 2)
        mask[y : y + 40, x : x + 40] = 255
        pixels[mask > 0] += 180
        cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels)
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), mask)
    return folder


def job(root, **more):
    return FineTuneJob(
        source=str(root / "pictures"),
        out=root / "checkpoint",
        base="test-sam",
        recipe=QUICK,
        num_general=1,
        command="maskwright train pictures",
        **more,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("tuned")
    write_squares(root / "pictures", range(16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKWRIGHT_CACHE", str(root / "cache"))
        stages = []
        found = fine_tune(
            job(root),
            told=lambda what, done, total: stages.append(what),
            clock=lambda: datetime(2026, 11, 26, tzinfo=UTC),
        )
    return root, found, stages


def test_the_checkpoint_loads_and_its_card_tells_where_it_comes_from(made):
    root, found, _ = made

    model = load_model(root / "checkpoint")
    card = json.loads((root / "checkpoint" / "card.json").read_text())

    assert model.card.title == "checkpoint, test-sam fine-tuned (decoder)"
    assert card["base"] == "test-sam"
    assert card["base_sha256"] == load_model("test-sam").checkpoint_sha256
    assert card["command"] == "maskwright train pictures"
    assert card["created_at"] == "2026-11-26T00:00:00+00:00"
    assert set(card["metrics"]) == {"before", "after", "data", "ms a click"}
    assert card["data"]["num_masks"] == len(found.split.train) + len(found.split.validation)
    assert len(card["data"]["fingerprint"]) == 64


def test_episodes_are_told_side_by_side(made):
    root, found, _ = made

    sides = json.loads((root / "checkpoint" / "split.json").read_text())

    assert sum(map(len, sides.values())) == 16
    assert len(sides["test"]) == len(found.split.test) > 0


def test_the_report_has_everything(made):
    root, _, _ = made

    page = (root / "checkpoint" / "report.html").read_text()

    for part in (
        "Before and after",
        "by slice",
        "label: unlabelled",
        "size: ",
        "width: ",
        "Held-out mIoU over epochs",
        "Predicted IoU against IoU",
        "Worst and best answers",
        "Latency",
        "data fingerprint",
        "general data (painted scenes)",
    ):
        assert part in page, part
    assert (root / "checkpoint" / "run" / "log.csv").exists()


def test_progress_is_told_stage_by_stage(made):
    _, _, stages = made

    assert list(dict.fromkeys(stages)) == [
        "reading",
        "general data",
        "encoding",
        "epoch 1 of 3",
        "epoch 2 of 3",
        "epoch 3 of 3",
        "drawing back",
        "scoring",
        "scoring general data",
    ]


def test_the_same_job_again_gives_the_same_scores_without_training(made, monkeypatch):
    root, found, _ = made
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(root / "cache"))
    stages = []

    again = fine_tune(job(root), told=lambda what, done, total: stages.append(what))

    assert not any(what.startswith("epoch") or what == "encoding" for what in stages)
    assert again.after.scores["box"] == found.after.scores["box"]


def test_a_tuned_model_can_be_tuned_again_against_the_first_base(made, tmp_path, monkeypatch):
    root, _, _ = made
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(root / "cache"))

    fine_tune(replace(job(root), out=tmp_path / "second", base=str(root / "checkpoint")))

    card = json.loads((tmp_path / "second" / "card.json").read_text())
    assert card["base"] == "test-sam"
    assert load_model(tmp_path / "second").encoder_sha256 == load_model("test-sam").checkpoint_sha256


def test_test_data_that_are_trained_on_are_refused(made, tmp_path, monkeypatch):
    root, _, _ = made
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path))
    write_squares(tmp_path / "held out", [3, 99])

    with pytest.raises(InputError, match=r"1 held-out episodes are trained on too.*\(held out/3\.png\)"):
        fine_tune(replace(job(root), out=tmp_path / "out", test=str(tmp_path / "held out")))


def test_a_loss_that_is_no_number_leaves_the_best_checkpoint_so_far(made, tmp_path, monkeypatch):
    root, _, _ = made
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(root / "cache"))
    honest, calls = step_module._loss, []

    def nan_in_the_last_epoch(*args):
        calls.append(args)
        loss, iou = honest(*args)
        return (loss * torch.nan if len(calls) > 8 else loss), iou

    monkeypatch.setattr(step_module, "_loss", nan_in_the_last_epoch)
    recipe = replace(QUICK, epochs=5, replay=0.0, keep=0.0, keep_within=1)

    with pytest.raises(ModelError, match=r"the loss is nan at epoch \d, batch \d .*best weights until then are kept"):
        fine_tune(replace(job(root), out=tmp_path / "out", recipe=recipe))

    base, kept = load_model("test-sam").state_dict(), load_model(tmp_path / "out").state_dict()
    changed = {name.split(".")[0] for name, tensor in kept.items() if not torch.equal(tensor, base[name])}
    assert changed == {"mask_decoder"}
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())


def test_masks_of_one_label_only_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    for folder in ("pictures", "general"):
        write_blocks(tmp_path / folder, range(6) if folder == "pictures" else range(50, 52))
    file = tmp_path / "pictures" / "annotations.json"
    content = json.loads(file.read_text())
    for category in content["categories"]:
        category["name"] = "mug"
    file.write_text(json.dumps(content))

    found = fine_tune(
        replace(job(tmp_path), general=str(tmp_path / "general"), recipe=replace(QUICK, epochs=1, replay=0.0, keep=0.0))
    )

    assert "all masks are of one label (mug); a click learns to mean that" in found.notes


@pytest.mark.parametrize(
    ("after", "replay", "is_kept", "suggested"),
    [
        (0.79, 0.0, True, 0.0),
        (0.77, 0.0, False, 0.25),
        (0.72, 0.0, False, 0.5),
        (0.6, 0.0, False, 1.0),
        (0.77, 0.25, False, 0.5),
    ],
)
def test_what_was_forgotten_is_said_with_what_to_mix_in(after, replay, is_kept, suggested):
    found = Retention(
        data="mine",
        before={"box": 0.8, "1 click": 0.5},
        after={"box": after, "1 click": 0.6},
        tolerance=0.02,
        replay=replay,
    )

    assert found.is_kept == is_kept
    assert found.suggested_replay == suggested
    assert (f"--replay {suggested:g}" in found.line()) != is_kept


def test_the_command_line_trains_on_what_is_no_sub_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert run(["train", "nowhere"]) == 1
    assert "there is no such file or folder: nowhere" in capsys.readouterr().err
    assert run(["train", "nowhere", "--set", "epochs=none"]) == 2
    assert "epochs must be a whole number" in capsys.readouterr().err
    assert run(["train", "tune", "--help"]) == 0
    assert "maskwright train masks/ --from tiny" in capsys.readouterr().out


def test_a_checkpoint_is_evaluated_on_what_it_was_not_trained_on(made, capsys):
    root, found, _ = made
    tuned, pictures = str(root / "checkpoint"), str(root / "pictures")

    assert run(["evaluate", "-m", "test-sam", "-m", tuned, "--data", pictures, "--split", "test", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["data"]["num_pictures"] == len(found.split.test)
    assert run(["evaluate", "-m", "test-sam", "--data", pictures, "--split", "test"]) == 2
    assert "--split is of one fine-tuned --model; got 0" in capsys.readouterr().err
    assert run(["evaluate", "-m", tuned, "--data", pictures, "--split", "none"]) == 1
    assert "a split has the sides train, validation, test" in capsys.readouterr().err


def test_models_diff_tells_parts_and_scores(made, capsys):
    root, _, _ = made

    assert run(["models", "diff", "test-sam", str(root / "checkpoint")]) == 0

    told = capsys.readouterr().out
    assert "pictures are encoded alike" in told
    assert "after tuning on pictures" in told
    assert Path(root / "checkpoint").exists()
