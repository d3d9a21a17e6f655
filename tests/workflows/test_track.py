"""`track`: a mask of each object on every frame, resumed, corrected, and none done twice."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maskwright.core import (
    Accept,
    BoxPrompt,
    CombinedPrompt,
    Edit,
    MaskPrompt,
    PointPrompt,
    Provenance,
    Reject,
    ReviewEvent,
    TrackPoint,
    anchor,
    new_id,
)
from maskwright.core.errors import PromptError, PromptOutsideImage, SettingError
from maskwright.masks import area, box_xyxy, decode, empty_mask, encode
from maskwright.store import Query, open_store
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.run_manifest import read_manifests
from maskwright.workflows.track import People, track
from maskwright.workflows.track_prompts import TrackPrompt
from moving_scene import SIZE_HW, scripted, write_scene

NUM = 20
BOX = BoxPrompt((4, 6, 10, 12))


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Frames that no test changes."""
    return write_scene(tmp_path_factory.mktemp("here") / "scene", NUM)


@pytest.fixture
def scene(still, tmp_path):
    return Path(shutil.copytree(still, tmp_path / "scene"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "masks"


@pytest.fixture(scope="module")
def mug_store(still):
    run(still, still.parent / "masks", (0, "mug", BOX))
    return still.parent / "masks"


@pytest.fixture
def tracked(mug_store, out):
    """A store in which the mug was tracked from frame 0."""
    return Path(shutil.copytree(mug_store, out))


def place(footage, index):
    (episode,) = footage.source.episodes
    (camera,) = episode.cameras
    return episode.key, camera, index


def prompt(footage, index, name="mug", what=BOX, **facts):
    return TrackPrompt(place=place(footage, index), track=name, prompt=what, **facts)


def run(scene, out, *said, **options):
    """Track the scene; what is said are (frame, name, prompt)."""
    footage = Footage.open(scene)
    seen = []
    done = track(scripted(seen), footage, out, prompts=[prompt(footage, *one) for one in said], **options)
    return done, seen


def masks_of(out, name="mug", **conditions):
    """The listed masks of a track by frame."""
    with open_store(out, read_only=True) as store:
        found = list(store.query(Query(track=name, **conditions)))
    by_frame = {one.record.frame.frame_index: one for one in found}
    assert len(by_frame) == len(found)  # one a frame
    return by_frame


def left_of(mask):
    return mask.record.box_xyxy[0]


def decide(out, mask, action, actor="ann"):
    with open_store(out) as store:
        store.append(
            [ReviewEvent(id=new_id(), record_id=mask.record.id, actor=actor, at=datetime.now(UTC), action=action)]
        )


def moved(mask, pixels):
    """An edit that moves a mask to the right."""
    dense = decode(mask.record.rle)
    shifted = dense.copy()
    shifted[:, pixels:] = dense[:, :-pixels]
    shifted[:, :pixels] = False
    return Edit(encode(shifted))


def test_an_object_named_once_has_a_mask_on_every_frame(scene, out):
    done, seen = run(scene, out, (5, "mug", BOX))

    masks = masks_of(out)
    assert sorted(masks) == list(range(NUM))
    assert [left_of(masks[index]) for index in (0, 5, 19)] == [0, 4, 18]
    assert masks[5].record.track_point == TrackPoint(source="keyframe")
    assert masks[5].record.provenance.method == "sam_raw"
    assert masks[5].record.provenance.prompt == BOX
    assert (done.tracks, done.num_keyframes, done.num_masks, done.num_replaced) == (("mug",), 1, NUM - 1, 0)
    assert sorted(seen) == sorted([5, *range(5, NUM), *range(6)])  # the keyframe, forwards, backwards


def test_masks_tell_what_they_were_propagated_from(scene, out):
    run(scene, out, (5, "mug", BOX), (12, "mug", BoxPrompt((11, 6, 17, 12))))

    masks = masks_of(out)
    first, second = (anchor(index, masks[index].record.rle) for index in (5, 12))
    told = {index: mask.record.track_point.anchors for index, mask in masks.items()}
    assert told == {
        **dict.fromkeys(range(5), (first,)),
        **dict.fromkeys(range(6, 12), (first, second)),
        **dict.fromkeys(range(13, NUM), (second,)),
        5: (),
        12: (),
    }
    carried, segmented = masks[8].record.provenance, masks[9].record.provenance
    assert (carried.method, [step.name for step in carried.steps]) == ("sam_refined", ["propagate"])
    assert (segmented.method, segmented.steps) == ("sam_raw", ())
    assert carried.derived_from == segmented.derived_from == (masks[5].record.id, masks[12].record.id)
    assert carried.model.name == "scripted"


def test_a_second_run_does_nothing(scene, out):
    run(scene, out, (5, "mug", BOX))
    with open_store(out) as store:
        before = store.moment()

    again, seen = run(scene, out, (5, "mug", BOX))
    bare, seen_without_prompts = run(scene, out)

    assert seen == seen_without_prompts == []
    assert (again.num_keyframes, again.num_masks, bare.num_masks, bare.tracks) == (0, 0, 0, ("mug",))
    with open_store(out) as store:
        assert store.moment() == before


def test_between_two_keyframes_each_frame_has_the_nearer_ones_mask(scene, out):
    run(scene, out, (0, "mug", BOX), (10, "mug", BoxPrompt((20, 6, 26, 12))))  # it jumped by 6 in between

    masks = masks_of(out)
    assert [left_of(masks[index]) for index in (1, 4, 6, 9, 11)] == [5, 8, 16, 19, 21]


def test_a_correction_does_again_what_it_affects_and_no_more(scene, out):
    run(scene, out, (0, "mug", BOX), (10, "mug", BoxPrompt((14, 6, 20, 12))), (0, "box", BOX))
    before = masks_of(out)
    decide(out, before[15], moved(before[15], 3))

    done, seen = run(scene, out)

    after = masks_of(out)
    kept = [index for index in range(NUM) if after[index].record.id == before[index].record.id]
    assert kept == [*range(11), 15]
    assert done.num_masks == done.num_replaced == 8
    assert sorted(set(seen)) == list(range(10, NUM))
    assert left_of(after[19]) == left_of(before[19]) + 3
    assert after[11].record.provenance.derived_from[-1] == before[11].record.id
    with open_store(out, read_only=True) as store:
        old = store.record(before[12].record.id)
        assert old.status == "split"  # another stands in its place; nothing is lost
        assert store.history(before[12].record.id).events[0].action.into == (after[12].record.id,)
        assert store.count(Query(track="box")) == NUM


def test_a_prompt_on_a_tracked_frame_is_a_correction(scene, tracked):
    done, _ = run(scene, tracked, (10, "mug", BoxPrompt((30, 6, 36, 12))))

    masks = masks_of(tracked)
    assert masks[10].record.track_point.source == "keyframe"
    assert [left_of(masks[index]) for index in (1, 9, 11)] == [5, 29, 31]
    assert (done.num_keyframes, done.num_masks, done.num_replaced) == (1, NUM - 2, NUM - 1)


def test_clicks_alone_correct_the_mask_that_is_there(scene, tracked):
    run(scene, tracked, (10, "mug", PointPrompt([(40, 20)])))

    masks = masks_of(tracked)
    assert masks[10].record.area == 36 + 9
    assert isinstance(masks[10].record.provenance.prompt, CombinedPrompt)
    _, seen = run(scene, tracked, (10, "mug", PointPrompt([(40, 20)])))
    assert seen == []


def test_accepting_masks_as_they_are_costs_nothing(scene, tracked):
    masks = masks_of(tracked)
    for index in (3, 4, 12):
        decide(tracked, masks[index], Accept())

    _, seen = run(scene, tracked)

    assert seen == []


def test_an_accepted_mask_bounds_what_a_correction_does(scene, tracked):
    before = masks_of(tracked)
    decide(tracked, before[6], Accept())
    decide(tracked, before[12], moved(before[12], 2))

    run(scene, tracked)

    after = masks_of(tracked)
    assert [index for index in range(NUM) if after[index].record.id == before[index].record.id] == [*range(7), 12]
    assert after[6].status == "accepted"
    assert after[9].record.track_point.anchors == tuple(anchor(i, after[i].record.rle) for i in (6, 12))


def test_a_rejected_mask_stays_away_until_a_keyframe_changes(scene, tracked):
    decide(tracked, masks_of(tracked)[7], Reject())

    _, seen = run(scene, tracked)
    assert seen == []
    assert 7 not in masks_of(tracked)

    decide(tracked, masks_of(tracked)[12], moved(masks_of(tracked)[12], 2))
    run(scene, tracked)
    assert sorted(masks_of(tracked)) == list(range(NUM))


def test_a_mask_that_a_person_puts_on_a_tracked_frame_takes_its_place(scene, tracked):
    old = masks_of(tracked)[8].record
    rle = encode(decode(old.rle)[:, ::-1])
    drawn = replace(
        old,
        id=new_id(),
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        track_point=None,
        provenance=Provenance(method="human_drawn", created_at=datetime.now(UTC), actor="ann"),
    )
    with open_store(tracked) as store:
        store.put([drawn])

    run(scene, tracked)

    masks = masks_of(tracked)
    assert masks[8].record == drawn
    assert masks[9].record.track_point.anchors == (anchor(8, rle),)


def test_an_empty_keyframe_ends_a_track(scene, tracked):
    decide(tracked, masks_of(tracked)[8], Edit(empty_mask(SIZE_HW)))

    run(scene, tracked)

    masks = masks_of(tracked)
    assert sorted(masks) == list(range(9))  # and no phantom masks after it
    assert [masks[index].record.area for index in (7, 8)] == [36, 0]
    _, seen = run(scene, tracked)
    assert seen == []


def test_between_two_empty_keyframes_nothing_is_seen(scene, out):
    run(scene, out, (0, "mug", BOX), (15, "mug", BOX))
    masks = masks_of(out)
    for index in (5, 10):
        decide(out, masks[index], Edit(empty_mask(SIZE_HW)))

    run(scene, out)

    masks = masks_of(out)
    assert sorted(masks) == list(range(NUM))
    assert [index for index in range(NUM) if masks[index].record.track_point.state == "outside"] == [6, 7, 8, 9]
    assert masks[8].record.area == 0


def test_an_object_that_leaves_is_outside_with_an_empty_mask(tmp_path, out):
    scene = write_scene(tmp_path / "long", 60)
    run(scene, out, (0, "mug", BOX))

    masks = masks_of(out)
    assert len(masks) == 60
    assert {masks[index].record.track_point.state for index in range(44, 60)} == {"outside"}
    assert {masks[index].record.area for index in range(44, 60)} == {0}
    assert len(masks_of(out, track_state="outside")) == 16


def test_several_objects_share_their_frames(scene, out):
    _, seen = run(
        scene, out, (0, "mug", BOX), (0, "box", BoxPrompt((1, 1, 3, 3))), (0, "lid", BoxPrompt((9, 1, 12, 3)))
    )

    assert len(seen) == 1 + NUM
    assert all(len(masks_of(out, name)) == NUM for name in ("mug", "box", "lid"))


def test_a_track_has_its_name_as_label_or_the_one_given(scene, out):
    footage = Footage.open(scene)
    said = [prompt(footage, 3, "mug 1", label="mug"), prompt(footage, 3, "2")]

    track(scripted(), footage, out, prompts=said)

    assert {mask.record.label for mask in masks_of(out, "mug 1").values()} == {"mug"}
    assert {mask.record.label for mask in masks_of(out, "2").values()} == {"2"}


def test_a_range_is_tracked_and_no_more(scene, out):
    run(scene, out, (5, "mug", BOX), selection=Selection(start=3, stop=9))

    assert sorted(masks_of(out)) == list(range(3, 9))


def test_a_longer_range_goes_on_from_the_last_mask(scene, out):
    run(scene, out, (0, "mug", BOX), selection=Selection(stop=10))
    _, seen = run(scene, out)

    assert seen == [0, *range(9, NUM)]  # the keyframe for its looks, then where to go on from
    assert left_of(masks_of(out)[19]) == 23


def test_frames_that_cannot_be_decoded_are_left_out_and_told(scene, out):
    for index in (8, 9):
        (scene / f"{index:05d}.png").write_bytes(b"no picture")

    done, _ = run(scene, out, (5, "mug", BOX), (14, "mug", BoxPrompt((13, 6, 19, 12))))

    assert sorted(masks_of(out)) == [*range(8), *range(10, NUM)]
    assert done.num_skipped == 2
    assert left_of(masks_of(out)[10]) == 9
    with open_store(out) as store:
        (manifest,) = read_manifests(store.path)
    assert sum(one["num_frames"] for one in manifest["sessions"][0]["skipped"]) == 2


def test_the_run_tells_its_story(scene, out):
    run(scene, out, (0, "mug", BOX), people=People(actor="ann", collector="lab 7", licence="CC0"), command="a command")

    with open_store(out) as store:
        (manifest,) = read_manifests(store.path)
    assert (manifest["verb"], manifest["source"]["path"]) == ("track", str(scene.resolve()))
    session = manifest["sessions"][0]
    assert (session["outcome"], session["tracks"], session["num_masks"]) == ("done", ["mug"], NUM - 1)
    made = masks_of(out)[4].record.provenance
    assert (made.actor, made.collector, made.licence) == ("ann", "lab 7", "CC0")


def test_a_session_that_fails_leaves_what_it_had_and_goes_on(scene, out):
    footage = Footage.open(scene)

    def stop(at):
        if at.num_done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(scripted(), footage, out, prompts=[prompt(footage, 0)], progress=stop)
    assert len(masks_of(out)) == 11
    with open_store(out) as store:
        assert read_manifests(store.path)[0]["sessions"][0]["outcome"] == "interrupted"

    run(scene, out)
    assert sorted(masks_of(out)) == list(range(NUM))


def test_masks_to_begin_with_are_taken_as_they_are(scene, out):
    given = encode(decode(empty_mask(SIZE_HW)) | (decode(empty_mask(SIZE_HW)) == 0))
    run(scene, out, (0, "all", MaskPrompt(given)))

    record = masks_of(out, "all")[0].record
    assert (record.rle, record.provenance.method, record.provenance.model) == (given, "imported", None)
    _, seen = run(scene, out, (0, "all", MaskPrompt(given)))
    assert seen == []


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ((99, "mug", BOX), SettingError, "a prompt needs a frame from 0 to 19, got 99"),
        ((3, "mug", BoxPrompt((90, 3, 99, 9))), PromptOutsideImage, "the prompt for mug lies outside the picture on f"),
        ((3, "mug", MaskPrompt(empty_mask((3, 3)))), PromptError, r"the mask for mug is \(3, 3\) \(h, w\) on frame 3"),
        ((3, " ", BOX), PromptError, "an object to track needs a name"),
    ],
)
def test_a_prompt_that_cannot_be_is_told_before_any_work(scene, out, said, error, message):
    with pytest.raises(error, match=message):
        run(scene, out, said)

    assert not out.exists()


def test_two_boxes_for_one_object_on_a_frame_are_refused(scene, out):
    with pytest.raises(PromptError, match="at most one BoxPrompt"):
        run(scene, out, (3, "mug", BOX), (3, "mug", BoxPrompt((1, 1, 2, 2))))


def test_a_prompt_where_its_track_has_a_keyframe_is_refused_unless_it_replaces_it(scene, tracked):
    other = BoxPrompt((1, 1, 3, 3))

    with pytest.raises(SettingError, match="the track mug has a keyframe on frame 0 already, prompted"):
        run(scene, tracked, (0, "mug", other))
    decide(tracked, masks_of(tracked)[0], Accept(), actor="bob")
    with pytest.raises(SettingError, match="accepted by bob. Edit that mask, or give --replace"):
        run(scene, tracked, (0, "mug", other))
    run(scene, tracked, (0, "mug", other), replace=True)

    assert {mask.record.area for mask in masks_of(tracked).values()} == {4}
    assert len(masks_of(tracked)) == NUM


def test_an_object_that_is_tracked_under_another_name_is_told(scene, tracked):
    done, _ = run(scene, tracked, (3, "cup", BoxPrompt((7, 6, 13, 12))), (3, "handle", BoxPrompt((7, 6, 9, 12))))

    (note,) = done.notes
    assert (
        f"cup is where mug is (IoU 1.00). If they are one object: maskwright tracks {tracked} --merge mug,cup" in note
    )
    assert done.tracks == ("mug", "cup", "handle")


def test_what_was_not_found_is_told_and_makes_no_track(scene, out):
    done, _ = run(scene, out, (2, "mug", PointPrompt([(3, 3)], [0])))

    assert "the model found nothing where mug was said to be" in done.notes[0]
    assert masks_of(out) == {}


def test_a_name_that_no_track_has_is_an_error(scene, tracked):
    with pytest.raises(SettingError, match="no track is called 'mgu'"):
        run(scene, tracked, tracks=["mgu"])
    with pytest.raises(SettingError, match="tracks are at the native rate"):
        run(scene, tracked, selection=Selection(stride=2))


def test_masks_that_no_tracker_made_are_followed_only_when_they_are_named(scene, tracked):
    record = masks_of(tracked)[0].record
    with open_store(tracked) as store:
        store.put([replace(record, id=new_id(), track="imported", track_point=None)])

    run(scene, tracked)
    assert len(masks_of(tracked, "imported")) == 1
    run(scene, tracked, tracks=["imported"])
    assert len(masks_of(tracked, "imported")) == NUM


def test_two_masks_on_a_frame_after_a_kill_become_one(scene, tracked):
    stale = masks_of(tracked)[7].record
    point = replace(stale.track_point, anchors=("0:0000000000000000",))
    with open_store(tracked) as store:
        store.put([replace(stale, id="stale", track_point=point)])

    done, seen = run(scene, tracked)

    assert (seen, done.num_replaced) == ([], 1)
    assert masks_of(tracked)[7].record.id == stale.id


def test_json_of_the_manifest_is_json(tracked):
    assert json.loads(next((tracked / "runs").glob("track-*.json")).read_text())["format"] == "maskwright-run"


def test_objects_that_nobody_named_are_found_and_followed(scene, out):
    footage = Footage.open(scene)
    finds = {4: BoxPrompt((30, 1, 33, 4)), 8: BOX}

    done = track(scripted(finds=finds), footage, out, prompts=[prompt(footage, 4)])

    assert done.tracks == ("mug", "object-4", "object-8")
    found = masks_of(out, "object-4")
    assert sorted(found) == list(range(4, NUM))  # it is not looked for before it was found
    assert found[4].is_keyframe
    assert [step.name for step in found[4].record.provenance.steps] == ["found"]
    assert found[9].record.track_point.anchors == (anchor(4, found[4].record.rle),)
    assert found[9].record.provenance.derived_from == (found[4].record.id,)
    seen = []
    track(scripted(seen, finds), footage, out)
    assert seen == []


def test_what_the_store_has_already_is_not_found_again(scene, out):
    footage = Footage.open(scene)
    run(scene, out, (0, "mug", BOX))

    track(scripted(finds={5: BoxPrompt((9, 6, 15, 12))}), footage, out, prompts=[prompt(footage, 0, "lid", BOX)])

    with open_store(out) as store:
        assert {mask.record.track for mask in store.query()} == {"mug", "lid"}


def test_without_any_prompt_objects_are_looked_for_from_the_first_frame(scene, out):
    footage = Footage.open(scene)
    finds = {0: BOX, 7: BoxPrompt((30, 1, 33, 4))}

    done = track(scripted(finds=finds), footage, out)

    assert done.tracks == ("object-0", "object-7")
    assert len(masks_of(out, "object-0")) == NUM
    assert len(masks_of(out, "object-7")) == NUM - 7


def test_a_found_object_gets_a_name_that_no_track_has(scene, out):
    footage = Footage.open(scene)
    run(scene, out, (0, "object-4", BOX))

    track(scripted(finds={4: BoxPrompt((30, 1, 33, 4))}), footage, out, prompts=[prompt(footage, 0, "lid", BOX)])

    assert len(masks_of(out, "object-4 2")) == NUM - 4


def test_a_keyframe_that_a_kill_left_beside_its_successor_goes(scene, out):
    other = BoxPrompt((1, 1, 3, 3))
    run(scene, out, (0, "mug", BOX))
    old = masks_of(out)[0].record
    provenance = replace(old.provenance, prompt=other, derived_from=(old.id,))
    with open_store(out) as store:
        store.put([replace(old, id="successor", provenance=provenance)])

    run(scene, out, (0, "mug", other))

    assert masks_of(out)[0].record.id == "successor"
    assert len(masks_of(out)) == NUM
