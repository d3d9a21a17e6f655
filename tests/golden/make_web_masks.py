"""Write web_masks.json: masks and what the reference makes of them, which the review application's own code must match.

Run by hand, when a change is meant to alter results: python tests/golden/make_web_masks.py
Both sides only read what it wrote: tests/masks/test_web_goldens.py and web/src/masks/goldens.test.ts.
Everything but the smoothed masks is exact; those pass through a Fourier transform, where a pixel on the edge may tip.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.rle import RLE
from maskwright.masks import (
    DropIslands,
    FillHoles,
    Island,
    KeepLargest,
    Polygons,
    SmoothBoundary,
    area,
    box_xyxy,
    complement,
    difference,
    empty_mask,
    encode,
    fill,
    full_mask,
    holes,
    intersection,
    iou_matrix,
    islands,
    trace,
    union,
)

PATH = Path(__file__).with_name("web_masks.json")
SEED = 20261126


def make() -> dict[str, Any]:
    """Make the whole document."""
    rng = np.random.default_rng(SEED)
    masks = named_masks(rng)
    return {
        "seed": SEED,
        "masks": [mask_case(name, rle) for name, rle in masks.items()],
        "pairs": [pair_case(rng, size_hw) for size_hw in [(1, 1), (7, 5), (24, 31), (40, 40), (64, 48)] * 3],
        "fills": [fill_case(polygons) for polygons in drawn_polygons(rng)],
    }


def named_masks(rng: np.random.Generator) -> dict[str, RLE]:
    """Masks of every kind that has tripped an implementation."""
    y, x = np.mgrid[:90, :120]
    ring = ((x - 60) ** 2 + (y - 45) ** 2 < 1600) & ((x - 55) ** 2 + (y - 45) ** 2 > 400)
    inner = (x - 55) ** 2 + (y - 45) ** 2 < 100
    checks = (np.indices((9, 8)).sum(axis=0) % 2).astype(bool)
    saddles = np.zeros((8, 8), bool)
    saddles[1:4, 1:4] = saddles[4:7, 4:7] = saddles[4:6, 2:4] = True
    touching_hole = np.ones((7, 7), bool)
    touching_hole[0, 0] = touching_hole[1, 1] = touching_hole[3, 3] = touching_hole[4, 4] = False
    columns = np.zeros((6, 9), bool)
    columns[:, 2:5] = True
    wraps = np.zeros((5, 6), bool)
    wraps[3:, 1] = wraps[:2, 2] = True
    edge_hole = np.ones((6, 6), bool)
    edge_hole[0, 2] = edge_hole[3, 3] = False
    drawn = {
        "one pixel": np.pad(np.ones((1, 1), bool), ((3, 2), (4, 1))),
        "one pixel image": np.ones((1, 1), bool),
        "last pixel": np.pad(np.ones((1, 1), bool), ((5, 0), (7, 0))),
        "ring": ring,
        "island in a hole": ring | inner,
        "checkers": checks,
        "saddles": saddles,
        "holes that touch at a corner": touching_hole,
        "whole columns": columns,
        "a run over two columns": wraps,
        "background at the edge and a hole": edge_hole,
        "equal islands": np.kron(np.eye(4, dtype=bool), np.pad(np.ones((2, 3), bool), 2)),
    }
    for size_hw, density in [((3, 17), 0.5), ((17, 3), 0.5), ((16, 16), 0.3), ((16, 16), 0.7), ((30, 41), 0.55)]:
        drawn[f"noise {size_hw} {density}"] = rng.random(size_hw) < density
    for size_hw in [(33, 47), (120, 90), (200, 300)]:
        drawn[f"blob {size_hw}"] = blob(rng, size_hw)
    masks = {name: encode(mask) for name, mask in drawn.items()}
    return masks | {"empty": empty_mask((4, 6)), "full": full_mask((5, 3)), "wide": full_mask((1, 70_000))}


def blob(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A smooth shape with islands and holes: waves above a level."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width]
    waves = sum(
        np.sin(2 * np.pi * (a * x / width + b * y / height) + phase) for a, b, phase in rng.uniform(-2.5, 2.5, (5, 3))
    )
    return np.asarray(waves) > 0.8


def mask_case(name: str, rle: RLE) -> dict[str, Any]:
    """What one mask has and becomes."""
    return {
        "name": name,
        "rle": written(rle),
        "area": area(rle),
        "box": [int(side) for side in box_xyxy(rle)],
        "islands": [rings_of(island) for island in trace(rle).islands],
        "pieces_4": [piece.counts.decode() for piece in islands(rle, connectivity=4)[:12]],
        "pieces_8": [piece.counts.decode() for piece in islands(rle, connectivity=8)[:12]],
        "holes_4": [hole.counts.decode() for hole in holes(rle, connectivity=4)[:12]],
        "complement": complement(rle).counts.decode(),
        "filled": FillHoles()(rle).counts.decode(),
        "filled_8_small": FillHoles(3, connectivity=8)(rle).counts.decode(),
        "dropped": DropIslands(6)(rle).counts.decode(),
        "largest": KeepLargest()(rle).counts.decode(),
        "smooth": SmoothBoundary(2)(rle).counts.decode(),
    }


def pair_case(rng: np.random.Generator, size_hw: tuple[int, int]) -> dict[str, Any]:
    """What two masks of one image make together."""
    a, b = (encode(window(rng, size_hw)) for _ in range(2))
    return {
        "a": written(a),
        "b": written(b),
        "union": union([a, b]).counts.decode(),
        "intersection": intersection([a, b]).counts.decode(),
        "difference": difference(a, b).counts.decode(),
        "exclusion": difference(union([a, b]), intersection([a, b])).counts.decode(),
        "iou": float(iou_matrix([a], [b])[0, 0]),
    }


def window(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Noise in a part of the image, so that boxes differ."""
    mask = np.zeros(size_hw, bool)
    (y1, y2), (x1, x2) = (sorted(rng.integers(0, side + 1, 2)) for side in size_hw)
    mask[y1:y2, x1:x2] = rng.random((y2 - y1, x2 - x1)) < 0.6
    return mask


def drawn_polygons(rng: np.random.Generator) -> list[Polygons]:
    """Outlines as people draw them: fractional, on pixel centres, crossing themselves, out of the image, with holes."""
    size_hw = (40, 60)
    free = [Polygons(size_hw, (Island(rng.uniform(-15, 75, (n, 2)).round(3)),)) for n in (3, 4, 7, 12)]
    halves = [Polygons(size_hw, (Island(rng.integers(-4, 124, (n, 2)) / 2),)) for n in (3, 5, 8, 9)]
    hole = np.array([[20.0, 10.5], [40.25, 12.5], [30.5, 30.5]])
    box = np.array([[5.5, 5.5], [50.5, 5.5], [50.5, 35.5], [5.5, 35.5]])
    holed = Polygons(size_hw, (Island(box, (hole, hole[::-1] - 3)), Island(box - 12)))
    outside = Polygons(size_hw, (Island(box + 100),))
    return [*free, *halves, holed, outside, Polygons(size_hw, ())]


def fill_case(polygons: Polygons) -> dict[str, Any]:
    """Rings and the pixels they enclose."""
    return {
        "size_hw": list(polygons.size_hw),
        "islands": [rings_of(island) for island in polygons.islands],
        "counts": fill(polygons).counts.decode(),
    }


def rings_of(island: Island) -> list[list[float]]:
    """The exterior and the holes, each as a flat list x0, y0, x1, y1, ..."""
    return [[int(v) if float(v).is_integer() else float(v) for v in ring.ravel()] for ring in island.rings]


def written(rle: RLE) -> dict[str, Any]:
    """An RLE as REST writes it."""
    return {"size_hw": list(rle.size_hw), "counts": rle.counts.decode()}


def dump(document: dict[str, Any]) -> str:
    """Write one case a line, so that a change shows which cases it touches."""
    parts = [f'"seed": {document["seed"]}']
    for key in ("masks", "pairs", "fills"):
        cases = ",\n".join(json.dumps(case, separators=(",", ":")) for case in document[key])
        parts.append(f'"{key}": [\n{cases}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    PATH.write_text(dump(make()))
