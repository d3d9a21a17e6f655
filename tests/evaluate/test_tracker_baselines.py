import cv2
import numpy as np
import pytest

from maskwright.core import BoxPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import ImageError, SettingError, UnsupportedPrompt
from maskwright.evaluate import Answer, Contender, LabelledSequence, SequenceFrame, baseline_tracker, evaluate_tracking
from maskwright.masks import empty_mask, encode, iou
from scripted_segmenter import Scripted

SIZE_HW = (96, 128)


def scene(shift: int = 0) -> tuple[Image, np.ndarray]:
    """A speckled square over speckled ground, `shift` pixels to the right."""
    rng = np.random.default_rng(5)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (*SIZE_HW, 3)).astype(np.uint8), (0, 0), 2)
    square = cv2.GaussianBlur(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8), (0, 0), 2)
    ground[30:62, 20 + shift : 52 + shift] = square
    mask = np.zeros(SIZE_HW, bool)
    mask[30:62, 20 + shift : 52 + shift] = True
    return Image(ground), mask


def prompt(shift: int = 0) -> MaskPrompt:
    return MaskPrompt(encode(scene(shift)[1]))


def test_flow_follows_what_moves_and_a_mask_at_rest_does_not() -> None:
    flow, static = baseline_tracker("flow", None), baseline_tracker("static", None)

    for number in range(9):
        asked = {"square": prompt()} if number == 0 else None
        moved, stayed = (tracker.step(scene(2 * number)[0], asked) for tracker in (flow, static))

    truth = encode(scene(16)[1])
    assert iou(moved["square"].rle, truth) > 0.65  # it smears where ground comes to light
    assert iou(stayed["square"].rle, truth) == pytest.approx(16 / 48)
    assert moved.index == 8
    assert moved["square"].source == "carried"
    assert moved.image_digest == scene(16)[0].digest


def test_the_frame_of_a_prompt_is_a_keyframe_and_a_later_prompt_corrects() -> None:
    tracker = baseline_tracker("static", None)

    first = tracker.step(scene()[0], {"square": prompt()})
    again = tracker.step(scene(8)[0], {"square": prompt(8), "other": prompt(3)})

    assert first["square"].source == again["square"].source == "keyframe"
    assert again["square"].rle == prompt(8).rle
    assert tracker.tracks == ("square", "other")


def test_the_last_box_is_asked_on_every_frame_and_what_is_lost_stays_lost() -> None:
    segmenter = Scripted(box=Answer(mask=encode(scene(4)[1])))
    tracker = baseline_tracker("previous-box", segmenter)

    tracker.step(scene()[0], {"square": prompt()})
    tracker.step(scene()[0])
    segmenter.box = Answer(mask=empty_mask(SIZE_HW))
    tracker.step(scene()[0])
    last = tracker.step(scene()[0])

    assert segmenter.asked == [BoxPrompt((20, 30, 52, 62)), BoxPrompt((24, 30, 56, 62))]
    assert last["square"].rle == empty_mask(SIZE_HW)
    assert last["square"].state == "outside"


def test_a_box_or_a_click_is_drawn_by_the_model() -> None:
    segmenter = Scripted(box=Answer(mask=prompt().rle), clicks=[Answer(mask=prompt(8).rle)])

    begun = baseline_tracker("flow", segmenter).step(
        scene()[0], {"a": BoxPrompt((20, 30, 52, 62)), "b": PointPrompt([(40, 40)]), "c": prompt(3)}
    )

    assert [begun[name].rle for name in "abc"] == [prompt().rle, prompt(8).rle, prompt(3).rle]


def test_without_a_model_a_box_cannot_be_drawn() -> None:
    with pytest.raises(UnsupportedPrompt, match="without a model a baseline begins from masks alone"):
        baseline_tracker("flow", None).step(scene()[0], {"a": BoxPrompt((1, 1, 9, 9))})
    with pytest.raises(UnsupportedPrompt, match="previous-box asks a model on every frame"):
        baseline_tracker("previous-box", None)
    with pytest.raises(SettingError, match="baselines of tracking are some of flow, previous-box, static; got magic"):
        baseline_tracker("magic", None)


@pytest.mark.parametrize("name", ["flow", "static", "previous-box"])
def test_a_track_can_be_forgotten_and_frames_of_another_size_are_refused(name: str) -> None:
    tracker = baseline_tracker(name, Scripted(box=Answer(mask=prompt().rle)))
    tracker.step(scene()[0], {"a": prompt(), "b": prompt(3)})

    with pytest.raises(ImageError, match=r"one size \(height, width\): \(96, 128\), then \(9, 9\)"):
        tracker.step(Image(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(ImageError, match=r"the mask of c is \(4, 4\)"):
        tracker.step(scene()[0], {"c": MaskPrompt(empty_mask((4, 4)))})
    tracker.forget("a")

    assert tracker.tracks == ("b",)
    assert [mask.track for mask in tracker.step(scene(1)[0]).masks] == ["b"]
    with pytest.raises(SettingError, match="there is no track 'a'; there are b"):
        tracker.forget("a")


def test_pictures_too_small_for_flow_leave_masks_where_they_are() -> None:
    tracker, tiny = baseline_tracker("flow", None), Image(np.zeros((5, 7, 3), np.uint8))
    mask = MaskPrompt(encode(np.eye(5, 7, dtype=bool)))

    tracker.step(tiny, {"a": mask})

    assert tracker.step(tiny)["a"].rle == mask.rle


def test_flow_stands_above_a_mask_at_rest_where_things_move() -> None:
    def read(start: int, stop: int | None):  # type: ignore[no-untyped-def]
        for index in range(10)[start:stop]:
            image, mask = scene(3 * index)
            yield SequenceFrame(index=index, image=image, truth={"square": encode(mask)})

    done = evaluate_tracking(
        [Contender(name=name, make=lambda name=name: baseline_tracker(name, None)) for name in ("flow", "static")],
        [LabelledSequence(name="moving", num_frames=10, read=read)],
        dataset="x",
    )

    flow, static = (one.objects[0].scores for one in done.scores)
    assert all(a > b for a, b in zip(flow.j, static.j, strict=True))
    assert sum(flow.j) > sum(static.j) + 1
