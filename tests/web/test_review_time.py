"""Time in the review application: tracks followed, corrected, split, merged and filled, jumps, and other cameras."""

import re
import time
from dataclasses import replace

import pytest

from maskwright.core import ModelRef, Provenance, TrackPoint, anchor, new_id
from maskwright.predict.records import utc_now
from maskwright.store import Query, open_store
from maskwright.workflows.demo import make_demo
from review_app import WAIT_MS, needs_chromium, open_page, pull, wait_saved

pytestmark = needs_chromium
BALL = (93, 192), (122, 223)  # on the first frame
LAST = 12


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory):
    """The demo, and a track `lid` on its front camera: keyframes on the frames 0 and 12, propagated masks between."""
    folder = make_demo(tmp_path_factory.mktemp("time") / "demo").store
    with open_store(folder) as store:
        balls = [one.record for one in store.query(Query(camera="front", track="ball", last_frame=LAST))]
        ends = tuple(anchor(at, balls[at].rle) for at in (0, LAST))
        model = ModelRef(name="tiny", family="tiny", checkpoint_sha256="ab" * 32)
        for at, ball in enumerate(balls):
            is_end = at in (0, LAST)
            point = (
                TrackPoint(source="keyframe") if is_end else TrackPoint(source="carried", confidence=0.7, anchors=ends)
            )
            provenance = Provenance(method="sam_refined", created_at=utc_now(), model=model)
            store.put([replace(ball, id=new_id(), label="lid", track="lid", provenance=provenance, track_point=point)])
    return folder


def go_to(page, index):
    page.keyboard.press("Control+j")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("spinbutton").fill(str(index))
    page.keyboard.press("Enter")
    wait_frame(page, index)


def wait_frame(page, index):
    page.locator(".controls button", has_text=re.compile(rf"^\s*{index} / 119\s*$")).wait_for()
    page.locator("[role=option]").first.wait_for()


def lane(page, track):
    return page.get_by_role("button", name=re.compile(rf"^{track}[ ,]"))


def wait_told(page, *words):
    """Wait until the timeline says this of the open frame."""
    told = page.locator(".time [role=slider]")
    eventually(lambda: set(words) <= set(told.get_attribute("aria-valuetext").split(", ")))


def wait_note(page, text):
    page.locator(".banner", has_text=text).wait_for()


def tracked(folder, track, **given):
    with open_store(folder, read_only=True) as store:
        return {one.record.frame.frame_index: one for one in store.query(Query(camera="front", track=track, **given))}


def eventually(claim):
    """Wait until something holds, of the page or of what is in the store."""
    until = time.monotonic() + WAIT_MS / 1000
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_an_object_is_followed_with_progress_stopped_corrected_and_followed_anew_up_to_the_next_keyframe(
    page, address, store_folder
):
    open_page(page, address)
    page.keyboard.press("Shift+K")
    lane(page, "ball").wait_for()
    page.keyboard.press("w")
    pull(page, *BALL)
    page.locator(".candidates").wait_for()
    page.keyboard.press("1")

    page.keyboard.press(".")
    page.get_by_role("status").filter(has_text=re.compile(r"ball 2: (1[4-9]|[2-9]\d) of 120 frames")).wait_for()
    page.get_by_role("button", name="Stop").click()
    wait_note(page, "Propagating ball 2 was stopped")
    lane(page, "ball 2").wait_for()
    before = tracked(store_folder, "ball 2")
    assert set(range(13)) < before.keys() < set(range(120))
    assert before[0].status == "accepted"
    assert {one.record.track_point.source for at, one in before.items() if at} <= {"carried", "segmented"}

    go_to(page, 10)
    page.locator(
        "[role=option][aria-selected=true]", has_text="ball 2"
    ).wait_for()  # it is followed from frame to frame
    wait_told(page, "ball 2", "propagated")
    page.keyboard.press("f")
    page.keyboard.press("b")
    pull(page, (100, 200), (110, 215))
    page.keyboard.press("Enter")
    wait_told(page, "frame 10")
    lane(page, "ball 2").click()
    wait_told(page, "ball 2", "keyframe", "accepted", "corrected")
    page.keyboard.press(",")
    wait_note(page, "9 masks of ball 2 propagated")

    after = tracked(store_folder, "ball 2")
    ends = {anchor(at, after[at].record.rle) for at in (0, 10)}
    assert all(set(after[at].record.track_point.anchors) == ends for at in range(1, 10))
    assert all(after[at].record.id == before[at].record.id for at in before if at > 10)
    page.keyboard.press("Control+ArrowLeft")
    wait_frame(page, 0)
    page.keyboard.press("Control+ArrowRight")
    wait_frame(page, 10)


def test_masks_between_keyframes_are_interpolated_as_proposals_that_a_tracker_leaves(page, address, store_folder):
    open_page(page, address)
    page.keyboard.press("Shift+K")
    lane(page, "lid").click()
    field = page.locator(".time [role=slider]").bounding_box()
    page.mouse.click(field["x"] + field["width"] * 5.5 / 120, field["y"] + 3)
    lane(page, "lid").click()  # the press was on another lane
    wait_frame(page, 5)
    wait_told(page, "frame 5", "lid", "propagated", "confidence 0.70")

    page.keyboard.press("Control+i")
    wait_note(page, f"{LAST - 1} masks between frames 0 and {LAST}, as proposals")
    wait_saved(page)
    wait_told(page, "frame 5", "lid", "propagated", "confidence 0.58")
    made = tracked(store_folder, "lid")
    between = [made[at].record for at in range(1, LAST)]
    assert {one.status for one in made.values()} == {"proposed"}
    assert [one.provenance.steps[-1].name for one in between] == ["interpolate"] * (LAST - 1)
    assert {(one.provenance.method, one.provenance.actor) for one in between} == {("sam_refined", "anna")}
    page.keyboard.press("Control+.")
    wait_note(page, "lid is up to date; nothing had changed")

    page.keyboard.press("Control+z")
    wait_told(page, "frame 5", "lid", "confidence 0.70")
    eventually(
        lambda: {one.record.track_point.confidence for one in tracked(store_folder, "lid").values()} == {0.7, 1.0}
    )


def test_tracks_are_split_merged_marked_and_taken_back(page, address, store_folder):
    open_page(page, address)
    page.keyboard.press("Shift+K")
    lane(page, "lid").click()
    go_to(page, 6)
    wait_told(page, "frame 6", "lid", "propagated")

    page.keyboard.press("Control+Alt+s")
    wait_note(page, "From frame 6 on lid is called lid 2")
    lane(page, "lid 2").wait_for()
    wait_saved(page)
    first, second = tracked(store_folder, "lid"), tracked(store_folder, "lid 2")
    assert {at for at, one in first.items() if one.record.area} == set(range(6))
    assert {at for at, one in second.items() if one.record.area} == set(range(6, LAST + 1))
    assert (first[6].record.area, second[5].record.area) == (0, 0)  # each ends where the other begins

    page.keyboard.press("Control+Alt+m")
    dialog = page.get_by_role("dialog", name="Which track is the same object as lid 2")
    dialog.get_by_role("combobox").select_option("lid")
    dialog.get_by_role("button", name="Merge").click()
    wait_note(page, "lid is part of lid 2 now")
    wait_saved(page)
    assert tracked(store_folder, "lid") == {}
    assert {at for at, one in tracked(store_folder, "lid 2").items() if one.record.area} == set(range(LAST + 1))
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    lane(page, "lid 2").wait_for(state="detached")
    eventually(lambda: tracked(store_folder, "lid").keys() == set(range(LAST + 1)))
    assert all(one.record.area for one in tracked(store_folder, "lid").values())

    lane(page, "lid").click()
    page.keyboard.press("Control+Alt+k")
    wait_told(page, "lid", "occluded", "accepted")
    go_to(page, 8)
    page.keyboard.press("Control+Alt+o")
    wait_told(page, "frame 8", "lid", "outside", "accepted", "corrected")
    go_to(page, 9)
    wait_told(page, "frame 9", "lid", "propagated")
    page.keyboard.press("Control+Alt+u")
    page.keyboard.press("Shift+L")
    page.get_by_role("dialog", name="Name of the track").get_by_role("textbox").fill("cover")
    page.keyboard.press("Enter")
    lane(page, "cover").wait_for()
    wait_saved(page)
    marked = tracked(store_folder, "lid")
    assert (marked[6].record.track_point.state, marked[6].record.provenance.method) == ("occluded", "sam_refined")
    assert (marked[8].record.area, marked[8].edited_by) == (0, "anna")
    assert 9 not in marked
    assert tracked(store_folder, "cover").keys() == {9}


def test_other_cameras_show_the_same_step_and_one_plays_and_jumps(page, address):
    open_page(page, address)
    page.keyboard.press("Shift+I")
    cameras = page.get_by_role("group", name="Other cameras")
    cameras.get_by_role("button", name=re.compile(r"^wrist, \d+ masks$")).wait_for()
    page.get_by_role("spinbutton", name="Frames of a jump").fill("7")
    page.keyboard.press("Enter")
    page.get_by_role("application").focus()
    page.keyboard.press("Shift+ArrowRight")
    wait_frame(page, 7)
    cameras.get_by_role("button", name=re.compile(r"^wrist")).click()
    cameras.get_by_role("button", name=re.compile(r"^front, \d+ masks$")).wait_for()
    wait_frame(page, 7)
    assert "wrist" in page.get_by_role("application").get_attribute("aria-label")

    page.get_by_role("combobox", name="Frames a second").select_option("30")
    page.keyboard.press("k")
    eventually(lambda: int(page.locator(".controls button", has_text=" / ").inner_text().split(" / ")[0]) > 12)
    page.keyboard.press("k")
    page.reload()
    cameras.get_by_role("button", name=re.compile(r"^front")).wait_for()  # as it was left
    assert page.get_by_role("spinbutton", name="Frames of a jump").input_value() == "7"
    assert page.get_by_role("combobox", name="Frames a second").input_value() == "30"
    page.keyboard.press("Shift+I")
    cameras.wait_for(state="detached")
