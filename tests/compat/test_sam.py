"""`Sam` and its parts as training scripts use them, and the registry."""

import copy
import io
from pathlib import Path

import pytest
import torch

from maskwright.compat import Sam, SamPredictor, build_sam, build_sam_vit_h, sam_model_registry
from maskwright.core.errors import CheckpointError, UnsupportedPrompt
from maskwright.models import build_model, load_model
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.sam.model import SamModel
from maskwright.models.test_sam.model import fill_with_fixed_weights
from maskwright.nn.two_way import TwoWayTransformer
from reference_sam import picture


def network() -> SamModel:
    model = load_model("test-sam")
    assert isinstance(model, SamModel)
    return model


def hq_network() -> HqSamModel:
    small = network()
    model = HqSamModel(
        card=small.card,
        frame=small.frame,
        image_encoder=small.image_encoder,
        prompt_encoder=small.prompt_encoder,
        mask_decoder=HqMaskDecoder(
            transformer=TwoWayTransformer(width=32, num_heads=4, mlp_width=64), early_width=32, width=32
        ),
    )
    fill_with_fixed_weights(model)
    return model.eval()


def decode_by_parts(sam: Sam, *, multimask: bool) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = sam.image_encoder(sam.preprocess(torch.full((1, 3, 128, 100), 90.0)))
    embedding, extra = encoded if isinstance(encoded, tuple) else (encoded, ())
    points = torch.tensor([[[30.0, 40.0]], [[70.0, 90.0]]])
    sparse, dense = sam.prompt_encoder(points=(points, torch.ones(2, 1)), boxes=None, masks=None)
    return sam.mask_decoder(
        image_embeddings=embedding,
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
        **({"interm_embeddings": extra, "hq_token_only": False} if extra else {}),
    )


def test_names_of_parameters_are_those_of_the_checkpoint() -> None:
    model = network()
    sam = Sam(model)

    assert list(sam.state_dict()) == list(model.state_dict())
    assert [name for name, _ in sam.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert list(sam.mask_decoder.state_dict()) == list(model.mask_decoder.state_dict())


def test_loading_a_state_dict_changes_the_network_behind() -> None:
    sam = Sam(network())
    changed = {name: value + 1 for name, value in sam.state_dict().items()}

    sam.load_state_dict(changed)

    assert all(torch.equal(value, changed[name]) for name, value in sam.network.state_dict().items())


@pytest.mark.parametrize("multimask", [True, False])
@pytest.mark.parametrize("make", [network, hq_network])
def test_calling_the_parts_gives_what_forward_gives(make, multimask: bool) -> None:
    sam = Sam(make())
    points = torch.tensor([[[30.0, 40.0]], [[70.0, 90.0]]])
    record = {
        "image": torch.full((3, 128, 100), 90.0),
        "original_size": (64, 50),
        "point_coords": points,
        "point_labels": torch.ones(2, 1),
    }

    (whole,) = sam([record], multimask_output=multimask)
    logits, predicted_iou = decode_by_parts(sam, multimask=multimask)

    torch.testing.assert_close(whole["low_res_logits"], logits.detach(), atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(whole["iou_predictions"], predicted_iou.detach())
    assert torch.equal(whole["masks"], sam.postprocess_masks(whole["low_res_logits"], (128, 100), (64, 50)) > 0)


def test_gradients_flow_through_the_parts_and_stop_where_they_are_frozen() -> None:
    sam = Sam(network())
    for parameter in sam.prompt_encoder.parameters():
        parameter.requires_grad = False

    decode_by_parts(sam, multimask=False)[0].sum().backward()

    assert all(parameter.grad is None for parameter in sam.network.prompt_encoder.parameters())
    assert sam.network.mask_decoder.mask_tokens.weight.grad is not None
    assert sam.network.image_encoder.pos_embed.grad is not None


def test_attributes_are_those_that_scripts_read() -> None:
    sam = Sam(network()).eval().to(device="cpu")

    assert sam.image_encoder.img_size == 128
    assert sam.prompt_encoder.embed_dim == 32
    assert sam.prompt_encoder.image_embedding_size == (8, 8)
    assert sam.device == torch.device("cpu")
    assert (sam.mask_threshold, sam.image_format) == (0.0, "RGB")
    assert sam.pixel_mean.shape == sam.pixel_std.shape == (3, 1, 1)
    assert not sam.training
    assert not sam.network.training


def test_training_mode_reaches_the_network() -> None:
    sam = Sam(network()).train()

    assert sam.network.training
    assert not sam.eval().network.mask_decoder.training


def test_a_model_can_be_copied_and_pickled() -> None:
    sam = Sam(network())
    file = io.BytesIO()

    torch.save(sam, file)
    file.seek(0)
    for twin in (copy.deepcopy(sam), torch.load(file, weights_only=False)):
        twin.mask_threshold = 3.0
        assert twin.image_encoder.img_size == 128
        assert sam.mask_threshold == 0.0


def test_the_hq_token_alone_gives_another_mask_and_is_off_afterwards() -> None:
    model = hq_network()
    predictor = SamPredictor(Sam(model))
    predictor.set_image(picture((80, 100)))
    box = torch.tensor([10, 10, 60, 50]).numpy()

    both = predictor.predict(box=box, multimask_output=False)[2]
    alone = predictor.predict(box=box, multimask_output=False, hq_token_only=True)[2]

    assert both.shape == alone.shape == (1, 32, 32)
    assert abs(both - alone).max() > 1
    assert model.hq_token_only is False


def test_tiny_has_no_place_in_metas_decoder_call_and_says_what_to_use() -> None:
    sam = Sam(build_model("tiny"))
    grid = sam.prompt_encoder.image_embedding_size
    width = sam.prompt_encoder.embed_dim

    with pytest.raises(UnsupportedPrompt, match="Use SamPredictor"):
        sam.mask_decoder(torch.zeros(1, width, *grid), torch.zeros(1, width, *grid), None, None, False)


def test_the_registry_has_metas_mobile_sams_and_hq_sams_names() -> None:
    names = "default vit_h vit_l vit_b vit_t hq_vit_h hq_vit_l hq_vit_b hq_vit_tiny tiny"

    assert set(sam_model_registry) == set(names.split())
    assert build_sam is build_sam_vit_h is sam_model_registry["default"]


def test_a_model_without_a_checkpoint_takes_a_state_dict() -> None:
    sam = sam_model_registry["vit_t"]()

    assert not sam.training
    assert sam.network.card.name == "vit_t"
    assert "matched" in str(sam.load_state_dict(sam.state_dict()))


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(network().state_dict(), path)

    with pytest.raises(CheckpointError, match=r"expected a checkpoint of vit_t, got one of test-sam"):
        sam_model_registry["vit_t"](checkpoint=str(path))


def test_a_checkpoint_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mobile_sam.pt"
    state = build_model("vit_t").state_dict()
    torch.save(state, path)

    sam = sam_model_registry["vit_t"](checkpoint=str(path))

    assert all(torch.equal(value, state[name]) for name, value in sam.state_dict().items())
    assert len(sam.network.checkpoint_sha256) == 64
