import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import nibabel
import numpy as np
import pytest

from maskwright.core import BoxPrompt, Image, MaskPrompt, PointPrompt, Prompt
from maskwright.core.errors import PromptError, PromptOutsideImage, SettingError
from maskwright.datasets.medical import Window
from maskwright.datasets.volume_files import open_volume
from maskwright.masks import decode, empty_mask, encode
from maskwright.models import load_model
from maskwright.predict.tracking import TrackedFrame, TrackedMask
from maskwright.workflows.volumes import segment_volume
from volume_data import BOX, OBLIQUE, SHAPE, box_volume, world_centre, write_nifti

BRIGHT = Window(60, 20)  # the box is white in it, all else black


@dataclass
class Carrying:
    """A tracker that knows its answer: `follow` says what becomes of the last mask on a new slice."""

    follow: str = "repeat"
    sure: Mapping[str, float] = field(default_factory=dict)
    last: dict[str, np.ndarray] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(self.last)

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        bright = image.pixels[:, :, 0] > 127
        if self.follow == "bright":
            self.last = dict.fromkeys(self.last, bright)
        for name, prompt in (prompts or {}).items():
            self.last[name] = decode(prompt.rle) if isinstance(prompt, MaskPrompt) else bright
        self.seen.append(image.digest)
        masks = tuple(
            TrackedMask(
                track=name,
                rle=encode(mask),
                source="keyframe" if name in (prompts or {}) else "carried",
                confidence=self.sure.get(name, 0.8),
            )
            for name, mask in self.last.items()
        )
        return TrackedFrame(index=len(self.seen) - 1, image_digest=image.digest, masks=masks)

    def forget(self, track: str) -> None:
        del self.last[track]


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam", device="cpu")


@pytest.fixture
def volume(tmp_path):
    return open_volume(write_nifti(tmp_path / "ct.nii.gz", box_volume()))


def passes(*trackers):
    """Hand out one tracker for the way forward and one for the way back."""
    waiting = list(trackers)
    return lambda: waiting.pop(0)


def square(rows: slice, columns: slice) -> MaskPrompt:
    mask = np.zeros((SHAPE[1], SHAPE[0]), bool)
    mask[rows, columns] = True
    return MaskPrompt(encode(mask))


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("at", ["first", "middle", "last"])
def test_an_object_is_followed_to_both_ends_along_every_axis(tmp_path, model, axis, at):
    # a grid of equal sides, so that its pictures are the voxels and the answer is known to the voxel
    volume = open_volume(write_nifti(tmp_path / "ct.nii", box_volume(), np.diag([-1.0, -1.0, 1.0, 1.0])))
    number = ("sagittal", "coronal", "axial").index(axis)
    index = {"first": BOX[number].start, "middle": 8, "last": BOX[number].stop - 1}[at]

    found = segment_volume(
        model,
        volume,
        {index: {"box": PointPrompt([(8, 8)])}},
        axis=axis,
        intensity=BRIGHT,
        new_tracker=lambda: Carrying(follow="bright"),
    )

    assert (found.labels == (box_volume() >= 100)).all()
    assert found.labels.dtype == np.uint8
    (one,) = found.objects
    assert (one.number, one.name, one.num_voxels) == (1, "box", 7 * 7 * 6)
    assert (one.first_slice, one.last_slice) == (BOX[number].start, BOX[number].stop - 1)
    assert one.volume_ml == pytest.approx(one.num_voxels / 1000)


def test_labels_of_an_oblique_flipped_volume_lie_on_the_object_in_the_world(tmp_path, model, volume):
    found = segment_volume(
        model,
        volume,
        {5: {"box": BoxPrompt((4, 6, 11, 13))}},
        intensity=BRIGHT,
        new_tracker=lambda: Carrying(follow="bright"),
    )
    found.save(tmp_path / "box.nii.gz")

    back = nibabel.load(tmp_path / "box.nii.gz")
    drawn = np.asarray(back.dataobj) == 1
    assert (np.asarray(back.dataobj) == found.labels).all()
    wanted = world_centre(box_volume() >= 100, OBLIQUE)
    # pictures of these voxels are stretched, so an edge may be off by one voxel of 1.1 mm
    assert world_centre(drawn, back.affine) == pytest.approx(wanted, abs=0.6)


def test_each_slice_is_shown_once_in_each_direction_from_the_outermost_prompts(model, volume):
    forward, backward = Carrying(), Carrying()
    told = []

    segment_volume(
        model,
        volume,
        {3: {"a": square(slice(1, 4), slice(1, 4))}, 8: {"b": square(slice(6, 9), slice(6, 9))}},
        new_tracker=passes(forward, backward),
        progress=lambda done, total: told.append((done, total)),
    )

    assert len(forward.seen) == SHAPE[2] - 3
    assert len(backward.seen) == 9
    assert forward.seen[:6] == backward.seen[:6][::-1]
    assert told == [(done, 18) for done in range(1, 19)]


def test_between_two_prompted_slices_the_nearer_wins(model, volume):
    low, high = square(slice(0, 2), slice(0, 2)), square(slice(10, 12), slice(10, 12))

    found = segment_volume(model, volume, {2: {"a": low}, 9: {"a": high}}, new_tracker=Carrying)

    at_low, at_high = found.labels[0, 0, :], found.labels[10, 10, :]
    assert at_low.tolist() == [1] * 6 + [0] * 6
    assert at_high.tolist() == [0] * 6 + [1] * 6


def test_between_two_prompted_slices_the_surer_reaches_further(model, volume):
    low, high = square(slice(0, 2), slice(0, 2)), square(slice(10, 12), slice(10, 12))

    found = segment_volume(
        model,
        volume,
        {1: {"a": low}, 10: {"a": high}},
        new_tracker=passes(Carrying(sure={"a": 0.3}), Carrying(sure={"a": 0.9})),
    )

    assert found.labels[0, 0, :].tolist() == [1] * 4 + [0] * 8
    assert found.labels[10, 10, :11].tolist() == [0] * 4 + [1] * 7


@dataclass
class Jumping(Carrying):
    """Sees another object on the third slice after a prompt, and the right one again on the fourth."""

    num_since: int = 0

    def step(self, image, prompts=None):
        self.num_since = 0 if prompts else self.num_since + 1
        kept = self.last
        if self.num_since == 3:
            self.last = {name: np.roll(mask, 5, axis=1) for name, mask in self.last.items()}
        told = super().step(image, prompts)
        self.last = self.last if self.num_since != 3 else kept
        return told


def test_an_object_that_is_no_longer_where_it_was_has_ended_and_does_not_come_back(model, volume):
    shown = {5: {"a": square(slice(0, 2), slice(0, 2))}}

    found = segment_volume(model, volume, shown, new_tracker=Jumping)

    assert found.labels[0, 0, :].tolist() == [0] * 3 + [1] * 5 + [0] * 4
    assert found.labels[5, 0, :].max() == 0


def test_an_object_that_is_shown_again_further_on_has_not_ended(model, volume):
    low = square(slice(0, 2), slice(0, 2))

    found = segment_volume(
        model, volume, {1: {"a": low}, 11: {"a": low}}, new_tracker=lambda: Carrying(sure={"a": 0.1})
    )

    assert found.labels[0, 0, :].tolist() == [0] + [1] * 11


def test_an_object_is_followed_by_the_real_tracker(model, volume):
    told = []

    found = segment_volume(
        model,
        volume,
        {5: {"box": square(slice(6, 13), slice(4, 11))}},
        intensity=BRIGHT,
        progress=lambda done, total: told.append((done, total)),
    )

    assert (found.labels[:, :, 5] == (box_volume()[:, :, 5] >= 100)).all()  # what was shown is as it was shown
    assert told[-1] == (13, 13)


def test_the_same_command_gives_the_same_labels(model, volume):
    shown = {5: {"box": BoxPrompt((4, 6, 11, 13)), "other": BoxPrompt((12, 1, 18, 5))}}

    one, other = (segment_volume(model, volume, shown, intensity=BRIGHT) for _ in range(2))

    assert (one.labels == other.labels).all()


def test_an_object_that_one_side_lost_is_taken_from_the_other(model, volume):
    @dataclass
    class Losing(Carrying):
        def step(self, image, prompts=None):
            told = super().step(image, prompts)
            self.last = {name: np.zeros_like(mask) for name, mask in self.last.items()}
            return told

    shown = {2: {"a": square(slice(0, 2), slice(0, 2))}, 9: {"a": square(slice(10, 12), slice(10, 12))}}

    found = segment_volume(model, volume, shown, new_tracker=passes(Losing(), Carrying()))

    assert found.labels[0, 0, :4].tolist() == [1, 1, 1, 0]
    assert found.labels[10, 10, :].tolist() == [0] * 3 + [1] * 7 + [0] * 2


def test_where_objects_meet_the_surer_has_the_voxel_and_the_first_named_a_tie(model, volume):
    left, right = square(slice(2, 6), slice(2, 8)), square(slice(2, 6), slice(6, 12))
    shown = {5: {"left": left, "right": right}}

    tie = segment_volume(model, volume, shown, new_tracker=Carrying)
    surer = segment_volume(model, volume, shown, new_tracker=lambda: Carrying(sure={"left": 0.5, "right": 0.6}))

    assert tie.labels[:, 3, 5].tolist() == [0] * 2 + [1] * 6 + [2] * 4 + [0] * 8
    assert surer.labels[:, 3, 5].tolist() == [0] * 2 + [1] * 4 + [2] * 6 + [0] * 8
    assert tie.names == {1: "left", 2: "right"}


def test_more_objects_than_a_byte_counts_get_two(model, volume):
    shown = {5: {f"cell {i}": square(slice(i // 20, i // 20 + 1), slice(i % 20, i % 20 + 1)) for i in range(300)}}

    found = segment_volume(model, volume, shown, new_tracker=Carrying)

    assert found.labels.dtype == np.uint16
    assert found.labels[:, :15, 0].ravel(order="F").tolist() == list(range(1, 301))


def test_what_is_never_seen_has_no_slices(model, volume):
    shown = {5: {"nothing": MaskPrompt(empty_mask((SHAPE[1], SHAPE[0])))}}

    (one,) = segment_volume(model, volume, shown, new_tracker=Carrying).objects

    assert (one.num_voxels, one.first_slice, one.last_slice, one.confidence) == (0, None, None, 0.0)


def test_the_story_of_the_labels_is_beside_them(tmp_path, model, volume):
    found = segment_volume(model, volume, {5: {"a": BoxPrompt((1, 2, 3, 4))}}, intensity=BRIGHT, new_tracker=Carrying)

    story = json.loads(found.save(tmp_path / "a.nii").read_text())

    assert story["labels"] == {"1": "a"}
    assert story["axis"] == "axial"
    assert story["model"]["name"] == "test-sam"
    assert story["prompts"] == {"5": {"a": {"kind": "BoxPrompt", "box_xyxy": [1, 2, 3, 4]}}}
    assert story["intensity"] == "Window(center=60, width=20)"
    assert story["objects"][0]["name"] == "a"


@pytest.mark.parametrize(
    ("prompts", "error", "expected"),
    [
        ({}, PromptError, "at least one prompt on one slice, got none"),
        ({3: {}}, PromptError, "at least one prompt on one slice, got none"),
        (
            {12: {"a": PointPrompt([(1, 1)])}},
            SettingError,
            "there is no axial slice 12; slices are 0 to 11: .*ct.nii.gz",
        ),
        ({-1: {"a": PointPrompt([(1, 1)])}}, SettingError, "there is no axial slice -1"),
        (
            {3: {"a": BoxPrompt((30, 2, 40, 9))}},
            PromptOutsideImage,
            r"the prompt of a on slice 3 lies outside the slice of 20x16 voxels",
        ),
        ({3: {"a": PointPrompt([(3, 17)])}}, PromptOutsideImage, "outside the slice of 20x16 voxels"),
        (
            {3: {"a": MaskPrompt(empty_mask((20, 16)))}},
            PromptError,
            r"the mask of a on slice 3 must have the slice's size \(16, 20\) \(h, w\), got \(20, 16\)",
        ),
    ],
)
def test_prompts_that_do_not_fit_are_told_before_any_work(model, volume, prompts, error, expected):
    with pytest.raises(error, match=expected):
        segment_volume(model, volume, prompts, new_tracker=passes())
