"""The simulated user, on pictures and answers that are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from maskwright.core import BoxPrompt, CombinedPrompt, PointPrompt
from maskwright.core.errors import ImageError, SettingError
from maskwright.evaluate import (
    Answer,
    BoxFill,
    Dataset,
    Evaluation,
    GrabCut,
    PictureSource,
    Trial,
    TrueObject,
    evaluate,
    summarise,
    to_csv,
)
from maskwright.masks import empty_mask, encode
from scripted_segmenter import SIZE_HW, Scripted, bitmap

MakeDataset = Callable[..., Dataset]
HALF = encode(bitmap((slice(10, 30), slice(10, 20))))  # the left half of the square
MOST = encode(bitmap((slice(10, 30), slice(10, 29))))  # 0.95 of it


def _trials(evaluation: Evaluation, kind: str) -> list[Trial]:
    return [trial for trial in evaluation.trials if trial.kind == kind]


def test_a_box_is_tight_and_the_click_after_it_lies_in_what_is_missing(
    dataset: MakeDataset, square: TrueObject
) -> None:
    segmenter = Scripted(box=Answer(mask=HALF, predicted_iou=0.7))

    evaluation = evaluate([segmenter], dataset(square), tasks=["box"])

    box, corrected = segmenter.asked
    assert isinstance(box, BoxPrompt)
    assert box.box_xyxy == (10, 10, 30, 30)
    assert isinstance(corrected, CombinedPrompt)
    click = corrected.parts[1]
    assert isinstance(click, PointPrompt)
    assert click.labels == (1,)
    assert 20 <= click.points_xy[0][0] < 30
    (trial,) = _trials(evaluation, "box")
    assert trial.after(1).iou == 0.5
    assert trial.after(1).predicted_iou == 0.7


def test_fewer_clicks_are_asked_where_fewer_are_wanted(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(clicks=[Answer(mask=HALF)])

    evaluation = evaluate([segmenter], dataset(square), tasks=["click"], num_clicks=1)

    assert len(segmenter.asked) == 1
    (summary,) = summarise(evaluation)
    assert summary.scores["1 click"] == 0.5


def test_an_answer_that_is_right_to_the_pixel_is_not_corrected(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(box=Answer(mask=square.mask))

    evaluation = evaluate([segmenter], dataset(square), tasks=["box"])

    assert len(segmenter.asked) == 1
    assert _trials(evaluation, "box+click")[0].after(1).iou == 1


def test_clicks_go_on_until_the_answer_is_good_and_are_at_least_five(dataset: MakeDataset, square: TrueObject) -> None:
    early = Scripted(name="early", clicks=[Answer(mask=HALF), Answer(mask=MOST)])
    late = Scripted(name="late", clicks=[*[Answer(mask=HALF)] * 8, Answer(mask=MOST)])
    never = Scripted(name="never", clicks=[Answer(mask=HALF)])

    evaluation = evaluate([early, late, never], dataset(square), tasks=["noc"])

    steps = {trial.segmenter: len(trial.steps) for trial in _trials(evaluation, "click")}
    assert steps == {"early": 5, "late": 9, "never": 20}
    noc = {one.segmenter: one.scores["NoC@90"] for one in summarise(evaluation)}
    assert noc == {"early": 2, "late": 9, "never": 20}


def test_a_perfect_first_answer_needs_no_second_click(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(clicks=[Answer(mask=square.mask)])

    (summary,) = summarise(evaluate([segmenter], dataset(square), tasks=["click"]))

    assert len(segmenter.asked) == 1
    assert summary.scores["5 clicks"] == 1
    assert summary.scores["NoC@85"] is None  # five clicks cannot tell


def test_clicks_of_one_prompt_grow_by_one_and_follow_the_error(dataset: MakeDataset, square: TrueObject) -> None:
    too_much = encode(bitmap((slice(10, 30), slice(10, 50))))
    segmenter = Scripted(clicks=[Answer(mask=too_much)])

    evaluate([segmenter], dataset(square), tasks=["click"])

    prompts = [prompt for prompt in segmenter.asked if isinstance(prompt, PointPrompt)]
    assert [len(prompt.points_xy) for prompt in prompts] == [1, 2, 3, 4, 5]
    assert prompts[-1].labels == (1, 0, 0, 0, 0)
    assert 30 <= prompts[1].points_xy[1][0] < 50


def test_random_clicks_are_drawn_three_times_and_do_not_depend_on_who_else_is_asked(
    dataset: MakeDataset, square: TrueObject
) -> None:
    alone, among = Scripted(clicks=[Answer(mask=HALF)]), Scripted(clicks=[Answer(mask=HALF)])

    evaluate([alone], dataset(square), tasks=["noc", "random"])
    evaluation = evaluate([BoxFill(), among], dataset(square), tasks=["noc", "random"])

    asked = [prompt for prompt in among.asked if isinstance(prompt, PointPrompt)]
    assert [prompt for prompt in alone.asked if isinstance(prompt, PointPrompt)] == asked
    draws = [trial.draw for trial in _trials(evaluation, "random") if trial.segmenter == "scripted"]
    assert draws == [0, 1, 2]
    firsts = {prompt.points_xy[0] for prompt in asked if len(prompt.points_xy) == 1}
    assert len(firsts) > 2


def test_boxes_of_rectangles_are_filled_rightly(dataset: MakeDataset, square: TrueObject) -> None:
    (summary,) = summarise(evaluate([BoxFill()], dataset(square), tasks=["box"]))

    assert summary.scores["box"] == 1
    assert summary.scores["box boundary"] == 1
    assert summary.scores["belief error"] is None


NAMED = TrueObject(key="a", mask=HALF, name="mug", colour="red")
OTHER = TrueObject(key="b", mask=encode(bitmap((slice(0, 8), slice(40, 55)))), name="bowl", colour="blue")


def test_phrases_are_scored_with_what_is_absent(dataset: MakeDataset) -> None:
    said = {
        "mug": Answer(mask=HALF, predicted_iou=0.9),
        "red mug": Answer(mask=OTHER.mask, predicted_iou=0.9),
        "bowl": Answer(mask=empty_mask(SIZE_HW), predicted_iou=0.3),
        "blue bowl": Answer(mask=OTHER.mask, predicted_iou=0.8),
        "knife": Answer(mask=HALF, predicted_iou=0.7),
    }
    names = ("bowl", "knife", "mug")

    evaluation = evaluate([Scripted(phrases=said)], dataset(NAMED, OTHER, names=names), tasks=["text"])

    (summary,) = summarise(evaluation)
    assert summary.scores["name right"] == 0.5
    assert summary.scores["colour + name right"] == 0.5
    assert summary.scores["text answered"] == 0.75
    # Given: mug (right), red mug (wrong), blue bowl (right), knife (absent). The other colour was answered by nothing.
    assert summary.scores["text precision"] == 0.5
    assert summary.scores["absent told"] == 0.5


def test_a_phrase_with_an_unknown_word_is_noted_and_the_others_are_asked(dataset: MakeDataset) -> None:
    odd = TrueObject(key="c", mask=OTHER.mask, name="unheard thing")
    segmenter = Scripted(phrases={"mug": Answer(mask=HALF, predicted_iou=0.9)})

    evaluation = evaluate([segmenter], dataset(NAMED, odd, names=("mug", "unheard thing")), tasks=["text"])

    assert any("scripted does not know the words of 1 phrases" in note for note in evaluation.notes)
    assert {trial.asked for trial in evaluation.trials} >= {"mug", "red mug"}


def test_what_cannot_be_asked_is_noted(dataset: MakeDataset, square: TrueObject) -> None:
    evaluation = evaluate([BoxFill()], dataset(square), tasks=["box", "everything", "text"])

    assert "box-fill cannot be asked: everything, text" in evaluation.notes
    assert "text was not asked: the objects of this data have no names" in evaluation.notes


def test_a_run_in_which_nothing_can_be_asked_is_an_error(dataset: MakeDataset, square: TrueObject) -> None:
    with pytest.raises(SettingError, match="nothing could be asked. box-fill cannot be asked: everything"):
        evaluate([BoxFill()], dataset(square), tasks=["everything"])
    with pytest.raises(SettingError, match="no object is large enough"):
        evaluate([BoxFill()], dataset(), tasks=["box"])


@pytest.mark.parametrize(
    ("names", "tasks", "message"),
    [
        ([], ["box"], "at least one model or baseline"),
        (["box-fill", "box-fill"], ["box"], "box-fill was given more than once"),
        (["box-fill"], ["boxes"], "tasks are some of box, click, noc, random, everything, text; got boxes"),
        (["box-fill"], [], "got none"),
    ],
)
def test_settings_are_checked_before_anything_is_read(names: list[str], tasks: list[str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        evaluate([BoxFill() for _ in names], Dataset(name="empty", sources=()), tasks=tasks)


def _broken() -> PictureSource:
    def read() -> None:
        raise ImageError("the picture is damaged: b.png")

    return PictureSource(name="b", read=read)  # type: ignore[arg-type]


def test_a_picture_that_cannot_be_read_is_left_out_with_a_note(dataset: MakeDataset, square: TrueObject) -> None:
    good = dataset(square)
    seen: list[tuple[int, int]] = []
    data = Dataset(name="mixed", sources=(_broken(), *good.sources))

    evaluation = evaluate([BoxFill()], data, tasks=["box"], progress=lambda done, total: seen.append((done, total)))

    assert evaluation.num_pictures == 1
    assert evaluation.notes == ("1 pictures could not be used; the first: the picture is damaged: b.png",)
    assert seen == [(1, 2), (2, 2)]


def test_pictures_side_by_side_give_the_same_in_the_same_order(dataset: MakeDataset) -> None:
    shapes = [bitmap((slice(10, 30), slice(5, 6)), (slice(10, 11), slice(5, 7 + i))) for i in range(12)]
    pictures = [dataset(TrueObject(key="bar", mask=encode(shape))).sources[0].read() for shape in shapes]
    named = [replace(picture, name=f"p{i}") for i, picture in enumerate(pictures)]
    sources = [PictureSource(name=one.name, read=lambda one=one: one) for one in named]
    data = Dataset(name="many", sources=(*sources[:5], _broken(), *sources[5:]))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found = [evaluate([GrabCut(), BoxFill()], data, tasks=["box", "click"], at_once=n) for n in (1, 3)]
    finally:
        torch.set_num_threads(before)

    alone, together = (replace(one, timings={}) for one in found)
    assert together == alone
    assert [trial.picture for trial in together.trials if trial.segmenter == "grabcut"][::15] == ["p0", "p5", "p10"]
    assert found[1].timings["grabcut"].num_answers == found[0].timings["grabcut"].num_answers > 0


def test_data_without_a_readable_picture_gives_the_first_error() -> None:
    with pytest.raises(ImageError, match="the picture is damaged: b.png"):
        evaluate([BoxFill()], Dataset(name="broken", sources=(_broken(),)), tasks=["box"])


def test_every_answer_is_a_row(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(box=Answer(mask=HALF, predicted_iou=0.7), clicks=[Answer(mask=HALF, predicted_iou=0.25)])

    rows = to_csv(evaluate([segmenter], dataset(square), tasks=["box", "click"]).trials).splitlines()

    assert rows[0].startswith("segmenter,kind,picture,asked,draw,step,iou,")
    assert len(rows) == 1 + 1 + 1 + 5
    assert rows[1].startswith("scripted,box,p0,square,0,1,0.5,")
    assert rows[-1].split(",")[5:7] == ["5", "0.5"]
    assert rows[-1].split(",")[8] == "0.25"


def test_the_worst_and_the_best_are_kept_and_no_more(dataset: MakeDataset) -> None:
    corners = [bitmap((slice(10, 30), slice(5, 6)), (slice(10, 11), slice(5, 7 + i))) for i in range(30)]
    objects = [TrueObject(key=str(i), mask=encode(corner)) for i, corner in enumerate(corners)]

    evaluation = evaluate([BoxFill()], dataset(*objects), tasks=["box"])

    ious = sorted(trial.after(1).iou for trial in _trials(evaluation, "box"))
    assert sorted(case.iou for case in evaluation.cases) == ious[:8] + ious[-4:]


def test_grabcut_and_box_fill_stand_in_one_table(dataset: MakeDataset, square: TrueObject) -> None:
    summaries = summarise(evaluate([GrabCut(), BoxFill()], dataset(square), tasks=["box", "click"]))

    assert [one.segmenter for one in summaries] == ["grabcut", "box-fill"]
    assert all(0 <= one.scores["1 click"] <= 1 for one in summaries if one.scores["1 click"] is not None)
    assert all(one.scores["box + click"] is not None for one in summaries)


def test_an_empty_answer_has_no_overlap(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(box=Answer(mask=empty_mask(SIZE_HW), predicted_iou=np.float32(0.4).item()))

    (summary,) = summarise(evaluate([segmenter], dataset(square), tasks=["box"]))

    assert summary.scores["box"] == 0
    assert summary.scores["belief error"] == pytest.approx(0.4)
