"""Play the user with a segmenter and score every answer: one row for each object, then means.

Tasks: a box; clicks, each in the middle of the largest error of the last answer, up to `max_clicks`. NoC@q is the
number of clicks until IoU reaches q, `max_clicks` where it never does. Scores are of masks at the picture's full size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from maskwright.core.image import Image
from maskwright.core.prompt import BoxPrompt, PointPrompt
from maskwright.core.shapes import BoxXYXY
from maskwright.evaluate.clicks import next_click
from maskwright.evaluate.examples import Example
from maskwright.evaluate.segmenter import AnswerPrompt, Segmenter
from maskwright.masks.metrics import boundary_iou
from maskwright.masks.rle import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object: IoU and boundary IoU of the box's answer, IoU after each click, and what the segmenter believed."""

    name: str
    area_share: float
    box_iou: float
    box_boundary_iou: float
    click_ious: tuple[float, ...]
    box_belief: float | None = None
    click_belief: float | None = None

    def clicks_to(self, quality: float) -> int:
        """Count the clicks until IoU reaches `quality`."""
        reached = [index for index, iou in enumerate(self.click_ious, start=1) if iou >= quality]
        return reached[0] if reached else len(self.click_ious)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Means over objects."""

    segmenter: str
    num_objects: int
    box: float
    box_boundary: float
    clicks: tuple[float, ...]
    noc_85: float
    noc_90: float
    belief_error: float | None


def evaluate(segmenter: Segmenter, examples: Iterable[Example], *, max_clicks: int = 5) -> Iterator[Row]:
    """Score a segmenter on examples, one row each, as they are done. Consecutive objects of one picture share its
    opening.
    """
    opened: tuple[Image, object] | None = None
    begin = None
    for example in examples:
        if begin is None or opened is None or opened[0] is not example.image:
            begin = segmenter.open(example.image)
            opened = (example.image, begin)
        box = begin()(BoxPrompt(tight_box(example.truth)))
        clicked = list(_click_through(begin(), example.truth, max_clicks))
        yield Row(
            name=example.name,
            area_share=float(example.truth.mean()),
            box_iou=dense_iou(box.mask, example.truth),
            box_boundary_iou=boundary_iou(encode(box.mask), encode(example.truth)),
            click_ious=tuple(iou for iou, _ in clicked),
            box_belief=box.predicted_iou,
            click_belief=clicked[0][1],
        )


def _click_through(
    answer: AnswerPrompt, truth: Bool[np.ndarray, "H W"], max_clicks: int
) -> Iterator[tuple[float, float | None]]:
    mask = np.zeros_like(truth)
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    for _ in range(max_clicks):
        point, label = next_click(mask, truth)
        points.append(point)
        labels.append(label)
        given = answer(PointPrompt(tuple(points), tuple(labels)))
        mask = given.mask
        yield dense_iou(mask, truth), given.predicted_iou


def tight_box(mask: Bool[np.ndarray, "H W"]) -> BoxXYXY:
    """The smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def dense_iou(predicted: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"]) -> float:
    """Intersection over union of two bitmaps; two empty ones agree."""
    union = int((predicted | truth).sum())
    return int((predicted & truth).sum()) / union if union else 1.0


def summarise(segmenter: str, rows: Sequence[Row]) -> Summary:
    """Average the rows of one segmenter; there must be at least one."""
    beliefs = [
        abs(belief - iou)
        for row in rows
        for belief, iou in ((row.box_belief, row.box_iou), (row.click_belief, row.click_ious[0]))
        if belief is not None
    ]
    return Summary(
        segmenter=segmenter,
        num_objects=len(rows),
        box=_mean(row.box_iou for row in rows),
        box_boundary=_mean(row.box_boundary_iou for row in rows),
        clicks=tuple(_mean(column) for column in zip(*(row.click_ious for row in rows), strict=True)),
        noc_85=_mean(row.clicks_to(0.85) for row in rows),
        noc_90=_mean(row.clicks_to(0.90) for row in rows),
        belief_error=_mean(beliefs) if beliefs else None,
    )


def _mean(values: Iterable[float]) -> float:
    collected = list(values)
    return math.fsum(collected) / len(collected)


def format_table(summaries: Sequence[Summary]) -> str:
    """Write summaries as a Markdown table: mIoU by box and by 1, 3, 5 clicks, and the other means."""
    wanted = [count for count in (1, 3, 5, 10, 20) if count <= len(summaries[0].clicks)]
    header = ["segmenter", "objects", "box", "box boundary", *(f"{count} click{'s' * (count > 1)}" for count in wanted)]
    header += [f"NoC@85 of {len(summaries[0].clicks)}", "NoC@90", "belief error"]
    lines = ["| " + " | ".join(header) + " |", "| --- " * len(header) + "|"]
    for row in summaries:
        cells = [row.segmenter, str(row.num_objects), f"{row.box:.3f}", f"{row.box_boundary:.3f}"]
        cells += [f"{row.clicks[count - 1]:.3f}" for count in wanted]
        cells += [
            f"{row.noc_85:.2f}",
            f"{row.noc_90:.2f}",
            "-" if row.belief_error is None else f"{row.belief_error:.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


__all__ = ["Row", "Summary", "dense_iou", "evaluate", "format_table", "summarise", "tight_box"]
