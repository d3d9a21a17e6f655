"""Play the user with an opened image: boxes, and clicks that follow the errors. All objects go side by side.

What an object is asked next depends only on its own answers, so batching changes nothing but the time.
"""

from collections.abc import Sequence

from maskwright.core import RLE, BoxPrompt, CombinedPrompt, PointPrompt, Prompt
from maskwright.evaluate.clicks import ChooseClick, Click
from maskwright.evaluate.dataset import TrueObject
from maskwright.evaluate.segmenter import Answer, Session
from maskwright.evaluate.trials import Step
from maskwright.masks import boundary_iou, decode, empty_mask, iou

# Clicks after which outlines are compared, which costs more than the rest of the scoring.
_COMPARED = (1, 3, 5)


def box_answers(session: Session, objects: Sequence[TrueObject]) -> list[Answer]:
    """Ask for every object by its tight box."""
    return session.answer([BoxPrompt(one.box_xyxy) for one in objects])


def corrected_boxes(
    session: Session, objects: Sequence[TrueObject], answers: Sequence[Answer], choose: ChooseClick
) -> list[Answer]:
    """Correct the answers to boxes by one click each; what is right already stays."""
    wrong = [i for i, (one, answer) in enumerate(zip(objects, answers, strict=True)) if answer.mask != one.mask]
    prompts: list[Prompt] = []
    for i in wrong:
        click = choose(decode(answers[i].mask), decode(objects[i].mask))
        prompts.append(CombinedPrompt([BoxPrompt(objects[i].box_xyxy), PointPrompt([click.xy], [click.label])]))
    corrected = list(answers)
    if wrong:
        for i, answer in zip(wrong, session.answer(prompts, [answers[i] for i in wrong]), strict=True):
            corrected[i] = answer
    return corrected


def click_through(
    session: Session,
    objects: Sequence[TrueObject],
    choosers: Sequence[ChooseClick],
    *,
    least: int,
    most: int,
    enough: float,
) -> list[list[Answer]]:
    """Click at each object, one click after the other, and return the answer to every click.

    An object is done after `most` clicks, or when `least` clicks were made and its IoU has reached `enough`, or when
    its mask is right to the pixel. `choosers` has one rule for each object.
    """
    truths = [decode(one.mask) for one in objects]
    clicks: list[list[Click]] = [[] for _ in objects]
    answers: list[list[Answer]] = [[] for _ in objects]
    open_ones = list(range(len(objects)))
    for number in range(1, most + 1):
        for i in open_ones:
            shown = decode(answers[i][-1].mask if number > 1 else empty_mask(objects[i].mask.size_hw))
            clicks[i].append(choosers[i](shown, truths[i]))
        prompts = [PointPrompt([click.xy for click in clicks[i]], [c.label for c in clicks[i]]) for i in open_ones]
        previous = [answers[i][-1] for i in open_ones] if number > 1 else None
        for i, answer in zip(open_ones, session.answer(prompts, previous), strict=True):
            answers[i].append(answer)
        reached = {i: iou(answers[i][-1].mask, objects[i].mask) for i in open_ones}
        open_ones = [i for i in open_ones if reached[i] < 1 and (number < least or reached[i] < enough)]
        if not open_ones:
            break
    return answers


def score(answer: Answer, truth: RLE, *, with_boundary: bool = True) -> Step:
    """Compare an answer with the truth."""
    return Step(
        iou=iou(answer.mask, truth),
        boundary_iou=boundary_iou(answer.mask, truth) if with_boundary else None,
        predicted_iou=answer.predicted_iou,
    )


def score_clicks(answers: Sequence[Answer], truth: RLE) -> tuple[Step, ...]:
    """Compare the answers to all clicks with the truth; outlines after the first, third and fifth, and the last."""
    return tuple(
        score(answer, truth, with_boundary=number in _COMPARED or number == len(answers))
        for number, answer in enumerate(answers, start=1)
    )


__all__ = ["box_answers", "click_through", "corrected_boxes", "score", "score_clicks"]
