"""The card of test-sam, apart from the network so that listing models costs no torch."""

from maskwright.models.cards import ModelCard

TEST_SAM = ModelCard(
    name="test-sam",
    family="test_sam",
    title="test-sam: a tiny SAM with fixed random weights, for tests",
    licence="Apache-2.0",
    input_side=128,
    num_parameters=104_876,
    citation="This package",
    notes="Its masks mean nothing; they are the same everywhere.",
    aliases=("test_sam",),
)

TEST_SAM_SIGNATURE = {"image_encoder.pos_embed": (1, 8, 8, 32)}

__all__ = ["TEST_SAM", "TEST_SAM_SIGNATURE"]
