import numpy as np
import pytest

from maskwright.core import BoxPrompt, Frame, FrameRef, Image
from maskwright.core.errors import ImageError, PromptError, SettingError
from maskwright.masks import box_xyxy, iou, is_empty
from maskwright.robot.perceiver import Perceiver
from maskwright.robot.perceiver_motion import MotionMeter
from maskwright.robot.perceiver_values import PerceiverSettings
from maskwright.robot.perceiver_worker import LaggedWorker, ThreadWorker
from sliding_scene import SIZE_HW, Clock, Oracle, picture, place, truth

LAG = 6
BOX = (10, 20, 40, 50)


def make(lag=LAG, *, oracle=None, clock=None, **settings):
    oracle = oracle or Oracle()
    return Perceiver(
        worker=LaggedWorker(oracle, lag=lag),
        settings=PerceiverSettings(**{"flow_side": 160, "budget_ms": 1000, **settings}),
        clock=clock or Clock(),
    ), oracle


def run(perceiver, numbers, *, begin_s=0.0, camera="camera"):
    return [perceiver.step(picture(n), at_s=begin_s + n / 30, camera=camera) for n in numbers]


def kinds(state):
    return {notice.kind for notice in state.notices}


def test_a_late_answer_is_moved_to_the_newest_picture():
    perceiver, _ = make()
    perceiver.add("mug", box=BOX)

    states = run(perceiver, range(14))

    assert [state["mug"].status for state in states[:LAG]] == ["waiting"] * LAG
    for number in range(LAG, 11):
        assert iou(states[number]["mug"].rle, truth("mug", number)) > 0.65, number  # 0.2 and less where it was


def test_ages_count_from_the_picture_that_the_model_saw():
    perceiver, _ = make()
    perceiver.add("mug", box=BOX)

    states = run(perceiver, range(2 * LAG + 1))

    first, last = states[LAG]["mug"], states[2 * LAG]["mug"]
    assert (first.seen_frame, first.age_frames) == (0, LAG)
    assert first.age_ms == pytest.approx(1000 * LAG / 30)
    assert (last.seen_frame, last.age_frames) == (LAG, LAG)


def test_a_mask_that_is_given_is_carried_at_once():
    perceiver, _ = make()
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(5))

    assert [state["mug"].status for state in states] == ["fresh"] * 5
    assert iou(states[4]["mug"].rle, truth("mug", 4)) > 0.85


def test_a_prompt_given_while_the_model_is_busy_moves_with_its_object():
    perceiver, oracle = make()
    perceiver.add("cup", mask=truth("cup", 0))
    run(perceiver, range(2))

    perceiver.add("mug", box=box_xyxy(truth("mug", 2)))
    run(perceiver, range(2, LAG + 1))

    asked = oracle.asked[1].prompts["mug"]
    number = int(oracle.asked[1].pixels[0, 0, 0])
    assert number == LAG
    assert isinstance(asked, BoxPrompt)
    assert np.abs(np.array(asked.box_xyxy) - box_xyxy(truth("mug", number))).max() < 3


def test_one_prompt_that_has_to_be_drawn_is_asked_at_a_time():
    perceiver, oracle = make(lag=1)
    perceiver.add("mug", box=BOX)
    perceiver.add("cup", box=(10, 70, 40, 100))

    state = run(perceiver, range(4))[-1]

    assert [list(question.prompts) for question in oracle.asked[:2]] == [["mug"], ["cup"]]
    assert state.masks.keys() == {"mug", "cup"}


def test_what_waits_behind_another_prompt_moves_along_over_keyframes():
    perceiver, oracle = make()
    perceiver.add("mug", box=BOX)
    perceiver.add("cup", box=box_xyxy(truth("cup", 0)))

    run(perceiver, range(LAG + 1))

    asked = oracle.asked[1].prompts["cup"]
    assert isinstance(asked, BoxPrompt)
    assert np.abs(np.array(asked.box_xyxy) - box_xyxy(truth("cup", LAG))).max() < 3


def test_status_goes_from_fresh_to_carried_to_stale_while_the_model_is_silent():
    perceiver, _ = make(lag=1000, fresh_ms=210, stale_ms=410)
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(16))

    assert [states[n]["mug"].status for n in (0, 6, 7, 12, 13)] == ["fresh", "fresh", "carried", "carried", "stale"]
    assert states[13].stale == ("mug",)
    assert "433 ms ago" in states[13]["mug"].why
    assert states[13].masks == {}
    assert kinds(states[13]) == {"model_slow"}


def test_what_the_model_does_not_find_is_lost_until_it_does():
    perceiver, oracle = make(lag=2)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(3))

    oracle.blind_to = {"mug"}
    lost = run(perceiver, range(3, 8))[-1]["mug"]
    oracle.blind_to = set()
    found = run(perceiver, range(8, 13))[-1]["mug"]

    assert lost.status == "lost"
    assert is_empty(lost.rle)
    assert lost.why == "the model does not find it"
    assert found.status == "fresh"
    assert iou(found.rle, truth("mug", 12)) > 0.85


def test_a_prompt_that_draws_nothing_is_told_and_the_others_go_on():
    perceiver, _ = make(lag=1, oracle=Oracle(refused={"mug": "the model finds nothing"}))
    perceiver.add("mug", box=BOX)
    perceiver.add("cup", mask=truth("cup", 0))

    state = run(perceiver, range(3))[-1]

    assert (state["mug"].status, state["mug"].why) == ("lost", "the model finds nothing")
    assert state["cup"].status == "fresh"
    assert [notice.text for notice in state.notices] == ["mug: the model finds nothing"]


def test_an_answer_about_an_object_that_was_forgotten_is_dropped():
    perceiver, oracle = make()
    perceiver.add("mug", box=BOX)
    run(perceiver, range(2))

    perceiver.forget("mug")
    perceiver.add("mug", box=(70, 20, 90, 50))  # another mug
    state = run(perceiver, range(2, LAG + 1))[-1]

    assert state["mug"].status == "waiting"
    assert oracle.asked[1].forget == ("mug",)


def test_a_gap_makes_masks_stale_until_the_model_has_looked_after_it():
    perceiver, _ = make()
    perceiver.add("mug", box=BOX)
    run(perceiver, range(LAG + 1))

    after = run(perceiver, range(LAG + 1, 3 * LAG + 1), begin_s=2.0)

    assert "frame_gap" in kinds(after[0])
    assert "frame_gap" not in kinds(after[1])
    statuses = [state["mug"].status for state in after]
    assert statuses[: LAG - 1] == ["stale"] * (LAG - 1)
    assert statuses[-1] == "fresh"
    assert all(state["mug"].seen_frame > LAG for state in after if state["mug"].status == "fresh")


def test_a_clock_that_goes_backwards_makes_no_mask_younger():
    perceiver, _ = make(lag=1000)
    perceiver.add("mug", mask=truth("mug", 0))
    before = run(perceiver, range(5))[-1]

    after = perceiver.step(picture(5), at_s=-60.0)

    assert kinds(after) == {"clock_backwards"}
    assert "went back by 60133 ms" in after.notices[0].text
    assert after["mug"].age_ms == pytest.approx(before["mug"].age_ms + 1000 / 30)


def test_pictures_of_another_size_keep_masks_as_stale_until_they_are_seen_anew():
    perceiver, oracle = make(lag=2)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(4))
    size_hw = (240, 320)

    states = [perceiver.step(picture(n, size_hw), at_s=n / 30) for n in range(4, 9)]

    assert "size_changed" in kinds(states[0])
    assert states[0]["mug"].status == "stale"
    assert states[0]["mug"].why == "the pictures were 160x120 and are 320x240"
    assert states[0]["mug"].rle.size_hw == size_hw
    assert iou(states[0]["mug"].rle, truth("mug", 3, size_hw)) > 0.8
    assert isinstance(next(q for q in oracle.asked if q.session == 1).prompts["mug"], BoxPrompt)
    assert states[-1]["mug"].status == "fresh"
    assert iou(states[-1]["mug"].rle, truth("mug", 8, size_hw)) > 0.85


def test_one_picture_again_and_again_is_not_taken_for_news():
    perceiver, _ = make(lag=1, frozen_after=5, fresh_ms=300, stale_ms=600)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(3))

    states = [perceiver.step(picture(3), at_s=(3 + n) / 30) for n in range(30)]

    assert "camera_frozen" in kinds(states[5])
    assert states[-1]["mug"].status == "stale"
    assert states[-1]["mug"].age_ms > 600


def test_a_cut_loses_what_was_there():
    perceiver, _ = make(lag=3)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(5))
    other = np.random.default_rng(9).integers(0, 255, (*SIZE_HW, 3), np.uint8)

    state = perceiver.step(other, at_s=5 / 30)

    assert "cut" in kinds(state)
    assert state["mug"].status == "lost"


def test_work_is_put_off_when_time_is_short():
    clock = Clock()

    def slow():
        clock.now_s += 0.02  # every look at the clock costs 20 ms
        return clock.now_s

    perceiver, _ = make(lag=1, clock=slow, budget_ms=33)
    perceiver.add("mug", box=BOX)

    states = run(perceiver, range(12))

    assert all(state.over_budget for state in states)
    assert any("work_delayed" in kinds(state) for state in states)
    assert states[-1]["mug"].status == "fresh"  # put off, never given up


def slow_machine(monkeypatch, clock, finest_ms):
    """Motion at its full size takes so long, by the Perceiver's clock."""
    measured = MotionMeter.motion

    def motion(self, share):
        clock.now_s += finest_ms / 1000 * share**2
        return measured(self, share)

    monkeypatch.setattr(MotionMeter, "motion", motion)


def test_motion_is_made_coarser_to_keep_the_budget_and_that_is_told(monkeypatch):
    clock = Clock()
    slow_machine(monkeypatch, clock, finest_ms=50)
    perceiver, _ = make(clock=clock, budget_ms=33, flow_side="auto")
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(30))

    assert states[0].flow_side == 480
    assert states[5].over_budget
    assert not any(state.over_budget for state in states[15:])
    assert all("motion_coarse" in kinds(state) for state in states[15:])
    assert states[-1].flow_side == 336
    assert "on 336 instead of 480 pixels" in states[-1].notices[0].text
    assert iou(states[-1]["mug"].rle, truth("mug", 29)) > 0.6


def test_a_side_that_is_said_stays_however_long_it_takes(monkeypatch):
    clock = Clock()
    slow_machine(monkeypatch, clock, finest_ms=50)
    perceiver, _ = make(clock=clock, budget_ms=33, flow_side=160)
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(30))

    assert {state.flow_side for state in states} == {160}
    assert all(state.over_budget for state in states[1:])


def test_the_model_is_asked_for_smaller_frames_when_answers_come_late():
    oracle = Oracle()
    worker = LaggedWorker(oracle, lag=12, sides=(384, 320, 256))  # masks are 18 pictures old: 600 ms
    perceiver = Perceiver(worker=worker, settings=PerceiverSettings(flow_side=160, budget_ms=1000), clock=Clock())
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(100))

    sides = [question.model_side for question in oracle.asked]
    assert sides[:5] == [384] * 5
    assert sides[-1] == 256
    assert states[-1].model_side == 256
    assert "model_coarse" in kinds(states[-1])
    assert "model_coarse" not in kinds(states[20])


def test_a_model_with_one_side_is_asked_for_none():
    perceiver, oracle = make(lag=12)
    perceiver.add("mug", mask=truth("mug", 0))

    states = run(perceiver, range(100))

    assert {question.model_side for question in oracle.asked} == {None}
    assert states[-1].model_side is None
    assert "model_coarse" not in kinds(states[-1])


def test_cameras_take_turns():
    perceiver, oracle = make(lag=2)
    for camera in ("left", "right"):
        perceiver.add("mug", box=BOX, camera=camera)

    for number in range(16):
        for camera in ("left", "right"):
            state = perceiver.step(picture(number), at_s=number / 30, camera=camera)

    cameras = [question.camera for question in oracle.asked]
    assert cameras[:6] == ["left", "right"] * 3
    assert state.camera == "right"
    assert perceiver.cameras == ("left", "right")


def test_a_camera_that_gives_no_pictures_holds_up_no_other():
    clock = Clock()
    perceiver, oracle = make(lag=1, clock=clock)
    for camera in ("left", "right"):
        perceiver.add("mug", box=BOX, camera=camera)
        run(perceiver, range(1), camera=camera)

    for number in range(1, 12):
        clock.now_s += 1 / 30
        run(perceiver, [number], camera="left")

    assert sum(question.camera == "left" for question in oracle.asked) > 4


def test_peek_tells_that_a_camera_stalls():
    clock = Clock()
    perceiver, _ = make(lag=1, clock=clock, stale_ms=1000)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(3))

    clock.now_s += 2.0
    state = perceiver.peek()

    assert kinds(state) == {"camera_stalled"}
    assert state["mug"].status == "stale"
    assert state["mug"].age_ms > 2000


def test_a_model_that_breaks_is_started_again_and_told_its_masks():
    oracle = Oracle()
    perceiver = Perceiver(worker=ThreadWorker(oracle), settings=PerceiverSettings(flow_side=160, budget_ms=1000))
    perceiver.add("mug", mask=truth("mug", 0))

    def step_until(number, is_reached):
        for _ in range(500):
            state = perceiver.step(picture(number), at_s=number / 30)
            if is_reached(state):
                return state
        raise AssertionError(state)

    step_until(0, lambda state: len(oracle.asked) > 1)
    oracle.broken = RuntimeError("out of memory")
    broken = step_until(1, lambda state: "model_gone" in kinds(state))
    oracle.broken = None
    sessions = {question.session for question in oracle.asked}
    step_until(2, lambda state: {question.session for question in oracle.asked} - sessions)
    perceiver.close()

    assert "started again (1 of 3): RuntimeError: out of memory" in broken.notices[0].text
    assert "mug" in oracle.asked[-1].prompts or oracle.asked[-1].session > 0


def test_a_model_that_is_gone_for_good_is_told_and_masks_grow_stale():
    perceiver, _ = make(lag=1, restarts=0, stale_ms=600)
    perceiver.add("mug", box=BOX)
    run(perceiver, range(3))

    perceiver._worker.trouble = "killed by signal 9"
    states = run(perceiver, range(3, 30))

    assert [notice.text for notice in states[0].notices] == ["the model stopped: killed by signal 9"]
    assert states[0]["mug"].status == "fresh"
    assert states[-1]["mug"].status == "stale"


def test_frames_bring_their_time_and_depth():
    perceiver, _ = make()
    depth = np.ones(SIZE_HW, np.float32)
    ref = FrameRef(dataset="d", episode="e", camera="c", frame_index=0, timestamp_s=4.5)

    state = perceiver.step(Frame(image=Image(picture(0), depth_m=depth), ref=ref))

    assert state.at_s == 4.5
    assert state.depth_m is depth
    assert state.objects == ()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda p: p.add("mug"), PromptError, "say where 'mug' is: a box, points, a mask, or words"),
        (lambda p: p.add(" ", box=BOX), SettingError, "an object needs a name of at least one letter, got ' '"),
        (lambda p: p.add("mug", box=(5, 5, 1, 1)), PromptError, "a box needs x1 < x2"),
        (
            lambda p: p.add("mug", mask=np.ones((4, 4), bool)),
            PromptError,
            "must have the size of the camera's pictures",
        ),
        (lambda p: p.forget("cup"), SettingError, "camera 'camera' has no object 'cup'; it has none"),
        (lambda p: p.forget("cup", camera="left"), SettingError, "there is no camera 'left'; there are camera"),
        (lambda p: p.peek("left"), SettingError, "there is no camera 'left'"),
        (lambda p: p.step("frame.png"), ImageError, "expected a picture: an Image, a Frame or a uint8 array"),
        (lambda p: p.step(np.zeros((4, 4))), ImageError, "an image must be a uint8 array"),
        (
            lambda p: p.add("mug", mask=np.zeros(SIZE_HW, bool)),
            PromptError,
            "the mask of 'mug' is empty, so it says nothing of where it is",
        ),
        (lambda p: run(p, [0])[0]["cup"], KeyError, "camera 'camera' has no object 'cup'; it has none"),
        (lambda p: p.step(picture(0), at_s="now"), SettingError, "at_s must be a finite number of seconds, got 'now'"),
        (lambda p: p.step(picture(0), at_s=float("nan")), SettingError, "at_s must be a finite number of seconds"),
    ],
)
def test_bad_input_is_told_in_one_line(call, error, says):
    perceiver, _ = make()
    run(perceiver, range(1))

    with pytest.raises(error, match=says.replace("(", r"\(")) as raised:
        call(perceiver)

    assert "\n" not in str(raised.value)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(SettingError, match="fresh_ms must not be above stale_ms, got 900 and 800"):
        PerceiverSettings(fresh_ms=900, stale_ms=800)
    with pytest.raises(SettingError, match="model_side must be a multiple of 32, got 400"):
        PerceiverSettings(model_side=400)
    with pytest.raises(SettingError, match="flow_side must be a number of pixels or \"auto\", got 'small'"):
        PerceiverSettings(flow_side="small")
    with pytest.raises(SettingError, match="budget_ms must be above 0, got 0"):
        PerceiverSettings(budget_ms=0)
    with pytest.raises(SettingError, match="give budget_ms or settings, which holds one, not both"):
        Perceiver(worker=LaggedWorker(Oracle()), budget_ms=5, settings=PerceiverSettings())


def test_a_picture_that_the_model_cannot_be_shown_is_told_each_time():
    class Narrow(LaggedWorker):
        def submit(self, question):
            raise ImageError("too large")

    settings = PerceiverSettings(flow_side=160, budget_ms=1000)
    perceiver = Perceiver(worker=Narrow(Oracle()), settings=settings, clock=Clock())
    perceiver.add("mug", box=BOX)

    for number in range(3):
        with pytest.raises(ImageError, match="too large"):
            perceiver.step(picture(number))


def test_a_closed_perceiver_says_so():
    perceiver, _ = make()
    with perceiver:
        pass

    with pytest.raises(SettingError, match="this Perceiver was closed"):
        perceiver.step(picture(0))


def test_an_object_that_is_not_there_is_a_key_error():
    perceiver, _ = make()
    perceiver.add("mug", box=BOX)
    (state,) = run(perceiver, range(1))

    assert place("mug", 0) == BOX[:2]
    with pytest.raises(KeyError):
        state["cup"]
