"""`embed`: a picture through a model's image encoder, once; every prompt on it is cheap afterwards.

An `ImageEmbedding` holds no prompts and no masks. It is a cache entry by nature: (image digest, checkpoint, precision)
name it, and it can be thrown away at any time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from maskwright.core import Image, ModelRef, SizeHW
from maskwright.core.errors import ImageError
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features, Model
from maskwright.models.video_protocol import VideoModel
from maskwright.predict.cache import EmbeddingCache, EmbeddingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEmbedding:
    """Features of one image, the frame they live in, and the names that identify them."""

    features: Features
    frame: ModelFrame
    image_digest: str
    model: ModelRef

    @property
    def size_hw(self) -> SizeHW:
        """The image's (height, width) in pixels."""
        return self.frame.size_hw


def embed(model: Model, image: Image, *, cache: EmbeddingCache | None = None) -> ImageEmbedding:
    """Encode one image, or take its features from `cache`.

    >>> embedding = embed(model, image)                                    # doctest: +SKIP
    >>> masks = predict(model, embedding, [PointPrompt([(500, 375)])])     # doctest: +SKIP
    """
    return next(embed_batch(model, [image], cache=cache))


def embed_batch(
    model: Model, images: Iterable[Image], *, batch_size: int = 8, cache: EmbeddingCache | None = None
) -> Iterator[ImageEmbedding]:
    """Encode images as they come, `batch_size` at a time, in order; images may differ in size.

    Memory holds one batch: frames of S x S x 3 floats and their features. On CPU a batch of a ViT is no faster than its
    images one by one, on a GPU it is. There the next batch is taken and uploaded while one is encoded, unless
    `batch_size` is 1.

    Raises:
        ImageError: something in `images` is not an Image.
    """
    batches = _prepared(model, images, batch_size, cache)
    reads_ahead = model.device.type == "cuda" and batch_size > 1
    batch = next(batches, None)
    while batch is not None:
        embeddings = _encode(model, batch, cache)
        if not reads_ahead:
            yield from embeddings
        try:
            batch = next(batches, None)
        finally:  # what is encoded is given before the next batch fails
            if reads_ahead:
                yield from embeddings


def model_ref(model: Model | VideoModel) -> ModelRef:
    """Name a model as provenance does."""
    numbers = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
    precision = model.card.computed_as or numbers[model.precision]
    return ModelRef(
        name=model.card.name,
        family=model.card.family,
        checkpoint_sha256=model.checkpoint_sha256,
        precision=precision,
    )


def embedding_key(model: Model, image_digest: str) -> EmbeddingKey:
    """Name the embedding of an image by a model: fine-tuned ones that kept the encoder of their base share its."""
    ref = model_ref(model)
    encoder = getattr(model, "encoder_sha256", "") or ref.checkpoint_sha256
    return EmbeddingKey.of(image_digest, replace(ref, checkpoint_sha256=encoder))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Some images on their way: `found` are features of the cache by index, `pixels` the frames of the others."""

    images: Sequence[Image]
    frames: Sequence[ModelFrame]
    keys: Sequence[EmbeddingKey]
    found: dict[int, Features]
    pixels: Tensor | None

    @property
    def missing(self) -> list[int]:
        return [i for i in range(len(self.images)) if i not in self.found]


def _prepared(model: Model, images: Iterable[Image], batch_size: int, cache: EmbeddingCache | None) -> Iterator[_Batch]:
    stream = iter(images)
    while some := list(islice(stream, batch_size)):
        yield _prepare(model, some, cache)


@torch.no_grad()
def _prepare(model: Model, images: Sequence[Image], cache: EmbeddingCache | None) -> _Batch:
    for image in images:
        if not isinstance(image, Image):
            raise ImageError(f"expected an Image to embed, got a {type(image).__name__}. Make one: Image(pixels)")
    frames = [ModelFrame.of(image.size_hw, model.frame) for image in images]
    keys = [embedding_key(model, image.digest) for image in images] if cache is not None else []
    found: dict[int, Features] = {}
    if cache is not None:
        found = {i: kept for i, key in enumerate(keys) if (kept := cache.get(key, model.device)) is not None}
    pixels = [frames[i].pixels_to_model(images[i].pixels, model.device) for i in range(len(images)) if i not in found]
    return _Batch(images=images, frames=frames, keys=keys, found=found, pixels=torch.cat(pixels) if pixels else None)


@torch.no_grad()
def _encode(model: Model, batch: _Batch, cache: EmbeddingCache | None) -> list[ImageEmbedding]:
    features = dict(batch.found)
    if batch.pixels is not None:
        encoded = model.encode(batch.pixels)
        for row, i in enumerate(batch.missing):
            features[i] = encoded[row]
            if cache is not None:
                cache.put(batch.keys[i], features[i])
    ref = model_ref(model)
    return [
        ImageEmbedding(features=features[i], frame=frame, image_digest=image.digest, model=ref)
        for i, (image, frame) in enumerate(zip(batch.images, batch.frames, strict=True))
    ]


__all__ = ["ImageEmbedding", "embed", "embed_batch", "embedding_key", "model_ref"]
