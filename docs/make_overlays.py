"""Draw docs/pictures/tiny_gallery_*.jpg: `tiny`'s answers on free photographs, good and bad as they come.

    pip download --no-deps scikit-image scikit-learn matplotlib     # unpack the wheels; the pictures are in them
    python docs/make_overlays.py FOLDER

FOLDER is looked through for the names in PANELS. Each panel shows one prompt (a click in green, a box), the mask, and
the IoU that the model predicts for it. The prompts were written down before any answer was seen, and none was dropped.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

import maskwright as mw
from maskwright.core import BoxPrompt, MaskRecord, PointPrompt
from maskwright.models import Model, load_model
from maskwright.predict.closer import look_closer
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.records import to_records
from maskwright.workflows.overlay import draw_overlay

PICTURES = Path(__file__).parent / "pictures"
_COLUMNS, _PER_SHEET, _SIDE, _STRIP, _QUALITY = 3, 6, 400, 26, 80
Drawn = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One question about one picture."""

    picture: str
    asked: str
    prompt: BoxPrompt | PointPrompt


def _box(picture: str, asked: str, *box_xyxy: float) -> Panel:
    x1, y1, x2, y2 = box_xyxy
    return Panel(picture, asked, BoxPrompt((x1, y1, x2, y2)))


def _click(picture: str, asked: str, x: float, y: float) -> Panel:
    return Panel(picture, asked, PointPrompt([(x, y)]))


PANELS = (
    _box("coffee.png", "cup", 170, 12, 420, 300),
    _click("coffee.png", "saucer", 130, 258),
    _box("coffee.png", "spoon", 320, 60, 432, 330),
    _click("coffee.png", "coffee", 293, 155),
    _box("astronaut.png", "astronaut", 15, 12, 370, 511),
    _box("astronaut.png", "helmet", 272, 342, 508, 511),
    _click("astronaut.png", "model rocket", 426, 103),
    _click("astronaut.png", "badge", 172, 393),
    _click("camera.png", "man", 128, 310),
    _box("camera.png", "tripod", 225, 300, 412, 511),
    _box("camera.png", "camera", 257, 134, 326, 203),
    _click("coins.png", "coin", 155, 52),
    _box("coins.png", "large coin", 305, 14, 367, 72),
    _box("chelsea.png", "cat", 10, 0, 395, 299),
    _click("chelsea.png", "eye", 172, 115),
    _box("rocket.jpg", "rocket", 303, 127, 345, 412),
    _box("rocket.jpg", "lattice tower", 0, 0, 88, 424),
    _box("china.jpg", "pagoda", 63, 28, 368, 395),
    _click("china.jpg", "roof", 207, 105),
    _click("flower.jpg", "dahlia", 309, 217),
    _box("grace_hopper.jpg", "cap", 160, 20, 374, 150),
    _click("grace_hopper.jpg", "face", 265, 243),
    _box("grace_hopper.jpg", "ribbons", 326, 484, 452, 531),
    _click("grace_hopper.jpg", "uniform", 128, 433),
)


def main() -> None:
    """Read the pictures, ask, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="tiny")
    given = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    panels = list(_panels(load_model(given.model), given.folder))
    for first in range(0, len(panels), _PER_SHEET):
        path = PICTURES / f"tiny_gallery_{first // _PER_SHEET + 1}.jpg"
        sheet = cv2.cvtColor(_sheet(panels[first : first + _PER_SHEET]), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def _panels(model: Model, folder: Path) -> Iterator[Drawn]:
    @cache
    def opened(name: str) -> tuple[mw.Image, ImageEmbedding]:
        image = mw.read_image(next(folder.rglob(name)))
        return image, mw.embed(model, image)

    for number, panel in enumerate(PANELS, start=1):
        image, embedding = opened(panel.picture)
        (record,) = to_records(mw.predict(model, embedding, [panel.prompt]))
        if model.card.looks_closer:
            (record,) = look_closer(model, image, [record])
        yield _drawn(image, record, f"{number} {panel.asked}: {record.scores.predicted_iou:.2f}")


def _drawn(image: mw.Image, record: MaskRecord, caption: str) -> Drawn:
    """Draw a panel: the picture fitted into a square, and a line of text under it."""
    overlay = draw_overlay(image, [record], with_labels=False)
    scale = _SIDE / max(overlay.shape[:2])
    size_wh = round(overlay.shape[1] * scale), round(overlay.shape[0] * scale)
    fitted = cv2.resize(overlay, size_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    canvas = np.full((_SIDE + _STRIP, _SIDE, 3), 255, np.uint8)
    top, left = _SIDE - fitted.shape[0], (_SIDE - fitted.shape[1]) // 2  # next to its caption
    canvas[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    cv2.putText(canvas, caption, (8, _SIDE + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (20, 20, 20), 1, cv2.LINE_AA)
    return canvas


def _sheet(panels: list[Drawn]) -> Drawn:
    rows = [np.hstack(panels[i : i + _COLUMNS]) for i in range(0, len(panels), _COLUMNS)]
    return np.vstack(rows)


if __name__ == "__main__":
    main()
