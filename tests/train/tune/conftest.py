import numpy as np
import pytest

from maskwright.core import Image
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.recipe import TuneRecipe


def bright_square(number, *, group=None, side=128):
    """A bright square on a dark ground: what test-sam, whose encoder is random, can learn to see."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 40, (side, side, 3)).astype(np.uint8)
    mask = np.zeros((side, side), bool)
    x, y = rng.integers(5, 30, 2)
    mask[y : y + 80, x : x + 80] = True
    pixels[mask] += 180
    image = Image(pixels)
    return Example(
        name=f"{number}.png",
        group=group or f"episode {number // 3}",
        digest=image.digest,
        masks=(ExampleMask(key="square", rle=encode(mask)),),
        read=lambda: image,
    )


@pytest.fixture(scope="session")
def squares():
    return [bright_square(i) for i in range(14)]


@pytest.fixture
def test_sam():
    return load_model("test-sam")


@pytest.fixture
def quick():
    return TuneRecipe(
        epochs=3,
        batch=5,
        learning_rate=3e-3,
        warmup=2,
        ema=0.7,
        patience=20,
        corrections=1,
        focal_weight=2.0,
        dice_weight=2.0,
        clip=10.0,
    )
