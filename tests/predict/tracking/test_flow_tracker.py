"""The tracker with the embedded model on a scene whose motion is known."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from maskwright.core import RLE, BoxPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import ImageError, MaskwrightError, PromptError, PromptOutsideImage, SettingError
from maskwright.masks import area, box_xyxy, empty_mask, iou
from maskwright.models import Model, load_model
from maskwright.predict.tracking import TrackSettings, make_tracker, propagate, propagate_both_ways, tracker_settings
from rolling_ball import SIZE_HW, Shot, shot, wood

EVERY_FOURTH = TrackSettings(stride=4)


@pytest.fixture(scope="module")
def tiny() -> Model:
    return load_model("tiny")


def masks_of(shown: Shot) -> dict[str, MaskPrompt]:
    return {name: MaskPrompt(rle) for name, rle in shown.truth.items()}


def test_objects_keep_their_masks_and_names_while_one_moves(tiny: Model) -> None:
    shots = [shot(number, is_post_there=False) for number in range(17)]
    frames = list(propagate(tiny, (one.image for one in shots), masks_of(shots[0]), settings=EVERY_FOURTH))
    assert [frame.index for frame in frames] == list(range(17))
    for shown, frame in zip(shots, frames, strict=True):
        for name in ("ball", "box"):
            assert iou(frame[name].rle, shown.truth[name]) > 0.8, (frame.index, name)
    assert {frame["ball"].source for frame in frames[:1]} == {"keyframe"}
    assert {frame["ball"].source for frame in frames[1:]} == {"carried", "segmented"}
    assert all(mask.prompt is not None for frame in frames for mask in frame.masks if mask.source == "segmented")


def test_an_object_that_goes_behind_something_is_lost_and_found_again_under_its_name(tiny: Model) -> None:
    shots = [shot(number, speed=9.0) for number in range(25)]
    frames = list(propagate(tiny, (one.image for one in shots), masks_of(shots[0]), settings=TrackSettings(stride=3)))
    hidden = [frame for frame in frames if not area(shots[frame.index].truth["ball"])]
    assert hidden
    assert all(is_a_crumb(frame["ball"].rle) for frame in hidden[2:])
    assert any(frame["ball"].state == "occluded" for frame in hidden)
    last = frames[-1]
    assert last["ball"].state == "visible"
    assert iou(last["ball"].rle, shots[-1].truth["ball"]) > 0.8
    assert iou(last["box"].rle, shots[-1].truth["box"]) > 0.8


def is_a_crumb(rle: RLE) -> bool:
    return area(rle) < 60


def test_an_object_that_leaves_has_no_phantom_mask_and_its_track_ends(tiny: Model) -> None:
    shots = [shot(number, is_post_there=False, speed=20.0) for number in range(26)]
    settings = TrackSettings(stride=4, patience=8)
    frames = list(propagate(tiny, (one.image for one in shots), masks_of(shots[0]), settings=settings))
    gone = [frame for frame in frames if frame.index > 17]  # the ball has passed the right edge by then
    assert [mask.track for mask in frames[-1].masks] == ["box"]
    for frame in gone:
        for mask in frame.masks:
            if mask.track == "ball":
                assert (mask.state, area(mask.rle), mask.confidence) == ("outside", 0, 0.0)


def test_a_cut_is_said_and_carries_nothing_over(tiny: Model) -> None:
    night = (wood(3)[:, :, ::-1] * 0.3).astype(np.uint8)
    frames = [shot(0).image, shot(1).image, Image(night), Image(night.copy())]
    found = list(propagate(tiny, frames, masks_of(shot(0)), settings=EVERY_FOURTH))
    assert [frame.is_cut for frame in found] == [False, False, True, False]
    assert {mask.state for frame in found[2:] for mask in frame.masks} == {"outside"}
    assert all(area(mask.rle) == 0 for frame in found[2:] for mask in frame.masks)


def test_a_correction_puts_a_track_right_from_there_on(tiny: Model) -> None:
    shots = [shot(number, is_post_there=False) for number in range(9)]
    prompts = {0: {"thing": MaskPrompt(shots[0].truth["box"])}, 4: {"thing": MaskPrompt(shots[4].truth["ball"])}}
    frames = list(propagate(tiny, (one.image for one in shots), prompts, settings=EVERY_FOURTH))
    assert iou(frames[3]["thing"].rle, shots[3].truth["box"]) > 0.8
    assert frames[4]["thing"].rle == shots[4].truth["ball"]
    assert iou(frames[8]["thing"].rle, shots[8].truth["ball"]) > 0.8


def test_boxes_and_clicks_begin_tracks_and_the_model_draws_them(tiny: Model) -> None:
    shown = shot(0, is_post_there=False)
    tracker = make_tracker(tiny)
    frame = tracker.step(shown.image, {"ball": PointPrompt([(40, 120)]), "box": BoxPrompt((28, 178, 102, 227))})
    assert tracker.tracks == ("ball", "box")
    for name in ("ball", "box"):
        assert frame[name].source == "keyframe"
        assert frame[name].scores.predicted_iou is not None
        assert iou(frame[name].rle, shown.truth[name]) > 0.8


def test_both_ways_meet_between_keyframes(tiny: Model) -> None:
    shots = [shot(number, is_post_there=False) for number in range(13)]
    prompts = {4: {"ball": MaskPrompt(shots[4].truth["ball"])}, 12: {"ball": MaskPrompt(shots[12].truth["ball"])}}
    frames = list(propagate_both_ways(tiny, [one.image for one in shots], prompts, settings=EVERY_FOURTH))
    assert [frame.index for frame in frames] == list(range(13))
    for shown, frame in zip(shots, frames, strict=True):
        assert iou(frame["ball"].rle, shown.truth["ball"]) > 0.8, frame.index
    assert [frame.index for frame in frames if frame["ball"].source == "keyframe"] == [4, 12]


def test_a_track_that_is_forgotten_is_gone_and_its_name_is_free(tiny: Model) -> None:
    tracker = make_tracker(tiny, EVERY_FOURTH)
    tracker.step(shot(0).image, masks_of(shot(0)))
    tracker.forget("ball")
    assert [mask.track for mask in tracker.step(shot(1).image).masks] == ["box"]
    with pytest.raises(SettingError, match="there is no track 'ball'; tracks that live: box"):
        tracker.forget("ball")
    frame = tracker.step(shot(2).image, {"ball": MaskPrompt(shot(2).truth["ball"])})
    assert frame["ball"].source == "keyframe"


def test_an_empty_mask_says_that_an_object_is_not_there(tiny: Model) -> None:
    tracker = make_tracker(tiny, EVERY_FOURTH)
    frame = tracker.step(shot(0).image, {"ball": MaskPrompt(empty_mask(SIZE_HW))})
    assert frame["ball"].state == "outside"
    for number in range(1, 6):
        frame = tracker.step(shot(number).image)
    assert frame["ball"].state == "outside"


def test_new_objects_are_found_and_named_once(tiny: Model) -> None:
    settings = TrackSettings(stride=4, find_new=4)
    shots = [shot(number, is_post_there=False) for number in range(6)]
    frames = list(propagate(tiny, (one.image for one in shots), {}, settings=settings))
    names = [mask.track for mask in frames[0].masks]
    assert names
    assert names == [f"object-{number + 1}" for number in range(len(names))]
    best = max(iou(mask.rle, shots[5].truth["ball"]) for mask in frames[5].masks)
    assert best > 0.7
    boxes = [box_xyxy(mask.rle) for mask in frames[5].masks if area(mask.rle)]
    assert len(boxes) == len(set(boxes))


BAD: list[tuple[object, type[MaskwrightError], str]] = [
    ({"ball": BoxPrompt((900, 900, 950, 950))}, PromptOutsideImage, "outside the image"),
    ({"ball": MaskPrompt(empty_mask((10, 10)))}, PromptError, "track 'ball' must have the frame's size"),
]


@pytest.mark.parametrize(("prompts", "error", "message"), BAD)
def test_a_prompt_that_does_not_fit_leaves_the_tracker_as_it_was(
    tiny: Model, prompts: dict[str, MaskPrompt], error: type[MaskwrightError], message: str
) -> None:
    tracker = make_tracker(tiny, EVERY_FOURTH)
    tracker.step(shot(0).image, {"box": MaskPrompt(shot(0).truth["box"])})
    with pytest.raises(error, match=message):
        tracker.step(shot(1).image, prompts)
    assert tracker.tracks == ("box",)
    assert tracker.step(shot(1).image).index == 1


def test_a_frame_of_another_size_is_refused(tiny: Model) -> None:
    tracker = make_tracker(tiny, EVERY_FOURTH)
    tracker.step(shot(0).image, masks_of(shot(0)))
    with pytest.raises(ImageError, match="expected 320x240"):
        tracker.step(Image(np.zeros((100, 100, 3), np.uint8)))


def test_prompts_for_frames_that_never_come_are_told(tiny: Model) -> None:
    def stream() -> Iterator[Image]:
        yield from (shot(number).image for number in range(3))

    prompts = {0: masks_of(shot(0)), 7: masks_of(shot(7))}
    with pytest.raises(PromptError, match=r"no frame for the prompts at 7 \(ball, box\); the last frame was 2"):
        list(propagate(tiny, stream(), prompts, settings=EVERY_FOURTH))
    with pytest.raises(PromptError, match="nothing to follow"):
        list(propagate(tiny, stream(), {}))
    with pytest.raises(PromptError, match="no frame 7 for a prompt; frames are 0 to 2"):
        list(propagate_both_ways(tiny, [shot(0).image] * 3, prompts))


def test_budgets_are_names_or_milliseconds() -> None:
    assert tracker_settings("80").budget_ms == 80
    assert tracker_settings("accurate").stride == 1
    with pytest.raises(SettingError, match="default, fast, accurate, or milliseconds"):
        tracker_settings("quick")
    for wrong in ({"stride": 0}, {"patience": 0}, {"learn_rate": 2.0}, {"least_stride": 9}, {"find_new": -1}):
        with pytest.raises(SettingError):
            replace(TrackSettings(), **wrong)  # type: ignore[arg-type]
