"""The evaluator on segmenters whose answers are known, and the real ones on a picture that both can do."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import UnsupportedPrompt
from maskwright.core.image import Image
from maskwright.core.prompt import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from maskwright.evaluate import (
    Answer,
    BoxFill,
    Example,
    GrabCut,
    evaluate,
    first_click,
    format_table,
    next_click,
    summarise,
)
from maskwright.evaluate.__main__ import main
from maskwright.evaluate.benchmark import dense_iou, tight_box
from maskwright.evaluate.segmenter import AnswerPrompt
from maskwright.masks.rle import encode


def _disc(size_hw: tuple[int, int], centre_xy: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    return np.hypot(x - centre_xy[0], y - centre_xy[1]) < radius


def _example() -> Example:
    """A red ball, lit from the upper left, on grainy grey."""
    truth = _disc((120, 160), (70, 60), 30)
    y, x = np.mgrid[:120, :160]
    light = np.clip(1.15 - np.hypot(x - 58, y - 46) / 70, 0.3, 1.2)[..., None]
    grain = np.random.default_rng(0).normal(0, 5, (120, 160, 1))
    pixels = np.where(truth[..., None], light * (205, 45, 40), 150.0) + grain
    return Example(name="ball#0", image=Image(pixels.clip(0, 255).astype(np.uint8)), truth=truth)


class _Scripted:
    """Answers every prompt with the next of some masks, and remembers the prompts."""

    name = "scripted"

    def __init__(self, masks: list[np.ndarray]) -> None:
        self.masks, self.prompts, self.opened = masks, list[Prompt](), 0

    def open(self, image: Image) -> Callable[[], AnswerPrompt]:
        self.opened += 1

        def begin() -> AnswerPrompt:
            left = iter(self.masks)

            def answer(prompt: Prompt) -> Answer:
                self.prompts.append(prompt)
                return Answer(mask=next(left), predicted_iou=0.5)

            return answer

        return begin


def test_each_click_goes_to_the_largest_error_of_the_last_answer() -> None:
    example = _example()
    too_much = example.truth.copy()
    too_much[100:, :40] = True
    segmenter = _Scripted([too_much, example.truth, example.truth])

    (row,) = evaluate(segmenter, [example], max_clicks=3)

    _, one, two, _ = segmenter.prompts
    assert isinstance(one, PointPrompt)
    assert isinstance(two, PointPrompt)
    assert one.points_xy == (first_click(example.truth),)
    assert two.labels == (1, 0)
    x, y = two.points_xy[1]
    assert too_much[int(y), int(x)]
    assert not example.truth[int(y), int(x)]
    assert row.click_ious[1:] == (1.0, 1.0)
    assert row.clicks_to(0.999) == 2
    assert row.box_iou == pytest.approx(dense_iou(too_much, example.truth))


def test_a_quality_that_is_never_reached_costs_every_click() -> None:
    example = _example()

    (row,) = evaluate(_Scripted([~example.truth] * 4), [example], max_clicks=4)

    assert row.clicks_to(0.85) == 4


def test_objects_of_one_picture_share_its_opening() -> None:
    example = _example()
    segmenter = _Scripted([example.truth] * 2)

    assert len(list(evaluate(segmenter, [example, example], max_clicks=1))) == 2
    assert segmenter.opened == 1


def test_a_belief_is_scored_by_its_distance_from_the_truth() -> None:
    example = _example()

    summary = summarise("s", list(evaluate(_Scripted([example.truth]), [example], max_clicks=1)))

    assert summary.belief_error == pytest.approx(0.5)
    assert "| s | 1 | 1.000 | 1.000 | 1.000 | 1.00 | 1.00 | 0.500 |" in format_table([summary])


@given(
    x=st.floats(5, 55), y=st.floats(5, 35), radius=st.floats(1.5, 30), other_x=st.floats(5, 55), other=st.floats(1, 30)
)
def test_a_click_lies_in_the_error_that_its_label_names(
    x: float, y: float, radius: float, other_x: float, other: float
) -> None:
    truth, predicted = _disc((40, 60), (x, y), radius), _disc((40, 60), (other_x, y), other)
    if np.array_equal(truth, predicted):
        return

    (px, py), label = next_click(predicted, truth)

    assert truth[int(py), int(px)] == (label == 1)
    assert predicted[int(py), int(px)] == (label == 0)


def test_a_tight_box_holds_the_mask_and_touches_it_on_every_side() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3:11] = True

    assert tight_box(mask) == (3.0, 2.0, 11.0, 5.0)


def test_grabcut_cuts_a_ball_out_and_box_fill_leaves_its_corners() -> None:
    example = _example()

    (cut,) = evaluate(GrabCut(), [example], max_clicks=1)
    (filled,) = evaluate(BoxFill(), [example], max_clicks=1)

    assert cut.box_iou > 0.95
    assert cut.box_belief is None
    assert filled.box_iou == pytest.approx(np.pi / 4, abs=0.02)


def test_a_box_over_the_whole_picture_is_its_own_answer() -> None:
    image = _example().image

    answer = GrabCut().open(image)()(BoxPrompt((0, 0, 160, 120)))

    assert answer.mask.all()


@pytest.mark.parametrize("baseline", [GrabCut(), BoxFill()])
def test_baselines_refuse_a_prompt_that_they_cannot_take(baseline: GrabCut | BoxFill) -> None:
    example = _example()
    prompt = MaskPrompt(encode(example.truth))

    with pytest.raises(UnsupportedPrompt, match=f"{baseline.name} takes a box or clicks, got MaskPrompt"):
        baseline.open(example.image)()(prompt)


def test_the_command_writes_a_table_and_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = _example()
    PillowImage.fromarray(example.image.pixels).save(tmp_path / "ball.png")
    PillowImage.fromarray(example.truth.astype(np.uint8) * 255).save(tmp_path / "ball_mask.png")

    main([str(tmp_path), "--clicks", "3", "--json", str(tmp_path / "rows.json")])

    header, _, *lines = capsys.readouterr().out.splitlines()
    assert header.startswith("| segmenter | objects | box | box boundary | 1 click | 3 clicks | NoC@85 of 3 |")
    assert [line.split(" | ")[0] for line in lines] == ["| tiny", "| grabcut", "| box-fill"]
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows["tiny"][0]["name"] == "ball#0"
    assert rows["tiny"][0]["box_iou"] > 0.8
    assert len(rows["grabcut"][0]["click_ious"]) == 3
