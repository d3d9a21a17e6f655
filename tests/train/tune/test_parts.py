"""Each part that can learn changes what it says and nothing else, and gives a checkpoint that loads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from maskwright.core.errors import SettingError
from maskwright.models import load_model
from maskwright.models.cards import HQ_VIT_B
from maskwright.models.frame import FrameSpec
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.protocol import FramePrompts
from maskwright.models.sam.image_encoder import ViTEncoder
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.presets import TinyConfig, build_tiny_network
from maskwright.models.tuned import TunedCard, apply_changed, changed_of, keeps_encoder, read_changed, save_tuned
from maskwright.nn.two_way import TwoWayTransformer
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.keeping import elsewhere
from maskwright.train.tune.parts import choose_learning, merged_state
from maskwright.train.tune.samples import Samples, batch_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import make_tuner

DECODERS = {"mask_decoder", "corrector.mask_decoder"}
PROMPTS = {"prompt_encoder", "corrector.prompt_encoder"}
HQ = {"mask_decoder.hf_token", "mask_decoder.hf_mlp", "mask_decoder.embedding_maskfeature"}
BOXES = {
    "prompt_encoder.point_embeddings.2",
    "prompt_encoder.point_embeddings.3",
    "mask_decoder.output_hypernetworks_mlps.0",
}
ATTENTION = ("qkv.weight", "attn.proj.weight")


def small_tiny():
    """`tiny`'s shape with random weights, words and a decoder for corrections included."""
    torch.manual_seed(0)
    config = TinyConfig(
        trunk="lite0", side=64, width=32, context_width=32, context_depth=1, embedding_depth=1, skip_widths=(16, 8),
        decoder_mlp_width=32, has_corrector=True, has_text=True,
    )  # fmt: skip
    return build_tiny_network(config=config)


def small_hq():
    """HQ-SAM's shape with random weights."""
    torch.manual_seed(0)
    encoder = ViTEncoder(
        side=128, width=48, depth=3, num_heads=2, global_blocks=(1, 2), window=5, patch=16, out_channels=32
    )
    decoder = HqMaskDecoder(transformer=TwoWayTransformer(width=32, mlp_width=64), early_width=48, width=32)
    model = HqSamModel(
        card=replace(HQ_VIT_B, input_side=128),
        frame=FrameSpec(side=128, logits_side=32),
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(side=128, grid=8, width=32),
        mask_decoder=decoder,
    )
    torch.nn.init.normal_(encoder.pos_embed, std=0.1)
    return model.eval()


MODELS = {"test-sam": lambda: load_model("test-sam"), "tiny": small_tiny, "hq": small_hq}


def taught(model, recipe, squares, folder):
    """Learn from three batches of which the second and third correct; returns the network's plain state."""
    cache = None if recipe.trains_encoder else FeatureCache(folder, model)
    drawn = Samples(squares[:6], recipe, crops=0).epoch(0)
    if cache is not None:
        cache.fill(model, [one.view for one in drawn])
    tuner = make_tuner(model, recipe, num_steps=4)
    for seed in range(3):
        batch = batch_of(drawn[:3], model.frame, "cpu")
        assert batch is not None
        tune_step(tuner, cache, batch, seed, at=None)
    return {name: tensor.clone() for name, tensor in merged_state(tuner.model).items()}


def owners(names, parts):
    """Which of some parts names belong to; a name that belongs to none is its own."""
    return {next((part for part in parts if name.startswith(part + ".")), name) for name in names}


@pytest.mark.parametrize(
    ("kind", "parts", "expected"),
    [
        ("test-sam", "decoder", {"mask_decoder"}),
        ("test-sam", "prompts", {"prompt_encoder"}),
        ("test-sam", "decoder+prompts", {"mask_decoder", "prompt_encoder"}),
        ("test-sam", "boxes", BOXES),
        ("test-sam", "encoder", {"image_encoder"}),
        ("test-sam", "full", {"image_encoder", "mask_decoder", "prompt_encoder"}),
        ("tiny", "decoder", DECODERS),
        ("tiny", "decoder+prompts", DECODERS | PROMPTS),
        ("tiny", "boxes", BOXES),
        ("tiny", "encoder", {"image_encoder"}),
        ("tiny", "full", DECODERS | PROMPTS | {"image_encoder"}),
        ("hq", "hq", HQ),
        ("hq", "decoder", {"mask_decoder"}),
        ("hq", "full", {"image_encoder", "mask_decoder", "prompt_encoder"}),
    ],
)
def test_a_part_changes_what_it_says_and_its_checkpoint_gives_it_back(kind, parts, expected, squares, quick, tmp_path):
    recipe = replace(quick, parts=parts, mirror=0, keep=0.0)
    base = MODELS[kind]()

    state = taught(MODELS[kind](), recipe, squares, tmp_path)
    changed = changed_of(state, base.state_dict())
    card = TunedCard(base=kind, base_sha256=base.checkpoint_sha256, parts=parts, licence="", created_at="")
    file = save_tuned(tmp_path / "checkpoint", changed, card)

    assert owners(changed, expected) == expected
    assert keeps_encoder(changed) != recipe.trains_encoder
    loaded = load_model(file) if kind == "test-sam" else base
    apply_changed(loaded, read_changed(file), file)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())


def test_boxes_that_learn_alone_leave_clicks_and_corrections_as_they_were_to_the_bit(squares, quick, tmp_path):
    recipe = replace(quick, parts="boxes", mirror=0, corrections=2)
    base, model = small_tiny(), small_tiny()
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))

    model.load_state_dict(taught(model, recipe, squares, tmp_path))

    def answers(model, points, labels, *, multimask, earlier=None):
        prompts = FramePrompts(
            points=torch.tensor([points], dtype=torch.float32), labels=torch.tensor([labels]), mask_logits=earlier
        )
        with torch.no_grad():
            return model.decode(model.encode(pixels), prompts, multimask=multimask).logits

    click = {"points": [[30, 30], [0, 0]], "labels": [1, -1], "multimask": True}
    assert torch.equal(answers(model, **click), answers(base, **click))
    earlier = answers(base, **click)[:, :1]
    corrected = {"points": [[30, 30], [40, 10]], "labels": [1, 0], "multimask": False, "earlier": earlier}
    assert torch.equal(answers(model, **corrected), answers(base, **corrected))
    box = {"points": [[10, 10], [50, 50]], "labels": [2, 3], "multimask": False}
    assert not torch.equal(answers(model, **box), answers(base, **box))


def test_boxes_alone_are_asked_of_general_pictures_too(squares, quick, tmp_path):
    recipe = replace(quick, parts="boxes", mirror=0)
    model = load_model("test-sam")
    samples = Samples(squares[:6], recipe, crops=0, general=squares[6:8])
    cache = FeatureCache(tmp_path, model)
    cache.fill(model, samples.views())
    tuner = make_tuner(model, recipe, num_steps=4, base_features=cache)
    batch = batch_of(samples.epoch(0)[:4], model.frame, "cpu")
    assert batch is not None

    for seed in range(4):
        rng = np.random.default_rng(seed)
        at = elsewhere(samples.general_views(rng, 3), model.frame, rng, "cpu")
        measured = tune_step(tuner, cache, batch, seed, at=at)

        assert "iou_box" in measured
        assert "iou_turn1" not in measured
        assert float(measured["kept"]) > 0 or seed == 0  # the base is no way from itself


@pytest.mark.parametrize("kind", MODELS)
def test_low_ranks_change_attention_and_pointwise_convolutions_by_no_more_than_their_rank(
    kind, squares, quick, tmp_path
):
    recipe = replace(quick, parts="lora", lora_rank=2, mirror=0, keep=0.0)
    base = MODELS[kind]().state_dict()

    state = taught(MODELS[kind](), recipe, squares, tmp_path)

    changed = changed_of(state, base)
    assert state.keys() == base.keys()
    assert any(name.endswith(ATTENTION) for name in changed)
    assert kind != "tiny" or sum("trunk" in name for name in changed) > 30  # most of it is convolutions
    for name, tensor in changed.items():
        assert name.startswith("image_encoder.")
        assert name.endswith(ATTENTION) or tensor.shape[2:] == (1, 1), name
        assert torch.linalg.matrix_rank((tensor - base[name]).flatten(1), rtol=1e-3) <= 2, name


@pytest.mark.parametrize("kind", MODELS)
def test_a_part_that_a_model_lacks_is_told_with_how_to_name_others(kind, quick):
    model = MODELS[kind]()
    missing = "text" if kind == "hq" else "hq"

    with pytest.raises(SettingError, match=rf"has no part that is called {missing}; choose others with --set parts="):
        choose_learning(model, replace(quick, parts=missing))
