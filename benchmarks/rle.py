"""Is our run-length algebra as fast as pycocotools', with the same results? On blobs like SAM's masks.

python benchmarks/rle.py
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import warnings
from functools import cache

import cv2
import numpy as np
from harness import Contender, Run, compare, report

NUM_MASKS = 100
SIZES_HW = ((480, 640), (1080, 1920))
OPERATIONS = ("encode", "decode", "area", "iou", "union")
Size = tuple[int, int]


@cache
def blobs(size_hw: Size) -> list[np.ndarray]:
    """Draw masks whose outlines wander like those of 256 x 256 logits, from a tenth to the half of the image wide."""
    y, x = np.mgrid[:256, :256]
    masks = []
    for seed in range(NUM_MASKS):
        random = np.random.default_rng(seed)
        noise = cv2.GaussianBlur(random.normal(size=(256, 256)).astype(np.float32), (0, 0), 6)
        (cy, cx), radius = random.uniform(60, 196, 2), random.uniform(12, 64)
        field = radius - np.hypot(y - cy, x - cx) + 60 * noise
        masks.append(cv2.resize(field.astype(np.float32), size_hw[::-1], interpolation=cv2.INTER_LINEAR) > 0)
    return masks


def ours(operation: str, size_hw: Size) -> Run:
    """Build a run of ours."""
    from maskwright import masks as api

    dense = blobs(size_hw)
    rles = [api.encode(mask) for mask in dense]
    match operation:
        case "encode":
            return lambda: _bytes([api.encode(mask).counts for mask in dense])
        case "decode":
            return lambda: np.stack([api.decode(rle)[::40, ::40].copy() for rle in rles])
        case "area":
            return lambda: api.areas(rles)
        case "iou":
            return lambda: api.iou_matrix(rles, rles)
        case _:
            return lambda: _bytes([api.union(rles[i : i + 10]).counts for i in range(0, NUM_MASKS, 10)])


def pycocotools(operation: str, size_hw: Size) -> Run:
    """Build a run of pycocotools. Masks are in C order, as they come out of a model, so encoding reorders them."""
    from pycocotools import mask as api

    warnings.simplefilter("ignore", DeprecationWarning)  # its decode warns on numpy 2
    dense = [mask.view(np.uint8) for mask in blobs(size_hw)]
    rles = [api.encode(np.asfortranarray(mask)) for mask in dense]
    match operation:
        case "encode":
            return lambda: _bytes([api.encode(np.asfortranarray(mask))["counts"] for mask in dense])
        case "decode":
            return lambda: np.stack([api.decode(rle)[::40, ::40].copy() for rle in rles])
        case "area":
            return lambda: api.area(rles)
        case "iou":
            return lambda: api.iou(rles, rles, [False] * len(rles))
        case _:
            return lambda: _bytes([api.merge(rles[i : i + 10])["counts"] for i in range(0, NUM_MASKS, 10)])


def _bytes(counts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"\0".join(counts), np.uint8)


def main() -> None:
    """Compare every operation at every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for size_hw in SIZES_HW:
        for operation in OPERATIONS:
            arguments = {"operation": operation, "size_hw": size_hw}
            contenders = [
                Contender("maskwright", "rle:ours", arguments),
                Contender("pycocotools", "rle:pycocotools", arguments),
            ]
            title = f"RLE {operation}, {NUM_MASKS} masks of {size_hw[1]} x {size_hw[0]}"
            report("rle", title, compare(contenders, rounds=rounds))


if __name__ == "__main__":
    main()
