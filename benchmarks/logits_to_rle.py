"""How fast do low-resolution logits become RLE, area, box and stability? Ours beside torch and pycocotools.

python benchmarks/logits_to_rle.py

The logits are 48 blobs with holes, steep at their edges as a trained decoder draws them. The peer enlarges three
candidates at a time as SAM does, counts pixels at both stability thresholds, and encodes with pycocotools. Bytes must
be equal: "max error" is the largest difference of any byte.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from harness import Contender, Run, compare, report

_NUM_MASKS = 48


def _logits() -> torch.Tensor:
    y, x = np.mgrid[:256, :256].astype(np.float32)
    random = np.random.default_rng(0)
    masks = []
    for _ in range(_NUM_MASKS):
        x0, y0, radius, hole = random.uniform((20, 20, 8, 2), (236, 150, 60, 8)).astype(np.float32)
        angle, distance = np.arctan2(y - y0, x - x0), np.hypot(y - y0, x - x0)
        outline = radius * (1 + 0.15 * np.sin(random.integers(2, 9) * angle) + 0.05 * np.sin(17 * angle))
        masks.append(np.minimum(3 * (outline - distance), 3 * (distance - hole)).clip(-20, 20))
    return torch.from_numpy(np.stack(masks).astype(np.float32))


def ours(height: int, width: int) -> Run:
    """maskwright."""
    from maskwright.models.frame import FrameSpec, ModelFrame
    from maskwright.predict import masks_from_logits

    logits, frame = _logits(), ModelFrame.of((height, width), FrameSpec())

    def run() -> np.ndarray:
        drawn = masks_from_logits(logits, frame, stability_offset=1.0, one_of_three=True)
        return _bytes([mask.rle.counts for mask in drawn])

    return run


def reference(height: int, width: int) -> Run:
    """torch's resize and pycocotools' encoder."""
    from pycocotools import mask as coco

    from maskwright.models.frame import FrameSpec, ModelFrame

    logits = _logits()
    h, w = ModelFrame.of((height, width), FrameSpec()).input_hw

    def run() -> np.ndarray:
        counts = []
        for three in logits.split(3):
            x = F.interpolate(three[None], (1024, 1024), mode="bilinear", align_corners=False)[..., :h, :w]
            x = F.interpolate(x, (height, width), mode="bilinear", align_corners=False)[0]
            _ = (x > 1.0).sum((1, 2), dtype=torch.int32) / (x > -1.0).sum((1, 2), dtype=torch.int32)
            for mask in (x > 0).numpy():
                encoded = coco.encode(np.asfortranarray(mask))
                _ = coco.toBbox(encoded), coco.area(encoded)
                counts.append(encoded["counts"])
        return _bytes(counts)

    return run


def _bytes(counts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"\n".join(counts), np.uint8)


def main() -> None:
    """Compare at three sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    for height, width in ((480, 640), (1080, 1920), (1500, 2250)):
        size = {"height": height, "width": width}
        contenders = [
            Contender("maskwright", "logits_to_rle:ours", size),
            Contender("torch + pycocotools", "logits_to_rle:reference", size),
        ]
        title = f"256 x 256 logits to RLE, box and stability at {height} x {width}, one mask"
        report("logits_to_rle", title, compare(contenders, rounds=args.rounds), items=_NUM_MASKS)


if __name__ == "__main__":
    main()
