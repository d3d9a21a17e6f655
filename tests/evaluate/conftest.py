"""Pictures made of rectangles."""

from collections.abc import Callable

import numpy as np
import pytest

from maskwright.core import Image
from maskwright.evaluate import Dataset, LabelledPicture, PictureSource, TrueObject
from maskwright.masks import encode
from scripted_segmenter import SIZE_HW, bitmap


@pytest.fixture
def dataset() -> Callable[..., Dataset]:
    def build(*objects: TrueObject, names: tuple[str, ...] = (), num_pictures: int = 1) -> Dataset:
        image = Image(np.full((*SIZE_HW, 3), 120, np.uint8))
        found = [LabelledPicture(name=f"p{i}", image=image, objects=objects) for i in range(num_pictures)]
        sources = tuple(PictureSource(name=one.name, read=lambda one=one: one) for one in found)
        return Dataset(name="constructed", sources=sources, names=names)

    return build


@pytest.fixture
def square() -> TrueObject:
    """Twenty by twenty pixels."""
    return TrueObject(key="square", mask=encode(bitmap((slice(10, 30), slice(10, 30)))))
