"""Every family keeps the contract: at a small size of the same code, since full size is what the goldens are for."""

import torch

from maskwright.models import load_model
from maskwright.models.cards import HQ_VIT_B, HQ_VIT_TINY, VIT_T, ModelCard
from maskwright.models.frame import FrameSpec
from maskwright.models.hq_sam.mask_decoder import HqMaskDecoder
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.mobile_sam.tiny_vit import TinyViTConfig
from maskwright.models.sam.image_encoder import ViTEncoder
from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.test_sam.model import fill_with_fixed_weights
from maskwright.nn.two_way import TwoWayTransformer
from maskwright.testing.model_contract import ModelContract

SMALL = FrameSpec(side=224, logits_side=56)
SMALL_TINY_VIT = TinyViTConfig(
    side=224, widths=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 2, 4), out_channels=32, num_classes=5
)


def small(card: ModelCard, spec: FrameSpec) -> ModelCard:
    return ModelCard(
        name=card.name, family=card.family, title="small", licence="", input_side=spec.side, num_parameters=0
    )


def ready(model):
    fill_with_fixed_weights(model)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.abs_().add_(0.5)
    return model.eval()


class TestTestSam(ModelContract):
    @classmethod
    def make_model(cls):
        return load_model("test-sam")


class TestTiny(ModelContract):
    @classmethod
    def make_model(cls):
        return load_model("tiny")


class TestMobileSam(ModelContract):
    @classmethod
    def make_model(cls):
        return ready(
            SamModel(
                card=small(VIT_T, SMALL),
                frame=SMALL,
                image_encoder=SMALL_TINY_VIT.build(),
                prompt_encoder=PromptEncoder(side=224, grid=14, width=32),
                mask_decoder=MaskDecoder(transformer=TwoWayTransformer(width=32, mlp_width=64), width=32),
            )
        )


class HqContract(ModelContract):
    def test_every_prompt_gives_one_mask(self, model):
        assert model.num_candidates == 1

    def test_the_token_alone_plus_sams_mask_is_the_whole(self, model, features, prompts):
        whole = self.decode(model, features, prompts, multimask=False).logits

        model.hq_token_only = True
        try:
            token_only = self.decode(model, features, prompts, multimask=False).logits
        finally:
            model.hq_token_only = False

        sams = torch.cat([self._sams_mask(model, features, prompts[i : i + 1]) for i in range(11)])
        self.assert_close(whole, token_only + sams)

    def _sams_mask(self, model, features, prompt):
        with torch.no_grad():
            for _, _, decoding in model._decodings(features, prompt):
                zero = torch.zeros(1, dtype=torch.long)
                return MaskDecoder.draw(model.mask_decoder, decoding, zero, zero)[:, None]


class TestHqOnViT(HqContract):
    @classmethod
    def make_model(cls):
        spec = FrameSpec(side=128, logits_side=32)
        encoder = ViTEncoder(
            side=128, width=48, depth=3, num_heads=2, global_blocks=(1, 2), window=5, patch=16, out_channels=32
        )
        return ready(hq_model(small(HQ_VIT_B, spec), spec, encoder, early_width=48))


class TestHqOnTinyViT(HqContract):
    @classmethod
    def make_model(cls):
        return ready(hq_model(small(HQ_VIT_TINY, SMALL), SMALL, SMALL_TINY_VIT.build(), early_width=32))


def hq_model(card, spec, encoder, early_width):
    return HqSamModel(
        card=card,
        frame=spec,
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(side=spec.side, grid=spec.side // 16, width=32),
        mask_decoder=HqMaskDecoder(
            transformer=TwoWayTransformer(width=32, mlp_width=64), early_width=early_width, width=32
        ),
    )
