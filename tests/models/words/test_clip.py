"""CLIP as the reader of words: transformers' own class with random weights, saved and loaded from a folder."""

import json
import shutil

import pytest
import torch

from maskwright.core import Image, TextPrompt
from maskwright.core.errors import CheckpointError, PromptError, WeightsMissing
from maskwright.models import load_model
from maskwright.models.words.clip import ClipText, clip_sha256, usual_clip
from maskwright.models.words.speaking import Words, give_words
from maskwright.predict.embedding import embed
from maskwright.predict.predict import predict

transformers = pytest.importorskip("transformers", reason="pip install 'maskwright[transformers]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"))


def write_clip(path, *, width=512):
    letters = [chr(i) for i in range(97, 123)]
    tokens = [*letters, *(f"{one}</w>" for one in letters), "mu", "mug</w>", "<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (path / "merges.txt").write_text("#version: 0.2\nm u\nmu g</w>\n")
    transformers.CLIPTokenizer(str(path / "vocab.json"), str(path / "merges.txt")).save_pretrained(path)
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1,
    )
    torch.manual_seed(0)
    transformers.CLIPTextModelWithProjection(config).save_pretrained(path)
    return path


def padded(*rows):
    longest = max(map(len, rows))
    return torch.tensor([(*row, *[-1] * (longest - len(row))) for row in rows])


def test_a_phrase_is_what_transformers_makes_of_it(folder):
    clip = ClipText(str(folder))
    tokens = clip.numbers("a mug")
    network = transformers.CLIPTextModelWithProjection.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = network(
            **transformers.CLIPTokenizer.from_pretrained(folder)("a mug", return_tensors="pt")
        ).text_embeds

    vectors = clip.vectors(padded(clip.numbers("a red mug"), tokens))

    assert clip.width == 512
    assert torch.allclose(vectors[1], expected[0] / expected[0].norm(), atol=1e-6)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2))


def test_any_words_are_understood_and_the_frozen_part_is_not_in_the_weights(folder):
    model = give_words(load_model("test-sam"), Words(vocabulary=("mug",), encoder=str(folder)))
    image = Image(torch.zeros(64, 64, 3, dtype=torch.uint8).numpy())

    batch = predict(model, embed(model, image), [TextPrompt("what you like"), TextPrompt("mug")])

    assert batch.logits.isfinite().all()
    assert not any("clip" in name or "table" in name for name in model.state_dict())


def test_a_whole_clip_serves_by_its_text_half(folder, tmp_path):
    whole = shutil.copytree(folder, tmp_path / "whole")
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = json.loads((folder / "config.json").read_text())
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=512)
    transformers.CLIPModel(config).save_pretrained(whole)

    clip = ClipText(str(whole))

    assert clip.vectors(padded(clip.numbers("mug"))).shape == (1, 512)


def test_a_phrase_that_is_too_long_is_told(folder):
    with pytest.raises(PromptError, match="CLIP reads at most 14 tokens, got 20"):
        ClipText(str(folder)).numbers("z " * 20)


def test_other_weights_than_those_of_the_card_are_refused(folder):
    clip = ClipText(str(folder), sha256="0" * 64)

    with pytest.raises(
        CheckpointError, match=r"a text encoder of SHA-256 000000000000, and the one here is [0-9a-f]{12}"
    ):
        clip.numbers("mug")
    assert ClipText(str(folder), sha256=clip_sha256(folder)).numbers("mug")


def test_a_clip_that_is_not_here_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(WeightsMissing, match="not on this machine.*hf download somebody/some-clip"):
        ClipText("somebody/some-clip")
    assert usual_clip() is None


def test_damaged_folders_are_told_in_a_line(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"expected a CLIP with a config\.json"):
        ClipText(str(tmp_path / "empty"))
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="expected a CLIP text model, got model_type 'bert'"):
        ClipText(str(other))
    cut = shutil.copytree(folder, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="the text encoder cannot be loaded"):
        ClipText(str(cut)).numbers("mug")
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"expected model\.safetensors"):
        ClipText(str(bare)).numbers("mug")
