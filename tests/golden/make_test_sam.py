"""Write test_sam.npz, what test-sam makes of a fixed picture and fixed prompts, and its sidecar test_sam.json.

Run by hand, when a change is meant to alter results: python tests/golden/make_test_sam.py
Tests only read what it wrote.
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch

from maskwright.models import load_model
from maskwright.models.protocol import FramePrompts

HERE = Path(__file__).parent


def picture() -> np.ndarray:
    """A fixed picture of 90 x 120 pixels: two discs on a gradient."""
    y, x = np.mgrid[:90, :120]
    channels = [x * 2, y * 2, 255 - x - y]
    pixels = np.stack([np.clip(channel, 0, 255) for channel in channels], axis=-1).astype(np.uint8)
    pixels[(x - 30) ** 2 + (y - 40) ** 2 < 400] = (220, 40, 30)
    pixels[(x - 85) ** 2 + (y - 50) ** 2 < 600] = (20, 90, 200)
    return pixels


def prompts() -> dict[str, FramePrompts]:
    """One prompt of each kind, in frame pixels."""
    click = torch.tensor([[[32.0, 43.0], [0.0, 0.0]]]), torch.tensor([[1, -1]])
    box = torch.tensor([[[64.0, 25.0], [118.0, 80.0]]]), torch.tensor([[2, 3]])
    side = 32
    mask = torch.linspace(-8, 8, side * side).view(1, 1, side, side)
    return {
        "click": FramePrompts(points=click[0], labels=click[1]),
        "box": FramePrompts(points=box[0], labels=box[1]),
        "box_and_mask": FramePrompts(points=box[0], labels=box[1], mask_logits=mask),
    }


def outputs() -> dict[str, np.ndarray]:
    """Run test-sam on the picture with every prompt."""
    model = load_model("test-sam")
    pixels = torch.zeros(1, 3, 128, 128)
    mean, std = torch.tensor(model.frame.mean), torch.tensor(model.frame.std)
    pixels[0, :, :90, :120] = ((torch.from_numpy(picture()).float() - mean) / std).permute(2, 0, 1)
    found: dict[str, np.ndarray] = {}
    with torch.no_grad():
        features = model.encode(pixels)
        found["embedding"] = features.image_embedding.numpy()
        for name, prompt in prompts().items():
            for kind, multimask in (("single", False), ("three", True)):
                decoded = model.decode(features, prompt, multimask=multimask)
                found[f"{name}.{kind}.logits"] = decoded.logits.numpy()
                found[f"{name}.{kind}.iou"] = decoded.predicted_iou.numpy()
    return found


if __name__ == "__main__":
    np.savez_compressed(HERE / "test_sam.npz", **outputs())
    sidecar = {
        "made_by": "tests/golden/make_test_sam.py",
        "checkpoint_sha256": load_model("test-sam").checkpoint_sha256,
        "tolerance": 2e-5,
        "why": "relative to the largest value: sums in another order on another machine, nothing else",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    (HERE / "test_sam.json").write_text(json.dumps(sidecar, indent=2) + "\n")
