"""The published networks' outputs for reproducible weights: how to run the same cases here and compare.

The files lie beside the repository, in `shared/goldens`; tests that need them are skipped where they are not.
"""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image as PillowImage
from torch import Tensor

from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.models.protocol import FramePrompts

SHARED = Path(__file__).resolve().parents[2] / "shared"

# Relative to the largest value; they hold between machines whose matrix products add in another order.
EMBEDDING_TOLERANCE = 1e-4
LOGITS_TOLERANCE = 2e-4
IOU_TOLERANCE = 1e-5
AREA_TOLERANCE = 8  # pixels of the full-size mask, of up to 2.7 million


def needs_shared(*parts: str) -> Path:
    """Path of a shared file; skips the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {Path('shared', *parts)} beside the repository")
    return path


def golden_weights() -> ModuleType:
    """The generator of weights from names and shapes."""
    path = needs_shared("goldens", "golden_init.py")
    spec = importlib.util.spec_from_file_location("golden_init", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_golden_weights(model: torch.nn.Module) -> None:
    """Give a network the weights that the goldens were made with, and switch it to eval."""
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    arrays = golden_weights().golden_state_dict(shapes)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()}, strict=True)
    model.eval()


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """Every parameter name and shape of a published checkpoint."""
    shapes = json.loads(needs_shared("manifests", f"{name}.json").read_text())["shapes"]
    return {key: tuple(shape) for key, shape in shapes.items()}


def photo(name: str) -> np.ndarray:
    """Decoded RGB pixels of a photograph."""
    with PillowImage.open(needs_shared("realdata", "photos", f"{name}.jpg")) as picture:
        return np.asarray(picture.convert("RGB"))


def frame_of(pixels: np.ndarray) -> ModelFrame:
    """How a photograph lies in the 1024-pixel frame."""
    return ModelFrame.of(pixels.shape[:2], FrameSpec())


def prompts_of(
    golden: dict[str, np.ndarray], frame: ModelFrame, previous: Tensor
) -> Iterator[tuple[str, FramePrompts]]:
    """The prompts of every case as the reference's predictor hands them to its network.

    Points without a box are followed by one padding point; a mask alone has no points at all.
    """
    points = frame.points_to_model(golden["points3"])
    labels = golden["labels3"]
    box = frame.points_to_model(golden["box"].reshape(2, 2))
    boxes = frame.points_to_model(golden["boxes"].reshape(3, 2, 2))
    pad, pad_label = np.zeros((1, 2)), np.array([-1])
    corners = np.array([2, 3])
    nothing = np.zeros((1, 0, 2)), np.zeros((1, 0))
    point_and_box = np.concatenate([points[:1], box])[None], np.concatenate([labels[:1], corners])[None]
    yield "pt1", _prompts(np.concatenate([points[:1], pad])[None], np.concatenate([labels[:1], pad_label])[None])
    yield "pt3", _prompts(np.concatenate([points, pad])[None], np.concatenate([labels, pad_label])[None])
    yield "box", _prompts(box[None], corners[None])
    yield "boxpt", _prompts(*point_and_box)
    yield "mask", _prompts(*nothing, previous)
    yield "maskboxpt", _prompts(*point_and_box, previous)
    yield "boxes3", _prompts(boxes, np.broadcast_to(corners, (3, 2)))


def _prompts(points: np.ndarray, labels: np.ndarray, mask_logits: Tensor | None = None) -> FramePrompts:
    return FramePrompts(
        points=torch.tensor(points, dtype=torch.float32),
        labels=torch.tensor(np.array(labels), dtype=torch.long),
        mask_logits=mask_logits,
    )


def full_size_area(logits: Tensor, frame: ModelFrame) -> np.ndarray:
    """Foreground pixels at the photograph's size, upscaled in the reference's two steps."""
    side = frame.spec.side
    h, w = frame.input_hw
    upscaled = F.interpolate(logits, (side, side), mode="bilinear", align_corners=False)[..., :h, :w]
    masks = F.interpolate(upscaled, frame.size_hw, mode="bilinear", align_corners=False) > 0
    return masks.sum((-2, -1)).numpy()


def assert_close(got: np.ndarray | Tensor, expected: np.ndarray, tolerance: float, what: str) -> None:
    """Compare relative to the largest expected value."""
    got = np.asarray(got)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    scale = np.abs(expected).max()
    error = np.abs(got - expected).max() / scale
    assert error <= tolerance, f"{what}: off by {error:.2e} of the largest value, at most {tolerance:.0e} is rounding"
