import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from maskwright.core import BoxPrompt, Image
from maskwright.core.errors import CheckpointError, ModelError, UnknownModel, WeightsMissing
from maskwright.models import find_card, list_models, load_model, load_video_model
from maskwright.models.transformers_video.building import build_network
from maskwright.models.transformers_video.cards import VIDEO_CARDS
from maskwright.models.transformers_video.families import SAM2
from maskwright.models.transformers_video.loading import names_video_model
from maskwright.models.transformers_video.presets import sam2_config
from maskwright.models.video_protocol import VideoModel
from maskwright.models.weights import import_file
from maskwright.predict.tracking.memory_tracker import MemoryTracker
from tiny_video_models import FAMILIES, tiny_config, tiny_network

transformers = pytest.importorskip(
    "transformers", reason="video models need the extra: pip install 'maskwright[transformers]'"
)


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of a tiny SAM 2, as transformers keeps it."""
    tiny_network("sam2_video").save_pretrained(tmp_path)
    return tmp_path


def change_weights(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def first_mask(model):
    pixels = np.random.default_rng(3).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return MemoryTracker(model).step(Image(pixels), {"mug": BoxPrompt((5, 5, 40, 30))})["mug"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_is_loaded_with_all_its_parameters(tmp_path, family):
    network = tiny_network(family)
    network.save_pretrained(tmp_path)

    model = load_video_model(tmp_path)

    assert isinstance(model, VideoModel)
    assert model.card.family == family
    assert model.checkpoint_sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert model.card.num_parameters == sum(parameter.numel() for parameter in network.parameters())
    loaded = model._network.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())


def test_a_checkpoint_in_parts_is_the_same_model(folder, tmp_path):
    whole = load_video_model(folder)
    parts = tmp_path / "parts"
    whole._network.save_pretrained(parts, max_shard_size="2MB")
    assert len(list(parts.glob("*.safetensors"))) > 1

    model = load_video_model(parts)

    assert first_mask(model) == first_mask(whole)
    assert model.checkpoint_sha256 != whole.checkpoint_sha256


def test_sam_3_as_it_is_published_gives_its_tracker(tmp_path):
    network = tiny_network("sam3_tracker_video")
    network.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam3_video", "tracker_config": config}))
    change_weights(tmp_path, as_published)

    model = load_video_model(tmp_path)

    assert "SAM License" in model.card.licence
    assert model.frame.mean == (127.5, 127.5, 127.5)
    loaded = model._network.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())


def as_published(state):
    """SAM 3's file: the encoder is the detector's, the neck stands alone, the rest is the tracker's."""
    renamed = {"detector_model.text_encoder.weight": torch.zeros(3)}
    for name, value in state.items():
        if name.startswith("vision_encoder.backbone."):
            renamed["detector_model." + name] = value
        elif name.startswith("vision_encoder.neck."):
            renamed[name.replace("vision_encoder.neck.", "tracker_neck.")] = value
        else:
            renamed["tracker_model." + name] = value
    return renamed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("preprocessor_config.json", {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}),
        (
            "processor_config.json",
            {"video_processor": {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}, "target_size": 128},
        ),
    ],
)
def test_the_settings_of_a_checkpoint_say_how_pictures_are_normalised(folder, name, content):
    (folder / name).write_text(json.dumps(content))

    frame = load_video_model(folder).frame

    assert frame.mean == pytest.approx((127.5, 102, 76.5))
    assert frame.std == pytest.approx((51, 51, 51))
    assert (frame.side, frame.logits_side) == (128, 32)


def test_a_file_with_its_configuration_gives_the_same_network_as_a_folder(folder):
    state = load_file(folder / "model.safetensors")

    network = build_network(SAM2, folder, state, config=tiny_config("sam2_video"), state_dict=state)

    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items() if name in state)


@pytest.mark.parametrize("card", VIDEO_CARDS, ids=lambda card: card.name)
def test_cards_count_the_parameters_that_networks_have(card):
    with torch.device("meta"):
        network = transformers.Sam2VideoModel(sam2_config(card))

    assert sum(parameter.numel() for parameter in network.parameters()) == card.num_parameters
    assert network.config.image_size == card.input_side


def test_video_models_are_listed_and_have_cards():
    card = find_card("sam2.1_hiera_tiny")

    assert card in list_models()
    assert card.follows_objects
    assert card.licence == "Apache-2.0"
    assert card.source_url == "https://huggingface.co/facebook/sam2.1-hiera-tiny/resolve/main/model.safetensors"


def test_what_names_a_video_model(folder, tmp_path):
    assert names_video_model("sam2_hiera_large")
    assert names_video_model(folder)
    assert not names_video_model("tiny")
    assert not names_video_model(tmp_path / "no such folder")


def test_absent_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path))

    with pytest.raises(WeightsMissing) as caught:
        load_video_model("sam2.1_hiera_small")

    message = str(caught.value)
    assert "maskwright models pull sam2.1_hiera_small" in message
    assert "https://huggingface.co/facebook/sam2.1-hiera-small/resolve/main/model.safetensors" in message
    assert f"put it into {tmp_path} as sam2.1_hiera_small.safetensors" in message


def test_a_video_model_takes_no_single_pictures():
    with pytest.raises(UnknownModel, match=r"^sam2_hiera_tiny follows objects through video and takes no single"):
        load_model("sam2_hiera_tiny")


def test_a_name_that_is_none_lists_those_that_are():
    with pytest.raises(UnknownModel, match=r"no video model is called so.* By name: sam2\.1_hiera_tiny, .*: sam9$"):
        load_video_model("sam9")


def test_a_file_that_is_not_the_model_is_not_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path / "weights"))
    save_file({"some.weight": torch.zeros(2)}, tmp_path / "other.safetensors")

    with pytest.raises(CheckpointError, match=r"the parameters are not those of SAM 2: \d+ missing \("):
        import_file(tmp_path / "other.safetensors", "sam2.1_hiera_tiny")

    assert not list((tmp_path / "weights").glob("*"))


def test_transformers_that_is_absent_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(
        ModelError, match=r"which is not installed\. Install it: pip install 'maskwright\[transformers\]'"
    ):
        load_video_model(folder)


def test_edgetams_own_encoder_says_that_it_needs_timm(tmp_path):
    try:
        import timm  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("timm is installed, so nothing is lacking")
    kept = {"model_type": "edgetam_video", "vision_config": {"model_type": "edgetam_vision_model"}}
    kept["vision_config"]["backbone_config"] = {"model_type": "timm_wrapper", "architecture": "repvit_m1"}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    save_file({"some.weight": torch.zeros(2)}, tmp_path / "model.safetensors")

    with pytest.raises(ModelError, match=r"^EdgeTAM also needs timm, which needs a torchvision that fits"):
        load_video_model(tmp_path)


def drop_one(state):
    del state["memory_attention.layers.0.linear1.weight"]
    return state


def add_one(state):
    return state | {"memory_attention.layers.7.linear1.weight": torch.zeros(3)}


def reshape_one(state):
    return state | {"no_memory_embedding": torch.zeros(1, 1, 7)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop_one, r"1 missing \(memory_attention\.layers\.0\.linear1\.weight\): "),
        (add_one, r"1 unexpected \(memory_attention\.layers\.7\.linear1\.weight\): "),
        (reshape_one, r"1 of another shape \(no_memory_embedding\): "),
    ],
)
def test_parameters_that_do_not_agree_are_refused_by_name(folder, change, says):
    change_weights(folder, change)

    with pytest.raises(CheckpointError, match="the parameters are not those of SAM 2: " + says):
        load_video_model(folder)


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def make_pickles(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def lose_a_part(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


BROKEN = {
    "cut": (cut, CheckpointError, r"SAM 2 cannot be loaded from this checkpoint \(.*\): "),
    "pickles": (make_pickles, WeightsMissing, r"expected model\.safetensors beside config\.json, got none\. .*Pickles"),
    "part lost": (lose_a_part, WeightsMissing, r"the checkpoint lacks model-00001-of-00002\.safetensors\. Fetch it"),
    "config broken": (
        lambda folder: (folder / "config.json").write_text("{"),
        CheckpointError,
        r"a file of the checkpoint cannot be read \(.*config\.json$",
    ),
    "config of another kind": (
        lambda folder: (folder / "config.json").write_text('{"model_type": "sam"}'),
        CheckpointError,
        r"expected a video model \(sam2_video, .*\), got model_type 'sam'\. Checkpoints for single pictures",
    ),
    "config of nonsense": (
        lambda folder: (folder / "config.json").write_text('{"model_type": "sam2_video", "image_size": "large"}'),
        CheckpointError,
        r"SAM 2 cannot be loaded from this checkpoint \(",
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), CheckpointError, r"with a config\.json, got none"),
    "mean of nonsense": (
        lambda folder: (folder / "preprocessor_config.json").write_text('{"image_mean": 1, "image_std": [1, 1, 1]}'),
        CheckpointError,
        r"mean and deviation must be three numbers, got 1: ",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_folder_is_one_line_that_says_what_is_wrong(folder, how):
    damage, error, says = BROKEN[how]
    damage(folder)

    with pytest.raises(error, match=says) as caught:
        load_video_model(folder)

    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_loading_writes_nothing_to_the_terminal(folder, capfd):
    load_video_model(folder)

    assert capfd.readouterr() == ("", "")
