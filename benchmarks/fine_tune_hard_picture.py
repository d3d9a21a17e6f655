"""Before and after on hard scenes, drawn: of each kind the objects at the quartiles of what a click gained."""

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from maskwright.core import RLE, BoxPrompt, Image, PointPrompt, Prompt
from maskwright.evaluate import ModelSegmenter
from maskwright.evaluate.case_pictures import draw_case
from maskwright.evaluate.cases import Case
from maskwright.evaluate.clicks import middle_click
from maskwright.masks import box_xyxy, decode, iou
from maskwright.models import load_model
from maskwright.models.protocol import Model
from maskwright.train.scene_folder import LabelledObject
from maskwright.train.tune.examples import Example
from maskwright.workflows.training_data import read_training_data

_SIDE, _BAR = 190, 18
_QUARTILES = (0.25, 0.5, 0.75)


def draw_before_and_after(run: Path, test: Path, *, base: str, kind_of: Callable[[LabelledObject], str | None]) -> None:
    """Write before_after.jpg into a run's folder: a row for each chosen object, click and box, before and after."""
    examples = {one.name: one for one in read_training_data(str(test)).examples}
    models = [load_model(what, precision="fp32") for what in (base, str(run))]
    rows = []
    for kind, picture, index in _chosen(run / "rows.csv", examples, kind_of):
        example = examples[picture]
        image, truth = example.read(), example.masks[index].rle
        panels = []
        for asked, prompt in (("click", _click(truth)), ("box", BoxPrompt(box_xyxy(truth)))):
            for model in models:
                panels.append(_panel(model, image, example, index, asked, prompt))
        rows.append(np.hstack([_tile(panel, f"{kind}, {text}") for panel, text in panels]))
    half = -(-len(rows) // 2)
    columns = [np.vstack(rows[:half]), np.vstack(rows[half:])]
    if columns[1].shape != columns[0].shape:
        columns[1] = np.pad(columns[1], ((0, columns[0].shape[0] - columns[1].shape[0]), (0, 0), (0, 0)))
    sheet = np.hstack(columns)
    cv2.imwrite(str(run / "before_after.jpg"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])


def _chosen(
    rows: Path, examples: dict[str, Example], kind_of: Callable[[LabelledObject], str | None]
) -> list[tuple[str, str, int]]:
    """Kind, picture and place of the objects at the quartiles of what one click gained."""
    clicks: dict[str, list[tuple[str, float]]] = defaultdict(list)
    with rows.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "click" and row["step"] == "1":
                clicks[f"{row['picture']}\t{row['asked']}"].append((row["segmenter"], float(row["iou"])))
    gains: dict[str, list[tuple[float, str, int]]] = defaultdict(list)
    for key, found in clicks.items():
        picture, asked = key.split("\t")
        index = int(asked.rpartition("#")[2])
        mask = examples[picture].masks[index]
        kind = kind_of(LabelledObject(index=1, name=mask.label or "", material=mask.material))
        if kind and len(found) == 2:
            gains[kind].append((found[1][1] - found[0][1], picture, index))
    chosen = []
    for kind in ("glass", "specular", "thin", "gripper"):
        ordered = sorted(gains[kind])
        chosen += [(kind, *ordered[round(share * (len(ordered) - 1))][1:]) for share in _QUARTILES if ordered]
    return chosen


def _click(truth: RLE) -> PointPrompt:
    mask = decode(truth)
    return PointPrompt([middle_click(np.zeros_like(mask), mask).xy])


def _panel(
    model: Model, image: Image, example: Example, index: int, asked: str, prompt: Prompt
) -> tuple[np.ndarray, str]:
    truth = example.masks[index].rle
    answer = _answer(model, image, prompt)
    reached = iou(answer, truth)
    case = Case(segmenter="", kind=asked, index=0, asked="", truth=truth, answer=answer, iou=reached)
    return draw_case(case, image), f"{asked} {reached:.2f}"


def _answer(model: Model, image: Image, prompt: Prompt) -> RLE:
    return ModelSegmenter(model, "one").open(image).answer([prompt])[0].mask


def _tile(panel: np.ndarray, text: str) -> np.ndarray:
    """A square with the panel in it and a line of text above."""
    scale = _SIDE / max(panel.shape[:2])
    small = cv2.resize(panel, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:_SIDE, :_SIDE]
    tile = np.full((_SIDE + _BAR, _SIDE + 2, 3), 255, np.uint8)
    tile[_BAR : _BAR + small.shape[0], : small.shape[1]] = small
    cv2.putText(tile, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return tile


__all__ = ["draw_before_and_after"]
