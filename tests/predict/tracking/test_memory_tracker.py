import gc
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt, TextPrompt
from maskwright.core.errors import ImageError, PromptError, PromptOutsideImage, SettingError, UnsupportedPrompt
from maskwright.masks import decode, empty_mask, encode, is_empty
from maskwright.models.transformers_video.object_memory import MOST_KEYFRAMES
from maskwright.predict.tracking import TrackSettings, make_tracker, propagate
from maskwright.predict.tracking.memory_tracker import MemoryTracker
from tiny_video_models import FAMILIES, set_presence, shared_video_model, tiny_video_model

pytest.importorskip("transformers", reason="video models need the extra: pip install 'maskwright[transformers]'")

SIZE_HW = (60, 90)
CLICK = PointPrompt([(30, 20)])
BOX = BoxPrompt((10, 8, 60, 45))


@pytest.fixture(params=FAMILIES)
def model(request):
    return shared_video_model(request.param)


@pytest.fixture
def sam2():
    return shared_video_model("sam2_video")


def moving_frames(num_frames, seed=0):
    """A bright patch that moves to the right over noise."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 120, (*SIZE_HW, 3), dtype=np.uint8)
    for i in range(num_frames):
        pixels = noise.copy()
        x = 10 + i % 50
        pixels[15:35, x : x + 25] = (230, 180, 40)
        yield Image(pixels)


def follow(model, num_frames, prompts, **how):
    tracker = MemoryTracker(model, **how)
    return [tracker.step(image, prompts.get(i)) for i, image in enumerate(moving_frames(num_frames))]


def drawn_mask():
    mask = np.zeros(SIZE_HW, bool)
    mask[15:35, 10:35] = True
    return encode(mask)


def test_an_object_named_once_has_a_mask_of_the_images_size_on_every_frame(model):
    frames = follow(model, 4, {0: {"mug": CLICK, "arm": BOX}})

    assert [[mask.track for mask in frame.masks] for frame in frames] == [["mug", "arm"]] * 4
    assert [frame["mug"].source for frame in frames] == ["keyframe", "segmented", "segmented", "segmented"]
    assert [frame["arm"].prompt for frame in frames] == [BOX, None, None, None]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for mask in (mask for frame in frames for mask in frame.masks):
        assert mask.rle.size_hw == SIZE_HW
        assert 0 <= mask.confidence <= 1
        assert mask.state == ("occluded" if is_empty(mask.rle) else "visible")


def test_a_list_and_a_generator_of_frames_give_the_same(sam2):
    prompts = {0: {"mug": CLICK}, 2: {"arm": BOX}}

    from_list = list(propagate(sam2, list(moving_frames(4)), prompts))

    assert from_list == list(propagate(sam2, moving_frames(4), prompts))


def test_two_sessions_of_one_model_do_not_disturb_each_other(sam2):
    images = list(moving_frames(4))
    alone = follow(sam2, 4, {0: {"mug": CLICK}})
    mug, arm = MemoryTracker(sam2), MemoryTracker(sam2)

    together = []
    for i, image in enumerate(images):
        together.append(mug.step(image, {"mug": CLICK} if i == 0 else None))
        arm.step(image, {"arm": BOX} if i == 0 else None)

    assert together == alone


def test_no_object_depends_on_what_is_said_of_another(sam2):
    alone = follow(sam2, 6, {0: {"mug": CLICK}})

    beside = follow(sam2, 6, {0: {"mug": CLICK}, 2: {"arm": BOX}, 4: {"arm": CLICK}})

    assert [frame["mug"] for frame in beside] == [frame["mug"] for frame in alone]


def test_an_object_may_begin_on_a_later_frame(sam2):
    frames = follow(sam2, 5, {0: {"mug": CLICK}, 3: {"arm": BOX}})

    assert [len(frame.masks) for frame in frames] == [1, 1, 1, 2, 2]
    assert frames[3]["arm"].source == "keyframe"
    assert frames[4]["arm"].source == "segmented"


def test_a_frame_without_tracks_is_not_looked_at(sam2):
    tracker = MemoryTracker(sam2)

    assert [tracker.step(image).masks for image in moving_frames(2)] == [(), ()]
    assert tracker.tracks == ()


def test_a_mask_is_taken_as_it_is_and_is_sure(sam2):
    rle = drawn_mask()

    first, second = follow(sam2, 2, {0: {"mug": MaskPrompt(rle)}})

    assert first["mug"].rle == rle
    assert first["mug"].confidence == 1
    assert first["mug"].scores.predicted_iou is None
    assert second["mug"].scores.predicted_iou is not None


@pytest.mark.parametrize(
    ("family", "correction"),
    [*((family, CLICK) for family in FAMILIES), ("sam2_video", BOX), ("sam2_video", MaskPrompt(drawn_mask()))],
    ids=[*FAMILIES, "box", "mask"],
)
def test_a_correction_is_a_keyframe_and_changes_what_follows(family, correction):
    model, far_off = shared_video_model(family), BoxPrompt((50, 30, 85, 55))
    plain = follow(model, 4, {0: {"mug": far_off}})

    corrected = follow(model, 4, {0: {"mug": far_off}, 2: {"mug": correction}})

    assert corrected[:2] == plain[:2]
    assert corrected[2]["mug"].source == "keyframe"
    assert corrected[3]["mug"].source == "segmented"
    assert corrected[3]["mug"].scores != plain[3]["mug"].scores


def test_clicks_that_correct_are_read_in_the_light_of_what_is_remembered(sam2):
    new = follow(sam2, 4, {3: {"mug": CLICK}})[3]["mug"]

    corrected = follow(sam2, 4, {0: {"mug": BOX}, 3: {"mug": CLICK}})[3]["mug"]

    assert corrected.scores != new.scores


def test_a_forgotten_object_leaves_nothing_behind(model):
    images = list(moving_frames(5))
    tracker, fresh = MemoryTracker(model), MemoryTracker(model)
    for image in images[:3]:
        tracker.step(image, {"mug": BOX} if not tracker.tracks else None)
    memory = tracker._followed["mug"].memory

    tracker.forget("mug")
    referrers = [one for one in gc.get_referrers(memory) if not hasattr(one, "f_code")]
    again = [tracker.step(images[3], {"mug": CLICK}), tracker.step(images[4])]

    assert referrers == []
    assert [frame.masks for frame in again] == [
        fresh.step(images[3], {"mug": CLICK}).masks,
        fresh.step(images[4]).masks,
    ]


def test_forgetting_one_object_leaves_the_others_as_they_are(sam2):
    images = list(moving_frames(5))
    tracker = MemoryTracker(sam2)

    frames = []
    for i, image in enumerate(images):
        if i == 2:
            tracker.forget("arm")
        frames.append(tracker.step(image, {"arm": BOX, "mug": CLICK} if i == 0 else None))

    assert tracker.tracks == ("mug",)
    assert [frame["mug"] for frame in frames] == [frame["mug"] for frame in follow(sam2, 5, {0: {"mug": CLICK}})]


def test_forgetting_what_is_not_there_names_what_is(sam2):
    tracker = MemoryTracker(sam2)
    tracker.step(next(moving_frames(1)), {"mug": CLICK})

    with pytest.raises(SettingError, match=r"^there is no track 'cup'; tracks that live: mug$"):
        tracker.forget("cup")


def test_an_object_that_is_not_in_sight_has_an_empty_mask_and_ends():
    model = tiny_video_model("sam2_video")
    tracker = MemoryTracker(model, patience=2)
    images = list(moving_frames(6))
    tracker.step(images[0], {"mug": MaskPrompt(drawn_mask())})
    set_presence(model._network, -3.0)

    frames = [tracker.step(image) for image in images[1:]]

    assert [len(frame.masks) for frame in frames] == [1, 1, 0, 0, 0]
    assert is_empty(frames[0]["mug"].rle)
    assert frames[0]["mug"].state == "occluded"
    assert frames[0]["mug"].confidence == pytest.approx(0.95, abs=0.02)
    assert tracker.tracks == ()


def test_an_object_that_was_last_seen_at_the_edge_is_outside():
    model = tiny_video_model("sam2_video")
    tracker = MemoryTracker(model)
    first, second, third = moving_frames(3)
    mask = np.zeros(SIZE_HW, bool)
    mask[20:40, 70:] = True
    tracker.step(first, {"mug": MaskPrompt(encode(mask))})
    set_presence(model._network, -3.0)
    gone = tracker.step(second)
    set_presence(model._network, 3.0)

    back = tracker.step(third)

    assert gone["mug"].state == "outside"
    assert back["mug"].state == "visible"


def test_a_person_may_say_that_nothing_is_to_be_seen(sam2):
    frame = follow(sam2, 2, {0: {"mug": CLICK}, 1: {"mug": MaskPrompt(empty_mask(SIZE_HW))}})[1]

    assert (frame["mug"].state, frame["mug"].source, frame["mug"].confidence) == ("outside", "keyframe", 1)


REFUSED = {
    "point outside": (PointPrompt([(200, 20)]), PromptOutsideImage, r"point 200,20 lies outside the image of 90x60"),
    "box outside": (BoxPrompt((100, 5, 120, 20)), PromptOutsideImage, r"box 100,5,120,20 lies outside"),
    "words": (TextPrompt("red mug"), UnsupportedPrompt, r"takes points, boxes and masks, no words; got 'red mug'"),
    "mask of another size": (
        MaskPrompt(empty_mask((5, 6))),
        PromptError,
        r"image's size \(60, 90\) \(h, w\), got \(5, 6\)",
    ),
    "mask and click": (
        CombinedPrompt([CLICK, MaskPrompt(drawn_mask())]),
        UnsupportedPrompt,
        r"takes a mask as it is, so nothing can be said beside it",
    ),
    "no prompt": ((20, 30), PromptError, r"expected a prompt for each track, got a tuple"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_prompt_that_does_not_fit_is_refused_and_changes_nothing(sam2, name):
    prompt, error, says = REFUSED[name]
    images = list(moving_frames(3))
    tracker = MemoryTracker(sam2)
    tracker.step(images[0], {"mug": CLICK})

    with pytest.raises(error, match=says):
        tracker.step(images[1], {"arm": BOX, "mug": prompt})
    frames = [tracker.step(image) for image in images[1:]]

    assert tracker.tracks == ("mug",)
    assert frames == follow(sam2, 3, {0: {"mug": CLICK}})[1:]


def test_a_frame_of_another_size_is_refused_and_changes_nothing(sam2):
    tracker = MemoryTracker(sam2)
    first, second = moving_frames(2)
    tracker.step(first, {"mug": CLICK})

    with pytest.raises(ImageError, match=r"expected a frame of \(60, 90\) \(h, w\), as those before it, got \(8, 9\)"):
        tracker.step(Image(np.zeros((8, 9, 3), np.uint8)))

    assert tracker.step(second) == follow(sam2, 2, {0: {"mug": CLICK}})[1]


def test_settings_that_mean_nothing_here_are_refused(sam2):
    with pytest.raises(SettingError, match=r"tiny-sam2_video follows the objects that it is told of"):
        make_tracker(sam2, TrackSettings(find_new=10))
    with pytest.raises(SettingError, match=r"patience must be above 0, got 0"):
        MemoryTracker(sam2, patience=0)

    assert isinstance(make_tracker(sam2), MemoryTracker)


def held_tensors(memory):
    """The bytes of every tensor that a session holds, wherever it holds it."""
    found, seen, queue = {}, set(), [vars(memory._session)]
    while queue:
        one = queue.pop()
        if id(one) in seen or isinstance(one, (str, int, float, torch.dtype, torch.device, type(None))):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            found[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        elif isinstance(one, dict):
            queue.extend(one.values())
        elif isinstance(one, (list, tuple)):
            queue.extend(one)
        else:
            queue.append(vars(one))
    return sum(found.values())


def test_what_is_remembered_does_not_grow_with_frames_or_corrections(model):
    tracker = MemoryTracker(model)
    sizes = []
    for i, image in enumerate(moving_frames(34)):
        tracker.step(image, {"mug": BOX if i % 2 else CLICK} if i % 3 == 0 else None)
        memory = tracker._followed["mug"].memory
        sizes.append(held_tensors(memory))
        assert sizes[-1] == memory.num_bytes

    assert max(sizes[28:]) <= max(sizes[:28])
    assert len(memory._keyframes) <= MOST_KEYFRAMES
    session = memory._session
    assert session.processed_frames is None
    assert session.frames_tracked_per_obj == {0: {}}


def test_memory_of_the_process_stays_flat_over_frames(sam2):
    images = list(moving_frames(50))
    tracker = MemoryTracker(sam2)
    used = []
    for i in range(90):
        tracker.step(images[i % 50], {"mug": CLICK} if i == 0 else None)
        if i in (29, 89):
            used.append(resident_bytes())

    # transformers' own session grows by 19 MB over these 60 frames.
    assert used[-1] - used[0] < 6e6


def resident_bytes():
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("the size of the process is read from /proc, which is Linux's")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def reference_inputs(session, processor, frame_index, said):
    """Prompts as transformers' own processor reads them; it is made without its picture processors: no torchvision."""
    for number, prompt in said.items():
        match prompt:
            case PointPrompt(points_xy=points, labels=labels):
                how = {"input_points": [[[list(point) for point in points]]], "input_labels": [[list(labels)]]}
            case BoxPrompt(box_xyxy=box):
                how = {"input_boxes": [[list(box)]]}
            case MaskPrompt(rle=rle):
                how = {"input_masks": decode(rle)}
        waiting = list(session.obj_with_new_inputs)
        processor.add_inputs_to_inference_session(session, frame_index, number, original_size=SIZE_HW, **how)
        session.obj_with_new_inputs = [*waiting, number]


def reference_masks(model, num_frames, prompts):
    """What transformers' own session says with all objects in it and nothing dropped; prompts on the first frame."""
    from transformers import Sam2VideoProcessor

    processor = object.__new__(Sam2VideoProcessor)
    processor.target_size, processor.point_pad_value = model.frame.side, -10
    session = model._new_session(dtype=torch.float32)
    for i, image in enumerate(moving_frames(num_frames)):
        pixels = model._to_frame(image.pixels)
        if i in prompts:
            reference_inputs(session, processor, i, prompts[i])
        output = model._network(inference_session=session, frame=pixels, frame_idx=i)
        yield F.interpolate(output.pred_masks, SIZE_HW, mode="bilinear")[:, 0] > 0


def num_unlike(ours, reference, track="1", row=0):
    """How many pixels differ, on frames that are not keyframes by a mask: we take it as it is, transformers resized."""
    return [
        int((decode(frame[track].rle) != masks[row].numpy()).sum())
        for frame, masks in zip(ours, reference, strict=True)
        if not isinstance(frame[track].prompt, MaskPrompt)
    ]


def test_masks_agree_with_transformers_own_session_which_drops_nothing(model):
    num_frames = 18  # pointers of the first frames are dropped after 16

    ours = follow(model, num_frames, {0: {"1": CLICK, "2": BOX}})

    reference = list(reference_masks(model, num_frames, {0: {1: CLICK, 2: BOX}}))

    # Memories are encoded one by one here and as a batch there, so a pixel may fall to the other side of 0.
    assert max(num_unlike(ours, reference, "1", 0)) <= 1
    assert max(num_unlike(ours, reference, "2", 1)) <= 1


def test_keyframes_by_masks_agree_with_transformers_own_session(model):
    mask = MaskPrompt(drawn_mask())
    ours = follow(model, 8, {0: {"1": mask}, 3: {"1": mask}})

    reference = list(reference_masks(model, 8, {0: {1: mask}, 3: {1: mask}}))

    assert max(num_unlike(ours, reference)) <= 1


def test_frames_are_stretched_as_torch_stretches_them(sam2):
    image = next(moving_frames(1))
    mean, std = torch.tensor(sam2.frame.mean), torch.tensor(sam2.frame.std)

    ours = sam2._to_frame(image.pixels)[0].permute(1, 2, 0) * std + mean

    x = torch.from_numpy(image.pixels.copy()).permute(2, 0, 1)[None]
    reference = F.interpolate(x, (sam2.frame.side,) * 2, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    assert (ours - reference).abs().max() <= 1.01  # both round to grey levels


def test_half_precision_runs_and_gives_masks():
    model = tiny_video_model("sam2_video")
    model.to(torch.device("cpu"), torch.bfloat16)

    frames = follow(model, 3, {0: {"mug": BOX}, 2: {"mug": CLICK}})

    assert model.precision == torch.bfloat16
    assert all(mask.rle.size_hw == SIZE_HW for frame in frames for mask in frame.masks)
