"""A 16-bit slice through two windows: the same click sees different things.

python examples/medical_slice.py
"""

import io

import numpy as np
from PIL import Image as PillowImage

import maskwright as mw
from maskwright.datasets import Percentiles, Window


def phantom() -> bytes:
    """Draw a disc of soft tissue with a bone in it, in Hounsfield units + 1024, as a 16-bit PNG."""
    y, x = np.mgrid[:256, :256]
    hounsfield = np.full((256, 256), -1000.0)
    hounsfield[(x - 128) ** 2 + (y - 128) ** 2 < 100**2] = 40
    hounsfield[(x - 150) ** 2 + (y - 120) ** 2 < 20**2] = 700
    noise = np.random.default_rng(0).normal(0, 15, hounsfield.shape)
    buffer = io.BytesIO()
    PillowImage.fromarray((hounsfield + noise + 1024).clip(0).astype(np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Print the mask's size for each way of looking."""
    model = mw.load_model("tiny")
    content = phantom()
    for name, intensity in (
        ("soft tissue", Window(1024 + 40, 400)),
        ("bone", Window(1024 + 400, 1800)),
        ("percentiles", Percentiles(0.5, 99.5)),
    ):
        image = mw.read_image(content, intensity=intensity)
        masks = mw.predict(model, mw.embed(model, image), [mw.PointPrompt([(150, 120)])])
        (record,) = mw.to_records(masks)
        print(f"{name}: {record.area} pixels, predicted IoU {record.scores.predicted_iou:.2f}")


if __name__ == "__main__":
    main()
