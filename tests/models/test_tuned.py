import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from maskwright.core import Image
from maskwright.core.errors import CheckpointError
from maskwright.models import load_model
from maskwright.models.diff import diff_models
from maskwright.models.tuned import TunedCard, changed_of, save_tuned
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import embed

PART = "mask_decoder.iou_token.weight"


def tuned(folder, *, sha256=None, names=(PART,), **more):
    base = load_model("test-sam")
    card = TunedCard(
        base="test-sam",
        base_sha256=sha256 or base.checkpoint_sha256,
        parts="decoder",
        licence="Apache-2.0; trained on data under CC0-1.0 (open)",
        created_at="2026-11-26T05:00:00+00:00",
        **more,
    )
    state = base.state_dict()
    save_tuned(folder, {name: state[name] + 1 for name in names}, card)
    return folder


@pytest.mark.parametrize("given", ["folder", "file", "name"])
def test_a_tuned_checkpoint_loads_wherever_a_model_is_named(tmp_path, monkeypatch, given):
    folder = tuned(tmp_path / "glass")
    monkeypatch.chdir(tmp_path)
    path = {"folder": folder, "file": folder / "tuned.safetensors", "name": "glass"}[given]

    model = load_model(path)

    base = load_model("test-sam")
    assert torch.equal(model.state_dict()[PART], base.state_dict()[PART] + 1)
    assert model.card.title == "glass, test-sam fine-tuned (decoder)"
    assert model.card.licence.endswith("CC0-1.0 (open)")
    assert len(model.checkpoint_sha256) == 64
    assert model.checkpoint_sha256 != base.checkpoint_sha256


def test_only_what_changed_is_in_the_file(tmp_path):
    base = load_model("test-sam").state_dict()

    changed = changed_of({**base, PART: base[PART] + 1}, base)

    assert list(changed) == [PART]


def test_another_base_is_refused(tmp_path):
    folder = tuned(tmp_path / "glass", sha256="ab" * 32)

    with pytest.raises(CheckpointError, match="changes test-sam of SHA-256 abababababab, and the one here is"):
        load_model(folder)


def test_a_base_that_is_gone_is_named(tmp_path):
    save_file(load_model("test-sam").state_dict(), tmp_path / "base.safetensors")
    base = load_model(tmp_path / "base.safetensors")
    card = TunedCard(
        base=str(tmp_path / "base.safetensors"),
        base_sha256=base.checkpoint_sha256,
        parts="decoder",
        licence="",
        created_at="",
    )
    save_tuned(tmp_path / "glass", {PART: base.state_dict()[PART]}, card)
    assert load_model(tmp_path / "glass").checkpoint_sha256
    (tmp_path / "base.safetensors").unlink()

    with pytest.raises(CheckpointError, match=r"changes .*base\.safetensors, which is not here"):
        load_model(tmp_path / "glass")


def test_parameters_that_the_base_lacks_are_refused(tmp_path):
    folder = tuned(tmp_path / "glass")
    file = folder / "tuned.safetensors"
    save_tuned(folder, {"neck.weight": torch.zeros(3)}, TunedCard(**json.loads((folder / "card.json").read_text())))

    with pytest.raises(CheckpointError, match="none of that name for neck.weight"):
        load_model(file)


def test_a_damaged_file_is_told(tmp_path):
    folder = tuned(tmp_path / "glass")
    file = folder / "tuned.safetensors"
    file.write_bytes(file.read_bytes()[:60])

    with pytest.raises(CheckpointError, match="damaged"):
        load_model(folder)


def test_nan_is_never_written(tmp_path):
    card = TunedCard(base="test-sam", base_sha256="", parts="decoder", licence="", created_at="")

    with pytest.raises(CheckpointError, match="no number any more"):
        save_tuned(tmp_path / "glass", {PART: torch.full((1, 32), torch.nan)}, card)

    assert not (tmp_path / "glass").exists()


def test_embeddings_are_shared_as_long_as_the_encoder_stays(tmp_path):
    cache = EmbeddingCache()
    image = Image(torch.zeros(40, 60, 3, dtype=torch.uint8).numpy())
    embed(load_model("test-sam"), image, cache=cache)
    used = cache.used_bytes

    embed(load_model(tuned(tmp_path / "decoder")), image, cache=cache)
    assert cache.used_bytes == used

    embed(load_model(tuned(tmp_path / "encoder", names=("image_encoder.pos_embed",))), image, cache=cache)
    assert cache.used_bytes == 2 * used


def test_a_diff_names_the_parts_that_changed(tmp_path):
    folder = tuned(tmp_path / "glass", metrics={"after": {"box": 0.9}})

    found = diff_models("test-sam", str(folder))

    assert [part.part for part in found.parts if part.num_changed] == ["mask_decoder.iou_token"]
    assert found.shares_encoder
    assert not found.is_same
    assert found.metrics[1]["after"] == {"box": 0.9}
    assert diff_models("test-sam", "test-sam").is_same


def test_a_diff_wants_one_architecture():
    with pytest.raises(CheckpointError, match="two models of one architecture, got test-sam and tiny"):
        diff_models("test-sam", "tiny")


def test_the_card_lies_beside_the_file_too(tmp_path):
    folder = tuned(tmp_path / "glass", command="maskwright train masks/")

    assert json.loads(Path(folder / "card.json").read_text())["command"] == "maskwright train masks/"
