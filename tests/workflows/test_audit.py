import json
from datetime import timedelta

import pytest

from flawed_store import AT, SIZE_HW, TINY, good, mask, ref_of, seen, square, store_of
from maskwright.cli.__main__ import run
from maskwright.core import RLE, BoxPrompt, ModelRef, ProcessingStep, ReviewEvent, Scores, TrackPoint, new_id
from maskwright.core.errors import StoreMissing, UnknownRecord
from maskwright.core.review_event import Accept, Comment, Edit, Reject, Relabel, Retrack, Revert
from maskwright.masks import empty_mask
from maskwright.store import Query, open_store
from maskwright.workflows.audit import audit_store
from maskwright.workflows.demo import make_demo
from maskwright.workflows.export_log import NAME, log_export, read_exports
from maskwright.workflows.export_store import export_masks
from maskwright.workflows.licences import terms_of
from maskwright.workflows.mask_story import read_story

NAN = float("nan")


def checks(path):
    return {finding.check: finding for finding in audit_store(path).findings}


def event(record_id, action, *, actor="ann", minutes=1):
    return ReviewEvent(id=new_id(), record_id=record_id, actor=actor, at=AT + timedelta(minutes=minutes), action=action)


def test_nothing_is_said_against_good_masks(tmp_path):
    path = store_of(tmp_path / "masks", [good(number) for number in range(4)])

    done = audit_store(path)

    assert done.findings == ()
    assert done.is_clean
    assert (done.num_masks, done.num_frames) == (4, 4)
    assert done.peak_memory_mb > 1


@pytest.mark.parametrize(
    ("flawed", "check", "severity", "example"),
    [
        (lambda: mask(area=7), "wrong area", "error", "says 7, has 100"),
        (lambda: mask(box_xyxy=(5, 5, 16, 15)), "wrong box", "error", "says 5,5,16,15, is 5,5,15,15"),
        (lambda: mask(rle=empty_mask(SIZE_HW)), "empty masks", "warning", ""),
        (lambda: mask(rle=square(5), box_xyxy=(5, 5, 99, 15)), "box outside", "error", ""),
        (lambda: mask(scores=Scores(predicted_iou=NAN)), "predicted IoU is no number", "error", ""),
        (lambda: mask(scores=Scores(stability=NAN)), "stability is no number", "error", ""),
        (lambda: mask(scores=Scores(predicted_iou=1.4)), "predicted IoU outside 0..1", "warning", "1.4"),
        (lambda: mask(scores=Scores(stability=-0.5)), "stability outside 0..1", "warning", "-0.5"),
        (lambda: mask(label="cup"), "unverified", "warning", "(cup)"),
        (lambda: mask(provenance={"licence": None}), "licence: unknown", "note", "none told (1)"),
        (lambda: mask(provenance={"licence": "CC-BY-NC-4.0"}), "licence: research only", "error", "CC-BY-NC-4.0 (1)"),
        (lambda: mask(provenance={"licence": "GPL-3.0"}), "licence: share alike", "warning", "GPL-3.0 (1)"),
        (lambda: mask(provenance={"licence": "House rules"}), "licence: other", "note", "House rules (1)"),
        (
            lambda: mask(provenance={"licence": None, "source": "sa_223750.json (sa1b)"}),
            "licence: SA-1B", "warning", "sa_223750.json (sa1b)",
        ),
        (lambda: mask(provenance={"derived_from": ("gone",)}), "origin is elsewhere", "note", "from gone"),
    ],
)  # fmt: skip
def test_a_mask_with_a_flaw_is_found_among_good_ones(tmp_path, flawed, check, severity, example):
    path = store_of(tmp_path / "masks", [*(good(number) for number in (1, 2)), flawed()])

    found = checks(path)

    assert check in found, found
    assert found[check].severity == severity
    assert found[check].count == 1
    assert example in found[check].examples[0]
    assert found[check].advice


def test_run_lengths_that_cannot_be_read_are_one_finding_and_not_the_end(tmp_path):
    broken = mask(rle=square(5), area=100, box_xyxy=(5, 5, 15, 15))
    object.__setattr__(broken, "rle", RLE(SIZE_HW, b"52203"))
    path = store_of(tmp_path / "masks", [broken, good(1)])

    finding = checks(path)["unreadable pixels"]

    assert finding.count == 1
    assert broken.id in finding.examples[0]


def test_masks_of_another_size_than_their_frame_are_found(tmp_path):
    path = store_of(tmp_path / "masks", [good(0)], [seen(0, size_hw=(80, 120))])

    assert "40x60 on a frame of 80x120" in checks(path)["wrong size"].examples[0]


def test_what_a_person_accepted_or_redrew_is_not_unverified(tmp_path):
    records = [mask(number) for number in range(3)]
    path = store_of(tmp_path / "masks", records)
    with open_store(path) as store:
        store.append([event(records[0].id, Accept()), event(records[1].id, Edit(square(7)))])

    assert checks(path)["unverified"].count == 1


def test_rejected_masks_are_no_finding(tmp_path):
    bad = mask(1, x=30, area=7)
    path = store_of(tmp_path / "masks", [bad, good(1)])
    with open_store(path) as store:
        store.append([event(bad.id, Reject("wrong"))])

    assert audit_store(path).findings == ()


def test_masks_at_ten_hertz_of_a_recording_at_thirty_are_said_so(tmp_path):
    path = store_of(tmp_path / "masks", [good(number) for number in range(0, 30, 3)])

    (finding,) = audit_store(path).findings

    assert finding.check == "native rate"
    assert finding.examples == ("kitchen e1/front: recorded at 30 Hz, masks at 10 Hz, 10 of 28 frames",)


def test_gaps_and_frames_without_masks_are_told(tmp_path):
    numbers = [0, 1, 2, 7, 8]
    path = store_of(tmp_path / "masks", [good(number) for number in numbers], [seen(9), seen(10)])

    found = checks(path)

    assert found["gaps"].count == 1
    assert found["frames without masks"].count == 2
    assert found["frames without masks"].examples == ("kitchen e1/front: 2",)


def test_an_end_that_nobody_looked_at_is_known_from_the_source(tmp_path):
    made = make_demo(tmp_path / "demo")
    with open_store(made.store, read_only=True) as store:
        kept = [one.record for one in store.query(Query(camera="front", last_frame=59))]
    path = store_of(tmp_path / "part", kept)
    (path / "runs").mkdir()
    manifest = next((made.store / "runs").glob("*.json"))
    (path / "runs" / manifest.name).write_bytes(manifest.read_bytes())

    finding = checks(path)["end missing"]

    assert "60 of 120 frames" in finding.examples[0]
    assert audit_store(made.store).findings == ()


def test_checkpoints_and_models_that_are_mixed_are_told(tmp_path):
    other = ModelRef(name="tiny", family="tiny", checkpoint_sha256="b" * 64, precision="fp16")
    large = ModelRef(name="vit_h", family="sam", checkpoint_sha256="c" * 64)
    path = store_of(
        tmp_path / "masks",
        [mask(number, provenance={"model": model}) for number, model in enumerate((TINY, other, large))],
    )

    found = checks(path)

    assert found["mixed checkpoints"].examples == ("tiny: aaaaaaaaaaaa, bbbbbbbbbbbb",)
    assert found["mixed precisions"].severity == "note"
    assert found["several models"].severity == "note"


def test_a_track_keeps_its_label_and_is_once_on_a_frame(tmp_path):
    records = [good(0, track="1", label="cup"), good(1, track="1", label="mug"), good(0, track="1", label="cup", x=30)]
    path = store_of(tmp_path / "masks", records)

    found = checks(path)

    assert found["labels in a track"].examples == ("kitchen e1 1: cup, mug",)
    assert found["track twice on a frame"].count == 1


def test_the_same_pixels_twice_on_a_frame_are_found(tmp_path):
    path = store_of(tmp_path / "masks", [good(0), good(0), good(1)])

    assert checks(path)["duplicates"].count == 1


def test_terms_do_not_get_lost_when_masks_are_made_from_masks(tmp_path):
    origin = mask(0, provenance={"licence": "SA-1B research"})
    child = mask(0, x=20, provenance={"method": "human_drawn", "licence": "MIT", "derived_from": (origin.id,)})
    path = store_of(tmp_path / "masks", [origin, child])

    finding = checks(path)["licence lost on the way"]

    assert finding.severity == "error"
    assert finding.examples == (f"{child.id} from {origin.id}",)


@pytest.mark.parametrize(
    ("licence", "terms"),
    [
        ("Apache-2.0", "open"), ("MIT", "open"), ("CC-BY-4.0", "open"), ("CC0", "open"), ("bsd-3-clause", "open"),
        ("CC BY-SA 4.0", "share alike"), ("cc-by-nc-sa-4.0", "research only"), ("non-commercial", "research only"),
        ("SA-1B Dataset Research License", "research only"), ("AGPL-3.0", "share alike"), (None, "unknown"),
        ("unknown", "unknown"), ("  ", "unknown"), ("ask Bob", "other"), ("permitted", "other"),
    ],
)  # fmt: skip
def test_a_licence_is_known_by_its_name(licence, terms):
    assert terms_of(licence) == terms


def test_a_mask_tells_its_whole_life_in_order(tmp_path):
    origin = good(0)
    asked = {
        "prompt": BoxPrompt((4, 4, 16, 16)),
        "steps": (ProcessingStep(name="fill_holes", parameters={"max_pixels": 9}),),
        "derived_from": (origin.id,), "captured_at": AT - timedelta(days=1), "collector": "lab 3",
    }  # fmt: skip
    record = mask(0, x=20, label="cup", provenance=asked, scores=Scores(predicted_iou=0.91, stability=0.9))
    child = mask(0, x=22, provenance={"derived_from": (record.id,)})
    path = store_of(tmp_path / "masks", [origin, record, child])
    accept = event(record.id, Accept(), actor="bob", minutes=10**6)
    with open_store(path) as store:
        store.append([event(record.id, Relabel("mug"), minutes=10**6 - 1), accept])
        log_export(store, format_name="coco", out=tmp_path / "coco", query=Query(label="mug"), num_masks=1)
        log_export(store, format_name="yolo", out=tmp_path / "yolo", query=Query(label="plate"), num_masks=0)

    story = read_story(path, record.id)

    says = [one.says for one in story.chapters]
    assert says[0] == "the picture was taken by lab 3"
    assert says[1].startswith("proposed by tiny (tiny, fp32, SHA-256 aaaaaaaaaaaaaaaa); asked with a box 4,4,16,16; ")
    assert "then fill_holes (max_pixels 9)" in says[1]
    assert any(one.startswith("put into the store (moment 1)") for one in says)
    assert any(one.startswith("exported as coco") for one in says)
    assert not any("yolo" in one for one in says)
    assert says[-2:] == ['called "mug" by ann', "accepted as it is by bob"]
    assert story.ancestors[0].startswith(f"{origin.id}: drawn by hand")
    assert story.descendants == (f"{child.id} (sam_raw)",)
    text = "\n".join(story.lines())
    assert f'mask {record.id} "mug", on kitchen e1/front frame 0' in text
    assert "now: accepted, verified by bob; 100 pixels, box 20,5,30,15" in text


def test_what_was_said_is_part_of_the_story(tmp_path):
    path = store_of(tmp_path / "masks", [one := good(0)])
    with open_store(path) as store:
        store.append([event(one.id, Comment("a cup,\nor a bowl?"))])
        (record,) = store.query()

    says = [one.says for one in read_story(path, record.record.id).chapters]

    assert "ann says: a cup, or a bowl?" in says


def test_what_was_undone_is_told_as_such(tmp_path):
    record = mask(0)
    path = store_of(tmp_path / "masks", [record])
    accept = event(record.id, Accept())
    with open_store(path) as store:
        store.append([accept, event(record.id, Revert(accept.id), minutes=2)])

    says = [one.says for one in read_story(path, record.id[:8]).chapters]

    assert says[-1].startswith("put into the store") or "was undone by ann" in " ".join(says)
    assert any(one.startswith("the accept of 2026-05-01") and one.endswith("was undone by ann") for one in says)


def test_a_mask_that_is_not_there_is_an_error_that_says_how_to_find_one(tmp_path):
    path = store_of(tmp_path / "masks", [mask(0, id="abcd1"), mask(1, id="abcd2")])

    with pytest.raises(UnknownRecord, match="See: maskwright query --json"):
        read_story(path, "nothing")
    with pytest.raises(UnknownRecord, match="several masks begin with 'abcd'"):
        read_story(path, "abcd")
    with pytest.raises(StoreMissing):
        read_story(tmp_path / "none", "abcd")


def test_an_export_becomes_part_of_the_life_of_the_masks_it_took(tmp_path):
    cup, plate = mask(0, label="cup"), mask(1, label="plate")
    path = store_of(tmp_path / "masks", [cup, plate])

    export_masks(path, "coco", tmp_path / "coco", query=Query(label="cup"), with_images=False)

    assert [one.out for one in read_story(path, cup.id).exports] == [str(tmp_path / "coco")]
    assert read_story(path, plate.id).exports == ()


def test_damaged_lines_of_the_export_log_are_left_out(tmp_path):
    path = store_of(tmp_path / "masks", [mask(0)])
    with open_store(path) as store:
        log_export(store, format_name="coco", out=tmp_path, query=Query(bbox=(0, 0, 9, 9)), num_masks=1)
    with (path / NAME).open("a") as file:
        file.write('{"at": "yesterday"}\nnonsense\n')

    (entry,) = read_exports(path)

    assert entry.query == Query(bbox=(0, 0, 9, 9))


def test_the_command_prints_and_is_strict_when_asked(tmp_path, capsys):
    path = store_of(tmp_path / "masks", [mask(0), good(1)])

    assert run(["audit", str(path)]) == 0
    told = capsys.readouterr().out
    assert "warning  masks of a model or from elsewhere that no person has verified (50 % of all): 1" in told
    assert told.splitlines()[-1].startswith("masks: 2 masks of 2 frames: 0 errors, 1 warning, 0 notes (")
    assert run(["audit", str(path), "--strict"]) == 1
    capsys.readouterr()
    assert run(["audit", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["check"] == "unverified"
    with open_store(path, read_only=True) as store:
        (one,) = store.query(Query(method="sam_raw"))
    assert run(["audit", str(path), "--mask", one.record.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["id"] == one.record.id
    assert run(["audit", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_loose_pictures_are_audited_too(tmp_path):
    path = store_of(
        tmp_path / "masks", [mask(0, frame=None, image_digest="p1"), mask(0, frame=None, image_digest="p1")]
    )

    assert checks(path)["duplicates"].examples[0].startswith("p1: ")


def test_recordings_are_told_apart(tmp_path):
    records = [good(number, ref=ref_of(number, camera=camera)) for camera in ("front", "wrist") for number in (0, 2, 4)]
    path = store_of(tmp_path / "masks", records)

    assert checks(path)["native rate"].count == 2


def test_an_object_that_its_track_says_is_not_seen_may_have_no_pixel(tmp_path):
    hidden = mask(
        rle=empty_mask(SIZE_HW), track="1", track_point=TrackPoint(source="segmented", state="occluded", confidence=0.5)
    )
    claimed = mask(rle=empty_mask(SIZE_HW), track="2", track_point=TrackPoint(source="segmented"))
    path = store_of(tmp_path / "masks", [hidden, claimed])

    assert checks(path)["empty masks"].examples == (claimed.id,)


def test_a_story_tells_how_a_mask_came_into_its_track(tmp_path):
    point = TrackPoint(source="carried", state="visible", confidence=0.75, anchors=("0:aa", "40:bb"))
    path = store_of(tmp_path / "masks", [mask(id="x1", track="mug", track_point=point)])
    with open_store(path) as store:
        store.append([event("x1", Retrack("cup")), event("x1", Retrack(None))])

    text = "\n".join(read_story(path, "x1").lines())

    assert "carried in its track, propagated from the keyframes on frame 0 and 40, visible, confidence 0.75" in text
    assert "moved to the track cup by ann" in text
    assert "taken out of its track by ann" in text
