"""An exported model does what every model does, whichever library runs it."""

import pytest
import torch

from maskwright.core.errors import UnsupportedPrompt
from maskwright.models import load_model
from maskwright.models.backends.export import export_model
from maskwright.testing.model_contract import ModelContract


class ExportedContract(ModelContract):
    """The contract without training, which exported models refuse."""

    def test_training_decodes_prompts_on_several_images_and_reaches_the_decoder(self, model, pixels, prompts):
        with pytest.raises(UnsupportedPrompt, match="is an exported model and cannot be trained. Train test-sam"):
            model.decode_training(model.encode(pixels), torch.tensor([0, 1]), prompts[:2])

    def test_a_draft_draws_in_part_what_it_draws_in_whole(self, model, pixels, prompts):
        with pytest.raises(UnsupportedPrompt, match="cannot be trained"):
            model.draft(model.encode(pixels), torch.tensor([1, 0]), prompts[:2])

    def test_a_state_dict_that_was_saved_and_loaded_decodes_the_same(self, model):
        assert not model.state_dict()

    def test_it_is_the_model_that_was_exported(self, model, features, prompts, pixels):
        plain = load_model("test-sam")

        with torch.no_grad():
            expected = plain.encode(pixels[:1])
            self.assert_close(features.image_embedding, expected.image_embedding)
            for multimask in (True, False):
                decoded = plain.decode(expected, prompts, multimask=multimask)
                self.assert_close(model.decode(features, prompts, multimask=multimask).logits, decoded.logits)
        assert model.checkpoint_sha256 == plain.checkpoint_sha256
        assert model.frame == plain.frame
        assert model.mask_threshold == plain.mask_threshold


class TestOnnxRuntime(ExportedContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, exported):
        return load_model(exported)


class TestOpenVino(ExportedContract):
    tolerance = 1e-4  # its sums are in another order: 1e-6 here, and more on other processors

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, exported):
        return load_model(exported, backend="openvino")


class TestTorchScript(ExportedContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory):
        path = tmp_path_factory.mktemp("scripted") / "test-sam.pt"
        export_model(load_model("test-sam"), path, to="torchscript")
        return load_model(path)
