"""`Trial`: one question to one segmenter and how good its answers were; a row of every table starts here.

A trial of clicks has a step for every click. It ends early when the answer is good enough; the last step then stands
for those that were not needed.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from maskwright.evaluate.dataset import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One answer: its IoU with the truth, IoU along the outlines where it was measured, and what was believed.

    `is_given` is False of an empty mask: nothing was found, or it was not sure enough to be shown.
    """

    iou: float
    boundary_iou: float | None = None
    predicted_iou: float | None = None
    is_given: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was asked about one object, or by one phrase, of one picture.

    `kind` is one of KINDS; `draw` numbers repetitions of random clicks; `facts` are of the true object.
    """

    segmenter: str
    kind: str
    picture: str
    asked: str
    steps: tuple[Step, ...]
    facts: Facts | None = None
    draw: int = 0

    def after(self, num_clicks: int) -> Step:
        """The answer after so many clicks."""
        return self.steps[min(num_clicks, len(self.steps)) - 1]

    def clicks_to(self, quality: float, *, most: int) -> int:
        """Count the clicks until IoU reaches `quality`; `most` where it never does."""
        return next((i for i, step in enumerate(self.steps, start=1) if step.iou >= quality), most)


# What is asked, as it stands in rows.csv.
KINDS = {
    "box": "a tight box",
    "box+click": "the box, then a click in the middle of the largest error",
    "click": "clicks in the middle of the largest error",
    "random": "clicks anywhere in the errors",
    "everything": "the best of at most 1000 masks by predicted IoU",
    "kept": "the best of the masks that everything-mode keeps",
    "name": "a phrase of a name",
    "colour+name": "a phrase of a colour and a name",
    "absent": "a phrase of something that is not there",
}

_COLUMNS = (
    "segmenter", "kind", "picture", "asked", "draw", "step", "iou", "boundary_iou", "predicted_iou",
    "area_share", "width_px", "material", "occlusion",
)  # fmt: skip


def to_csv(trials: Iterable[Trial]) -> str:
    """Write every answer as a line of CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for trial in trials:
        facts = trial.facts
        known = (None,) * 4 if facts is None else (facts.area_share, facts.width_px, facts.material, facts.occlusion)
        for number, step in enumerate(trial.steps, start=1):
            who = (trial.segmenter, trial.kind, trial.picture, trial.asked, trial.draw, number)
            numbers = (step.iou, step.boundary_iou, step.predicted_iou, *known)
            writer.writerow([*who, *(f"{value:.5g}" if isinstance(value, float) else value for value in numbers)])
    return text.getvalue()


__all__ = ["KINDS", "Step", "Trial", "to_csv"]
