import numpy as np
import pytest

from maskwright.core import Image
from maskwright.models import load_model


@pytest.fixture(scope="session")
def model():
    return load_model("test-sam")


@pytest.fixture
def image():
    random = np.random.default_rng(0)
    return Image(random.integers(0, 256, (45, 70, 3), dtype=np.uint8))
