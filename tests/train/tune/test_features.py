import pytest
import torch

from maskwright.models.frame import ModelFrame
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.views import views_of


def views(examples):
    return [view for one in examples for view in views_of(one, mirror=True, crops=0)]


def test_what_is_read_is_what_the_encoder_made(tmp_path, test_sam, squares):
    cache = FeatureCache(tmp_path, test_sam)
    seen = views(squares[:2])

    assert cache.fill(test_sam, seen) == 4

    pixels = ModelFrame.of((128, 128), test_sam.frame).pixels_to_model(squares[1].read().pixels, "cpu")
    with torch.no_grad():
        expected = test_sam.encode(pixels).image_embedding
    assert torch.allclose(cache.take([seen[2]]).image_embedding, expected, atol=2e-3, rtol=2e-3)
    assert cache.num_bytes == 4 * cache.view_bytes > 0


def test_weights_lie_as_they_did_after_a_fill(tmp_path, test_sam, squares):
    FeatureCache(tmp_path, test_sam).fill(test_sam, views(squares[:1]))

    assert all(parameter.is_contiguous() for parameter in test_sam.parameters())  # what is saved has to be


def test_views_are_encoded_once(tmp_path, test_sam, squares):
    FeatureCache(tmp_path, test_sam).fill(test_sam, views(squares[:2]))

    assert FeatureCache(tmp_path, test_sam).fill(test_sam, views(squares[:3])) == 2


def test_a_tuned_model_that_kept_its_encoder_shares_the_features(tmp_path, test_sam, squares):
    FeatureCache(tmp_path, test_sam).fill(test_sam, views(squares[:1]))
    test_sam.encoder_sha256, test_sam.checkpoint_sha256 = test_sam.checkpoint_sha256, "f" * 64

    assert FeatureCache(tmp_path, test_sam).fill(test_sam, views(squares[:1])) == 0


@pytest.mark.parametrize("damage", ["half a key", "a short file"])
def test_a_killed_fill_goes_on_where_it_was(tmp_path, test_sam, squares, damage):
    cache = FeatureCache(tmp_path, test_sam)
    cache.fill(test_sam, views(squares[:2]))
    expected = cache.take(views(squares[:2])).image_embedding
    keys = cache.folder / "keys.txt"
    if damage == "half a key":
        keys.write_text(keys.read_text()[:-20])
    else:
        raw = cache.folder / "map0.raw"
        raw.write_bytes(raw.read_bytes()[:-10])

    again = FeatureCache(tmp_path, test_sam)

    assert again.fill(test_sam, views(squares[:2])) == 1
    assert torch.equal(again.take(views(squares[:2])).image_embedding, expected)
