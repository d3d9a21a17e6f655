"""From labels to a checkpoint that is asked by words wherever a model is named."""

import asyncio
import json

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from labelled_blocks import write_blocks
from maskwright.cli.__main__ import run
from maskwright.models import load_model
from maskwright.serve.app import build_app
from maskwright.serve.engine import LocalEngine
from rest_service import AT_HOME, service_of

QUICK = (
    "parts=text", "words=table", "epochs=6", "warmup=5", "learning_rate=3e-3", "ema=0.9", "mirror=0", "eval_pictures=6"
)  # fmt: skip


def command(root, out, *more, source="blocks"):
    changes = [word for change in QUICK for word in ("--set", change)]
    return ["train", str(root / source / "annotations.json"), "--from", "test-sam", "-o", str(out), *changes, *more]


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    root = tmp_path_factory.mktemp("taught")
    write_blocks(root / "blocks", range(40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKWRIGHT_CACHE", str(root / "cache"))
        assert run(command(root, root / "words")) == 0
    return root


def test_the_checkpoint_is_an_adapter_and_its_card_tells_its_words(taught):
    card = json.loads((taught / "words" / "card.json").read_text())
    model = load_model(taught / "words")

    assert card["words"] == {
        "vocabulary": ["blue", "bowl", "cube", "green", "mug", "red"],
        "encoder": None,
        "encoder_sha256": "",
    }
    assert card["recipe"]["words"] == "table"
    assert card["metrics"]["after"]["text"] > 0.5
    assert card["metrics"]["after"]["absent told"] > 0.8
    assert model.card.title == "words, test-sam fine-tuned (text)"
    assert model.encoder_sha256 == load_model("test-sam").checkpoint_sha256


def test_the_report_tells_word_by_word(taught):
    page = (taught / "words" / "report.html").read_text()

    for part in ("6 words, read by a table of its own", "Word by word", "another word", "Held-out words over epochs"):
        assert part in page, part
    assert set(json.loads((taught / "words" / "split.json").read_text())) == {"train", "validation", "test"}


def test_a_picture_is_asked_by_a_word(taught, tmp_path, capsys):
    write_blocks(tmp_path / "new", [77])
    picture = str(tmp_path / "new" / "77.png")
    label = json.loads((tmp_path / "new" / "annotations.json").read_text())["annotations"][0]["category_id"]
    word = ("mug", "bowl", "cube")[label - 1]

    assert run(["predict", picture, "--text", word, "--model", str(taught / "words"), "--json"]) == 0

    record = json.loads(capsys.readouterr().out)["records"][0]
    assert record["provenance"]["prompt"] == {"kind": "TextPrompt", "text": word}
    assert record["area"] > 500


def test_an_unknown_word_is_told_with_near_ones(taught, capsys):
    picture = str(taught / "blocks" / "1.png")

    assert run(["predict", picture, "--text", "mugg", "--model", str(taught / "words")]) != 0
    assert "was not taught the word 'mugg' of 'mugg'. Nearest of its 6: mug" in capsys.readouterr().err


def test_evaluate_asks_it_by_words(taught, tmp_path, capsys):
    write_blocks(tmp_path / "new", range(60, 66))
    source = str(tmp_path / "new" / "annotations.json")

    assert run(["evaluate", "--model", str(taught / "words"), "--data", source, "--tasks", "text", "--json"]) == 0

    scores = json.loads(capsys.readouterr().out)["segmenters"][0]["scores"]
    assert scores["text"] > 0.4


def test_annotate_looks_for_words_on_every_frame(taught, tmp_path):
    write_blocks(tmp_path / "new", range(60, 63))
    folder = str(tmp_path / "new")

    code = run(["annotate", folder, "-o", str(tmp_path / "masks"), "--text", "mug", "--model", str(taught / "words")])

    assert code == 0


def test_a_server_is_asked_by_words(taught, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(taught / "cache"))
    app = build_app(service_of(LocalEngine, models=(str(taught / "words"),)))
    picture = (taught / "blocks" / "1.png").read_bytes()

    with TestClient(app, base_url=AT_HOME) as client:
        client.portal.call(lambda: asyncio.wait_for(asyncio.shield(app.state.starting), 60))
        digest = client.post("/v1/images", content=picture, headers={"Content-Type": "image/png"}).json()["digest"]
        asked = {"image": digest, "prompts": [{"kind": "TextPrompt", "text": word} for word in ("mug", "bowl", "cube")]}
        found = client.post("/v1/segment", json=asked)
        unknown = client.post("/v1/segment", json={**asked, "prompts": [{"kind": "TextPrompt", "text": "mugg"}]})

    assert found.status_code == 200
    assert sum(mask["record"]["area"] > 500 for mask in found.json()["masks"]) == 2
    assert unknown.status_code == 422
    assert "Nearest of its 6: mug" in unknown.json()["error"]["message"]


def test_the_difference_to_the_base_is_the_words(taught, capsys):
    assert run(["models", "diff", "test-sam", str(taught / "words")]) == 0

    told = capsys.readouterr().out
    assert f"only in {taught / 'words'}" in told
    assert "pictures are encoded alike" in told
    assert "changed" not in told


def test_words_stay_when_the_decoder_is_tuned_and_grow_with_new_labels(taught, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(taught / "cache"))
    annotations = json.loads((taught / "blocks" / "annotations.json").read_text())
    annotations["categories"][2]["name"] = "green can"
    more = taught / "more"
    more.mkdir()
    for number in range(40):
        (more / f"{number}.png").write_bytes((taught / "blocks" / f"{number}.png").read_bytes())
    (more / "annotations.json").write_text(json.dumps(annotations))
    again = ["--from", str(taught / "words"), "--set", "epochs=1"]

    assert run(command(taught, taught / "grown", *again, source="more")) == 0
    words = json.loads((taught / "grown" / "card.json").read_text())["words"]["vocabulary"]
    general = str(write_blocks(taught / "general", range(80, 84)))
    decoder = ["--set", "parts=decoder", "--set", "batch=32", "--set", "per_picture=1"]
    assert run(command(taught, taught / "both", *again, *decoder, "--general", general)) == 0

    assert words == ["blue", "bowl", "can", "cube", "green", "mug", "red"]
    both = load_model(taught / "both")
    assert both.card.takes_text
    assert both.text_indices("red mug") == (5, 4)


def test_the_same_command_again_changes_nothing(taught, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(taught / "cache"))
    before = (taught / "words" / "tuned.safetensors").read_bytes()

    assert run(command(taught, taught / "words")) == 0

    after = load_model(taught / "words").text_adapter.state_dict()
    assert len(before) == (taught / "words" / "tuned.safetensors").stat().st_size
    assert all(bool(np.isfinite(tensor.numpy()).all()) for tensor in after.values())


def test_labels_are_needed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    for inner in ("images", "masks"):
        (tmp_path / "plain" / inner).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((64, 64), np.uint8)
        mask[10:40, number : number + 30] = 255
        cv2.imwrite(str(tmp_path / "plain" / "images" / f"{number}.png"), np.stack([mask // 2 + number] * 3, -1))
        cv2.imwrite(str(tmp_path / "plain" / "masks" / f"{number}.png"), mask)

    assert run(
        ["train", str(tmp_path / "plain"), "--from", "test-sam", "--set", "parts=text", "-o", str(tmp_path / "o")]
    )

    assert "words are learnt from labels, and no mask to learn from has one" in capsys.readouterr().err
