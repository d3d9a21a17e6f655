import shutil

import cv2
import pytest

from loop_data import annotate_squares, true_mask, write_squares
from maskwright.models import load_model


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Twelve pictures with a proposal each, and three others that must not be forgotten."""
    root = tmp_path_factory.mktemp("squares")
    annotate_squares(root, load_model("test-sam"))
    write_squares(root / "general" / "images", range(100, 103))
    (root / "general" / "masks").mkdir()
    for number in range(100, 103):
        cv2.imwrite(str(root / "general" / "masks" / f"{number:03d}.png"), 255 * true_mask(number).astype("uint8"))
    return root


@pytest.fixture
def root(template, tmp_path, monkeypatch):
    """A copy to work on; the pictures stay where they are."""
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(template / "cache"))
    shutil.copytree(template / "masks", tmp_path / "masks")
    shutil.copytree(template / "general", tmp_path / "general")
    return tmp_path
