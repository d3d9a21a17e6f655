from dataclasses import replace

import numpy as np
import pytest

from maskwright.core import BoxPrompt, Image, MaskPrompt
from maskwright.masks import iou
from maskwright.models import load_model
from maskwright.predict.tracking import TrackSettings
from maskwright.predict.tracking.flow_tracker import FlowTracker
from maskwright.predict.tracking.motion import Motion
from maskwright.robot.perceiver_looker import Looker
from maskwright.robot.perceiver_worker import Question
from sliding_scene import SIZE_HW, picture, truth


def question(number, *, session=0, motion=None, forget=(), model_side=None, **prompts):
    return Question(
        camera="camera", session=session, number=number, pixels=picture(number), motion=motion, prompts=prompts,
        forget=forget, model_side=model_side,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


def test_a_prompt_outside_the_picture_is_told_and_masks_that_came_with_it_are_taken(model):
    looker = Looker(model, flow_side=160)

    reply = looker.look(question(0, cup=MaskPrompt(truth("cup", 0)), mug=BoxPrompt((900, 900, 950, 950))))

    assert [(one.name, one.state) for one in reply.sightings] == [("cup", "visible")]
    assert iou(reply.sightings[0].rle, truth("cup", 0)) == 1
    assert "outside" in reply.failed["mug"]
    assert reply.took_ms > 0


def test_the_motion_that_is_given_is_the_one_that_counts(model):
    tracker = FlowTracker(model, TrackSettings(stride=1, flow_side=160))
    tracker.step(Image(picture(0)), {"cup": MaskPrompt(truth("cup", 0))})
    still = np.zeros((*SIZE_HW, 2), np.float32)

    frame = tracker.step(Image(picture(1)), motion=Motion(backward=still, forward=still, is_cut=True))

    assert frame.is_cut


def test_a_new_session_knows_nothing_and_what_is_forgotten_stays_away(model):
    looker = Looker(model, flow_side=160)
    masks = {name: MaskPrompt(truth(name, 0)) for name in ("cup", "mug")}
    looker.look(question(0, **masks))

    after = looker.look(question(1, forget=("cup", "never seen")))
    anew = looker.look(question(2, session=1))

    assert [one.name for one in after.sightings] == ["mug"]
    assert anew.sightings == ()


def test_tiny_looks_at_the_side_that_is_asked_for_and_goes_on_with_what_it_knows():
    tiny = load_model("tiny")
    looker, sides = Looker(tiny, flow_side=160), []
    cup = MaskPrompt(truth("cup", 0))

    for number, side in enumerate((384, 384, 256, 256, 384, None)):
        reply = looker.look(question(number, model_side=side, **({"cup": cup} if number == 0 else {})))
        sides.append(tiny.frame.side)

        assert [one.state for one in reply.sightings] == ["visible"]
        assert iou(reply.sightings[0].rle, truth("cup", number)) > 0.8, number
    assert sides == [384, 384, 256, 256, 384, 384]


def test_making_ready_changes_no_answer_and_leaves_nothing_behind():
    tiny = load_model("tiny")
    ready, other = Looker(tiny, flow_side=160), Looker(tiny, flow_side=160)
    ready.make_ready((256, 384))
    assert tiny.frame.side == 384, "each side was looked at"
    cup = MaskPrompt(truth("cup", 0))

    asked = [question(0, model_side=320, cup=cup), question(1, model_side=320)]
    seen = [[one.look(each).sightings for each in asked] for one in (ready, other)]

    assert seen[0] == seen[1]
    anew = ready.look(replace(asked[1], camera="", number=1))
    assert anew.sightings == (), "what was shown to make ready is forgotten"


def test_another_model_has_the_side_that_it_has(model):
    before = model.frame

    Looker(model, flow_side=160).look(question(0, model_side=256, cup=MaskPrompt(truth("cup", 0))))

    assert model.frame == before


def test_video_models_answer_too():
    pytest.importorskip("transformers")
    from tiny_video_models import shared_video_model

    looker = Looker(shared_video_model("sam2_video"), flow_side=160)
    looker.look(question(0, cup=MaskPrompt(truth("cup", 0))))
    still = np.zeros((*SIZE_HW, 2), np.float32)

    reply = looker.look(question(1, motion=Motion(backward=still, forward=still, is_cut=False)))

    assert [one.name for one in reply.sightings] == ["cup"]
    assert reply.sightings[0].rle.size_hw == SIZE_HW
