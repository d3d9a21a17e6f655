"""How much worse are the masks of a changed model? The gate that quantisation has to pass.

Both models are asked the same boxes and clicks. Where true masks are known, an answer's drop is its IoU with the truth
before less that after; where they are not, it is 1 less the IoU of the two answers, which no drop can exceed, because
1 - IoU is a distance. The gate is on the mean drop and on the drop that one answer in twenty is above.

Against true masks, chance can hide what was lost: some masks get worse, others better. So the answers may also not
differ from those before by more than five times what they may fall (`tiny` with every layer in 8 bits gains 0.008 on 40
answers while one in twenty is another mask).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.core import RLE, BoxPrompt, PointPrompt, Prompt
from maskwright.core.errors import InputError, SettingError
from maskwright.evaluate.clicks import middle_click
from maskwright.evaluate.dataset import LabelledPicture
from maskwright.masks import area, box_xyxy, decode, iou
from maskwright.models.protocol import Model
from maskwright.predict.embedding import embed
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records

MAX_MEAN_DROP, MAX_TAIL_DROP = 0.01, 0.03
_TAIL = 95  # percentile of the drops: the 5th of quality
_MOST_APART = 5
_GRID = 3  # clicks a side on pictures without truth
_LEAST_AREA = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The drops that are allowed: of the mean, and at the 5th percentile."""

    mean: float = MAX_MEAN_DROP
    tail: float = MAX_TAIL_DROP

    def __post_init__(self) -> None:
        for name, value in (("--max-drop", self.mean), ("--max-drop-tail", self.tail)):
            if not 0 <= value < 1:
                raise SettingError(f"{name} is a drop of IoU from 0 to below 1, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A picture, its prompts, what the model answered before it was changed, and the true masks if they are known."""

    picture: LabelledPicture
    prompts: tuple[Prompt, ...]
    answers: tuple[RLE, ...]
    truths: tuple[RLE, ...] | None


Answers = list[tuple[RLE, ...]]  # to each question


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedAnswer:
    """The masks of one prompt before and after a model was changed, and their IoU."""

    picture: LabelledPicture
    kind: str
    before: RLE
    after: RLE
    agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What was measured. `iou` and `iou_before` are with the truth, None without; `agreement` of the two answers."""

    num_pictures: int
    num_answers: int
    mean_drop: float
    tail_drop: float
    agreement: float
    agreement_tail: float
    iou_before: float | None
    iou: float | None

    def passes(self, gate: Gate) -> bool:
        """Whether both drops are allowed, and the answers are near enough to those before."""
        apart = 1 - self.agreement <= _MOST_APART * gate.mean, 1 - self.agreement_tail <= _MOST_APART * gate.tail
        return self.mean_drop <= gate.mean and self.tail_drop <= gate.tail and all(apart)


def ask(model: Model, pictures: Sequence[LabelledPicture]) -> list[Question]:
    """Make the questions from pictures, and keep the answers of the model as it is.

    Raises:
        InputError: there is nothing to ask about.
    """
    found = [one for picture in pictures if (one := _question(model, picture)) is not None]
    if not found:
        raise InputError(
            "no picture gives a mask to compare: none has a true mask, and the model finds nothing in them"
        )
    with_truth = [one for one in found if one.truths is not None]
    return with_truth or found


def answer(model: Model, questions: Sequence[Question]) -> Answers:
    """Ask a changed model."""
    return [tuple(_answers(model, one.picture, one.prompts)) for one in questions]


def measure(questions: Sequence[Question], found: Answers) -> GateResult:
    """Compare the answers of a changed model with those before."""
    befores, afters, agreements = list[float](), list[float](), list[float]()
    for one, answers in zip(questions, found, strict=True):
        agreements += map(iou, answers, one.answers)
        if one.truths is not None:
            befores += map(iou, one.answers, one.truths)
            afters += map(iou, answers, one.truths)
    has_truth = len(befores) == len(agreements)
    drops = np.subtract(befores, afters) if has_truth else 1 - np.array(agreements)
    return GateResult(
        num_pictures=len(questions),
        num_answers=len(agreements),
        mean_drop=float(drops.mean()),
        tail_drop=float(np.percentile(drops, _TAIL)),
        agreement=float(np.mean(agreements)),
        agreement_tail=float(np.percentile(agreements, 100 - _TAIL)),
        iou_before=float(np.mean(befores)) if has_truth else None,
        iou=float(np.mean(afters)) if has_truth else None,
    )


def worst_answers(questions: Sequence[Question], found: Answers, most: int) -> list[ChangedAnswer]:
    """List the answers that changed most; of equals, the earlier."""
    changed = [
        ChangedAnswer(
            picture=one.picture,
            kind="box" if isinstance(prompt, BoxPrompt) else "click",
            before=before,
            after=after,
            agreement=float(iou(before, after)),
        )
        for one, answers in zip(questions, found, strict=True)
        for prompt, before, after in zip(one.prompts, one.answers, answers, strict=True)
    ]
    return sorted(changed, key=lambda one: one.agreement)[:most]


def _question(model: Model, picture: LabelledPicture) -> Question | None:
    if picture.objects:
        prompts: list[Prompt] = []
        for one in picture.objects:
            truth = decode(one.mask)
            prompts += [BoxPrompt(one.box_xyxy), PointPrompt([middle_click(np.zeros_like(truth), truth).xy])]
        answers = _answers(model, picture, prompts)
        truths = tuple(one.mask for one in picture.objects for _ in range(2))
        return Question(picture=picture, prompts=tuple(prompts), answers=tuple(answers), truths=truths)
    clicks = [PointPrompt([xy]) for xy in _grid(picture.image.size_hw)]
    found = [one for one in _answers(model, picture, clicks) if area(one) >= _LEAST_AREA]
    if not found:
        return None
    boxes = [BoxPrompt(box_xyxy(one)) for one in found]
    prompts = [*clicks, *boxes]
    return Question(
        picture=picture, prompts=tuple(prompts), answers=tuple(_answers(model, picture, prompts)), truths=None
    )


def _grid(size_hw: tuple[int, int]) -> list[tuple[float, float]]:
    height, width = size_hw
    steps = (np.arange(_GRID) + 0.5) / _GRID
    return [(float(x * width), float(y * height)) for y in steps for x in steps]


def _answers(model: Model, picture: LabelledPicture, prompts: Sequence[Prompt]) -> list[RLE]:
    return [record.rle for record in to_records(predict(model, embed(model, picture.image), prompts))]


__all__ = [
    "MAX_MEAN_DROP",
    "MAX_TAIL_DROP",
    "Answers",
    "ChangedAnswer",
    "Gate",
    "GateResult",
    "Question",
    "answer",
    "ask",
    "measure",
    "worst_answers",
]
