"""`ModelContract`: what every `Model` must do, as tests to inherit.

    class TestMine(ModelContract):
        @classmethod
        def make_model(cls):
            return load_model("mine")

Decoding tests share one encoding, so that a heavy encoder runs few times. Tolerances are relative to the largest value
and allow for sums in another order, nothing else.
"""

import io
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from maskwright.models.protocol import Decoded, Features, FramePrompts, Model
from maskwright.models.sam.draft import in_cells, take_cells


class ModelContract:
    """Inherit, override `make_model`."""

    tolerance = 2e-5

    @classmethod
    def make_model(cls) -> Model:
        """Make the model under test, in eval mode."""
        raise NotImplementedError("override make_model")

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Model:
        """The model under test."""
        return cls.make_model()

    @pytest.fixture(scope="class")
    @classmethod
    def pixels(cls, model: Model) -> Tensor:
        """Two normalised frames."""
        generator = torch.Generator().manual_seed(0)
        side = model.frame.side
        coarse = torch.randn(2, 3, side // 16, side // 16, generator=generator)
        return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").to(model.device)

    @pytest.fixture(scope="class")
    @classmethod
    def features(cls, model: Model, pixels: Tensor) -> Features:
        """The features of the first frame."""
        with torch.no_grad():
            return model.encode(pixels[:1])

    @pytest.fixture(scope="class")
    @classmethod
    def prompts(cls, model: Model) -> FramePrompts:
        """Eleven prompts, more than one step of any decoder: clicks with a padding point, and boxes."""
        generator = torch.Generator().manual_seed(1)
        points = torch.rand(11, 2, 2, generator=generator).sort(dim=1).values * model.frame.side
        labels = torch.tensor([[1, -1], [2, 3], [0, -1], [1, 1]]).repeat(3, 1)[:11]
        return FramePrompts(points=points.to(model.device), labels=labels.to(model.device))

    def test_the_card_and_the_frame_agree(self, model: Model) -> None:
        assert model.card.input_side == model.frame.side
        assert model.checkpoint_sha256 == "" or len(model.checkpoint_sha256) == 64
        assert isinstance(model, Model)

    def test_features_are_finite_and_in_float32_on_the_models_device(self, model: Model, features: Features) -> None:
        assert features.num_images == 1
        for tensor in (features.image_embedding, *features.extra):
            assert tensor.dtype == torch.float32
            assert tensor.device == model.device
            assert bool(torch.isfinite(tensor).all())

    def test_a_batch_of_images_encodes_as_each_alone(self, model: Model, pixels: Tensor, features: Features) -> None:
        with torch.no_grad():
            both = model.encode(pixels)

        assert both.num_images == 2
        self.assert_close(both[0].image_embedding, features.image_embedding)
        for together, alone in zip(both[0].extra, features.extra, strict=True):
            self.assert_close(together, alone)
        assert not torch.equal(both[0].image_embedding, both[1].image_embedding)

    def test_encoding_leaves_its_input_alone_and_repeats_exactly(
        self, model: Model, pixels: Tensor, features: Features
    ) -> None:
        before = pixels.clone()

        with torch.no_grad():
            again = model.encode(pixels[:1])

        assert torch.equal(pixels, before)
        assert torch.equal(again.image_embedding, features.image_embedding)

    def test_training_decodes_prompts_on_several_images_and_reaches_the_decoder(
        self, model: Model, pixels: Tensor, prompts: FramePrompts
    ) -> None:
        training: Any = model
        with torch.no_grad():
            both = model.encode(pixels)
        index = torch.tensor([0, 1], device=model.device)

        decoded = training.decode_training(both, index, prompts[:2])

        alone = training.decode_training(both[1], torch.zeros_like(index[:1]), prompts[1:2])
        self.assert_close(decoded.logits[1:].detach(), alone.logits.detach())
        assert decoded.logits.shape[1] == decoded.predicted_iou.shape[1] == 4
        (gradient,) = torch.autograd.grad(
            decoded.logits.square().mean() + decoded.predicted_iou.mean(), [training.mask_decoder.mask_tokens.weight]
        )
        assert bool(gradient.any())

    def test_a_draft_draws_in_part_what_it_draws_in_whole(
        self, model: Model, pixels: Tensor, prompts: FramePrompts
    ) -> None:
        training: Any = model
        index = torch.tensor([1, 0], device=model.device)
        chosen = torch.tensor([[3, 0, 7], [5, 6, 1]], device=model.device)

        with torch.no_grad():
            draft = training.draft(model.encode(pixels), index, prompts[:2])
            whole = draft.draw_all()

            self.assert_close(draft.draw_cells(chosen), take_cells(in_cells(whole), chosen))
            self.assert_close(draft.draw_one(torch.tensor([2, 0], device=model.device))[0], whole[0, 2])

    @pytest.mark.parametrize("multimask", [False, True])
    def test_decoding_gives_logits_of_the_frame_and_one_score_each(
        self, model: Model, features: Features, prompts: FramePrompts, multimask: bool
    ) -> None:
        decoded = self.decode(model, features, prompts, multimask=multimask)

        num_masks = model.num_candidates if multimask else 1
        side = model.frame.logits_side
        assert decoded.logits.shape == (11, num_masks, side, side)
        assert decoded.predicted_iou.shape == (11, num_masks)
        assert decoded.logits.device == model.device
        assert bool(torch.isfinite(decoded.logits).all())

    @pytest.mark.parametrize("multimask", [False, True])
    def test_many_prompts_decode_as_each_alone(
        self, model: Model, features: Features, prompts: FramePrompts, multimask: bool
    ) -> None:
        together = self.decode(model, features, prompts, multimask=multimask)

        for i in (0, 1, 2, 10):
            alone = self.decode(model, features, prompts[i : i + 1], multimask=multimask)
            self.assert_close(together.logits[i : i + 1], alone.logits)
            self.assert_scores_close(together.predicted_iou[i : i + 1], alone.predicted_iou)

    def test_prompts_with_their_own_masks_decode_as_each_alone(
        self, model: Model, features: Features, prompts: FramePrompts
    ) -> None:
        previous = self.decode(model, features, prompts, multimask=False).logits
        refining = FramePrompts(points=prompts.points, labels=prompts.labels, mask_logits=previous)

        together = self.decode(model, features, refining, multimask=False)

        for i in (0, 1, 10):
            alone = self.decode(model, features, refining[i : i + 1], multimask=False)
            self.assert_close(together.logits[i : i + 1], alone.logits)
        assert not torch.allclose(together.logits, previous)

    @pytest.mark.parametrize("multimask", [False, True])
    def test_prompts_on_images_of_their_own_decode_as_each_alone(
        self, model: Model, pixels: Tensor, prompts: FramePrompts, multimask: bool
    ) -> None:
        with torch.no_grad():
            both = model.encode(pixels)
        owner = [i % 2 for i in range(prompts.num_prompts)]

        together = self.decode(model, Features.side_by_side([both[i] for i in owner]), prompts, multimask=multimask)

        for i in (0, 1, 9, 10):
            alone = self.decode(model, both[owner[i]], prompts[i : i + 1], multimask=multimask)
            self.assert_close(together.logits[i : i + 1], alone.logits)
            self.assert_scores_close(together.predicted_iou[i : i + 1], alone.predicted_iou)

    def test_a_mask_without_points_is_a_prompt(self, model: Model, features: Features) -> None:
        side = model.frame.logits_side
        nothing = FramePrompts(
            points=torch.zeros(1, 0, 2, device=model.device),
            labels=torch.zeros(1, 0, dtype=torch.long, device=model.device),
            mask_logits=torch.linspace(-5, 5, side * side, device=model.device).view(1, 1, side, side),
        )

        decoded = self.decode(model, features, nothing, multimask=False)

        assert bool(torch.isfinite(decoded.logits).all())

    def test_where_a_padding_point_lies_does_not_matter(
        self, model: Model, features: Features, prompts: FramePrompts
    ) -> None:
        moved = prompts.points.clone()
        moved[prompts.labels == -1] = 7.0

        here = self.decode(model, features, prompts, multimask=True)
        there = self.decode(model, features, FramePrompts(points=moved, labels=prompts.labels), multimask=True)

        assert torch.equal(here.logits, there.logits)

    def test_drawing_some_masks_gives_those_of_drawing_all(
        self, model: Model, features: Features, prompts: FramePrompts
    ) -> None:
        everything = self.decode(model, features, prompts, multimask=True)
        threshold = everything.predicted_iou.median()

        with torch.no_grad():
            some = model.decode_some(features, prompts, keep=lambda scores: scores > threshold)

        rows, candidates = (everything.predicted_iou > threshold).nonzero(as_tuple=True)
        assert torch.equal(some.prompt_index, rows)
        assert torch.equal(some.mask_index, candidates)
        self.assert_close(some.logits, everything.logits[rows, candidates])
        self.assert_scores_close(some.predicted_iou, everything.predicted_iou[rows, candidates])
        assert some.agreement.shape == rows.shape
        if model.num_candidates == 1:
            assert some.agreement.isnan().all()
        else:
            assert ((some.agreement >= 0) & (some.agreement <= 1)).all()

    def test_drawing_no_mask_gives_empty_tensors(self, model: Model, features: Features, prompts: FramePrompts) -> None:
        with torch.no_grad():
            none = model.decode_some(features, prompts, keep=lambda scores: scores > scores.max())

        side = model.frame.logits_side
        assert none.logits.shape == (0, side, side)
        assert (
            none.predicted_iou.shape == none.prompt_index.shape == none.mask_index.shape == none.agreement.shape == (0,)
        )

    def test_decoding_leaves_features_alone(self, model: Model, features: Features, prompts: FramePrompts) -> None:
        before = features.image_embedding.clone()

        first = self.decode(model, features, prompts, multimask=True)
        second = self.decode(model, features, prompts, multimask=True)

        assert torch.equal(features.image_embedding, before)
        assert torch.equal(first.logits, second.logits)

    def test_a_state_dict_that_was_saved_and_loaded_decodes_the_same(
        self, model: Any, features: Features, prompts: FramePrompts
    ) -> None:
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        file.seek(0)
        other = deepcopy(model)
        for parameter in other.mask_decoder.parameters():
            torch.nn.init.zeros_(parameter)

        other.load_state_dict(torch.load(file, weights_only=True), strict=True)

        expected = self.decode(model, features, prompts, multimask=True)
        assert torch.equal(self.decode(other, features, prompts, multimask=True).logits, expected.logits)

    def decode(self, model: Model, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode without gradients."""
        with torch.no_grad():
            return model.decode(features, prompts, multimask=multimask)

    def assert_close(self, got: Tensor, expected: Tensor) -> None:
        """Compare relative to the largest expected value."""
        torch.testing.assert_close(got, expected, rtol=0.0, atol=self.tolerance * float(expected.abs().max()))

    def assert_scores_close(self, got: Tensor, expected: Tensor) -> None:
        """Compare predicted IoUs, which go from 0 to 1: of one near 0 the last digit is no more than of another."""
        torch.testing.assert_close(got, expected, rtol=0.0, atol=self.tolerance)


__all__ = ["ModelContract"]
