"""Pictures of blocks in three colours, each with a name of its own: what a random encoder can tell apart."""

import json

import cv2
import numpy as np

from maskwright.core import Image
from maskwright.masks import encode
from maskwright.train.tune.examples import Example, ExampleMask

KINDS = {"red mug": (220, 40, 40), "blue_bowl": (40, 60, 220), "green cube": (40, 200, 60)}
_PLACES = ((6, 6), (66, 6), (6, 66), (66, 66))


def draw_blocks(number, side=128):
    """Two of the three kinds in a picture: pixels, and a mask by name."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(60, 110, (side, side, 3)).astype(np.uint8)
    masks = {}
    order = rng.permutation(4)
    for place, kind in enumerate(rng.permutation(3)[:2]):
        name = list(KINDS)[kind]
        x, y = _PLACES[order[place]]
        width, height = rng.integers(34, 54, 2)
        mask = np.zeros((side, side), bool)
        mask[y : y + height, x : x + width] = True
        pixels[mask] = np.clip(np.array(KINDS[name]) + rng.integers(-20, 20, (mask.sum(), 3)), 0, 255)
        masks[name] = mask
    return pixels, masks


def blocks_example(number):
    """A picture of blocks as something to learn from."""
    pixels, masks = draw_blocks(number)
    image = Image(pixels)
    return Example(
        name=f"{number}.png",
        group=f"episode {number}",
        digest=image.digest,
        masks=tuple(ExampleMask(key=name, rle=encode(mask), label=name) for name, mask in masks.items()),
        read=lambda: image,
    )


def write_blocks(folder, numbers):
    """Write pictures of blocks with COCO annotations; returns the annotations' file."""
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in numbers:
        pixels, masks = draw_blocks(number)
        cv2.imwrite(str(folder / f"{number}.png"), pixels[..., ::-1])
        images.append({"id": number, "file_name": f"{number}.png", "height": 128, "width": 128})
        for name, mask in masks.items():
            y, x = np.nonzero(mask)
            x0, y0, x1, y1 = (float(v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": list(KINDS).index(name) + 1,
                    "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(KINDS)]
    file = folder / "annotations.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file
