import numpy as np
import pytest
import torch

from maskwright.core import Image
from maskwright.core.errors import ImageError
from maskwright.predict import EmbeddingCache, embed, embed_batch


def test_a_batch_of_images_of_different_sizes_equals_the_images_one_by_one(model):
    random = np.random.default_rng(0)
    images = [Image(random.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in ((45, 70), (70, 45), (8, 90))]

    batch = list(embed_batch(model, images, batch_size=2))

    assert [e.size_hw for e in batch] == [(45, 70), (70, 45), (8, 90)]
    for image, embedding in zip(images, batch, strict=True):
        single = embed(model, image)
        torch.testing.assert_close(embedding.features.image_embedding, single.features.image_embedding)
        assert embedding.image_digest == image.digest


def test_an_embedding_names_the_model_and_checkpoint_it_was_made_with(model, image):
    embedding = embed(model, image)

    assert embedding.model.name == "test-sam"
    assert embedding.model.checkpoint_sha256 == model.checkpoint_sha256
    assert embedding.model.precision == "fp32"


def test_a_cached_image_is_not_encoded_again(model, image, monkeypatch):
    cache = EmbeddingCache()
    first = embed(model, image, cache=cache)
    monkeypatch.setattr(type(model), "encode", lambda *_: 1 / 0)

    again = embed(model, Image(image.pixels.copy()), cache=cache)

    assert torch.equal(first.features.image_embedding, again.features.image_embedding)


def test_embedding_is_lazy_so_that_memory_holds_one_batch(model, image):
    taken = []

    def stream():
        for i in range(10):
            taken.append(i)
            yield image

    next(embed_batch(model, stream(), batch_size=3))

    assert taken == [0, 1, 2]


def test_pixels_that_are_no_image_are_refused_with_the_way_to_make_one(model, image):
    with pytest.raises(ImageError, match=r"expected an Image to embed, got a ndarray. Make one: Image\(pixels\)"):
        embed(model, image.pixels)
