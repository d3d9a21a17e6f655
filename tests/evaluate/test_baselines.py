"""GrabCut and box-fill do what a user could do with them."""

import numpy as np
import pytest

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt, Prompt
from maskwright.core.errors import SettingError, UnsupportedPrompt
from maskwright.evaluate import BoxFill, GrabCut, Segmenter, open_baselines
from maskwright.masks import decode, empty_mask, encode, iou
from maskwright.predict import EverythingSettings


def _disc(size_hw: tuple[int, int], centre_xy: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    return np.hypot(x - centre_xy[0], y - centre_xy[1]) < radius


BALL = _disc((240, 320), (140, 120), 40)


def _picture(size: int = 1) -> Image:
    """A red ball, lit from the upper left, on grainy grey; and another ball of the same kind far away."""
    y, x = np.mgrid[:240, :320]
    light = np.clip(1.15 - np.hypot(x - 120, y - 100) / 100, 0.5, 1.2)[..., None]
    grain = np.random.default_rng(0).normal(0, 5, (240, 320, 1))
    balls = BALL | _disc((240, 320), (280, 40), 25)
    pixels = np.where(balls[..., None], light * (205, 45, 40), 150.0) + grain
    return Image(pixels.clip(0, 255).astype(np.uint8).repeat(size, 0).repeat(size, 1))


def _mask(segmenter: Segmenter, prompt: Prompt, size: int = 1) -> np.ndarray:
    (answer,) = segmenter.open(_picture(size)).answer([prompt])
    assert answer.predicted_iou is None
    return decode(answer.mask)


def _iou(mask: np.ndarray, truth: np.ndarray = BALL) -> float:
    return iou(encode(mask), encode(truth))


def test_grabcut_cuts_a_ball_out_and_box_fill_leaves_its_corners() -> None:
    box = BoxPrompt((100, 80, 180, 160))

    assert _iou(_mask(GrabCut(), box)) > 0.95
    assert _iou(_mask(BoxFill(), box)) == pytest.approx(np.pi / 4, abs=0.02)


def test_grabcut_answers_a_click_with_what_hangs_together_there() -> None:
    mask = _mask(GrabCut(), PointPrompt([(140, 120)]))

    assert _iou(mask) > 0.9
    assert not mask[:, 220:].any()


def test_a_large_picture_gets_its_mask_at_full_size() -> None:
    mask = _mask(GrabCut(), BoxPrompt((400, 320, 720, 640)), size=4)

    assert mask.shape == (960, 1280)
    assert _iou(mask, BALL.repeat(4, 0).repeat(4, 1)) > 0.95


def test_a_box_in_which_grabcut_finds_nothing_is_its_own_answer() -> None:
    flat = Image(np.full((60, 80, 3), 128, np.uint8))

    (answer,) = GrabCut().open(flat).answer([BoxPrompt((10, 10, 50, 40))])

    assert decode(answer.mask).sum() == 40 * 30


def test_a_box_over_the_whole_picture_is_its_own_answer() -> None:
    assert _mask(GrabCut(), BoxPrompt((0, 0, 320, 240))).all()


@pytest.mark.parametrize("segmenter", [GrabCut(), BoxFill()], ids=["grabcut", "box-fill"])
def test_a_click_beside_the_object_takes_away(segmenter: Segmenter) -> None:
    box = BoxPrompt((100, 80, 180, 160))
    corrected = _mask(segmenter, CombinedPrompt([box, PointPrompt([(150, 130)], [0])]))

    assert _mask(segmenter, box)[130, 150]
    assert not corrected[130, 150]


def test_a_second_click_adds_what_it_names() -> None:
    mask = _mask(GrabCut(), PointPrompt([(140, 120), (280, 40)]))

    assert mask[120, 140]
    assert mask[40, 280]


@pytest.mark.parametrize("segmenter", [GrabCut(), BoxFill()], ids=["grabcut", "box-fill"])
def test_baselines_refuse_what_they_cannot_do(segmenter: Segmenter) -> None:
    session = segmenter.open(_picture())

    with pytest.raises(UnsupportedPrompt, match=f"{segmenter.name} takes a box or clicks, got MaskPrompt"):
        session.answer([MaskPrompt(empty_mask((240, 320)))])
    with pytest.raises(UnsupportedPrompt, match="finds nothing by itself"):
        session.everything(EverythingSettings())


def test_an_unknown_baseline_lists_those_there_are() -> None:
    with pytest.raises(SettingError, match="baselines are some of grabcut, box-fill; got magic"):
        open_baselines(["grabcut", "magic"])
