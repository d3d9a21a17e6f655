import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import robot_data
from annotate_data import EVERYTHING, contents, pixels, write_pictures
from maskwright.core import Accept, Comment, Reject, Relabel, ReviewEvent, new_id
from maskwright.core.errors import InputError, SettingError, StoreMissing
from maskwright.datasets.formats import FORMATS
from maskwright.datasets.images import read_image
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import decode, encode
from maskwright.models import load_model
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.export_store import asks_about_masks, export_masks
from maskwright.workflows.import_masks import Credits, import_masks
from maskwright.workflows.recognise_format import recognise_format
from maskwright.workflows.run_manifest import read_manifests

AT = datetime(2026, 6, 1, tzinfo=UTC)
WRITTEN = [name for name, one in FORMATS.items() if one.writes]
# Those that keep everything, so that a mask comes back as the record it was.
WHOLE = ["coco", "png", "label-studio", "sa1b", "npy", "hdf5", "rlds", "lerobot"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of pictures, annotated once: masks on every picture but the last, which was looked at."""
    root = tmp_path_factory.mktemp("made")
    folder = write_pictures(root / "pictures", range(4))
    annotate(load_model("test-sam"), Footage.open(folder), replace(EVERYTHING, label="thing"), root / "masks")
    with open_store(root / "masks") as store:
        ids = [one.record.id for one in store.query() if one.record.frame.frame_index == 3]
        store.append([decided(record_id, Reject()) for record_id in ids])
    return root


@pytest.fixture
def masks(made, tmp_path):
    """A copy of it that a test may change; its pictures are where they were."""
    return shutil.copytree(made / "masks", tmp_path / "masks")


def decided(record_id, action, actor="ann"):
    return ReviewEvent(id=new_id(), record_id=record_id, actor=actor, at=AT, action=action)


def everything_in(path):
    with open_store(path, read_only=True) as store:
        return {one.record.id: one for one in store.query(Query(status=ANY_STATUS))}


def read_back(path, format_name):
    log = LossLog()
    return {frame.name: frame for frame in FORMATS[format_name].read(path, log=log)}


def test_rejected_masks_stay_behind_and_their_frame_is_one_without_masks(masks, tmp_path):
    done = export_masks(masks, "coco", tmp_path / "coco")

    frames = read_back(tmp_path / "coco", "coco")
    assert list(frames) == ["000.png", "001.png", "002.png", "003.png"]
    assert frames["003.png"].masks == ()
    assert done.report.num_masks == sum(len(frame.masks) for frame in frames.values()) > 0
    assert done.report.is_lossless


def test_pictures_come_from_where_they_were_annotated(masks, tmp_path):
    export_masks(masks, "coco", tmp_path / "coco")

    assert (read_image(tmp_path / "coco" / "images" / "002.png").pixels == pixels(2)).all()


def test_without_pictures_the_report_says_so(masks, tmp_path):
    done = export_masks(masks, "coco", tmp_path / "coco", with_images=False)

    assert not (tmp_path / "coco" / "images").exists()
    assert [one.what for one in done.report.losses] == ["pictures, which are not at hand"]


@pytest.mark.parametrize("name", [one for one in WRITTEN if one not in ("hdf5", "parquet", "cvat-video")])
def test_a_picture_that_cannot_be_read_is_left_out_its_masks_and_the_rest_are_written(made, tmp_path, name):
    pictures = shutil.copytree(made / "pictures", tmp_path / "pictures")
    (pictures / "001.png").write_bytes((pictures / "001.png").read_bytes()[:-2000])
    (pictures / "002.png").unlink()

    done = export_masks(made / "masks", name, tmp_path / "out", images=pictures)
    whole = export_masks(made / "masks", name, tmp_path / "whole", with_images=False)

    items = [one for one in done.report.skipped if one.item.startswith("the picture of")]
    assert [one.item for one in items] == [f"the picture of 00{i}.png, not its masks" for i in (1, 2)]
    assert "the picture is damaged" in items[0].reason
    assert "another than the one that was annotated" in items[1].reason
    assert (done.report.num_frames, done.report.num_masks) == (whole.report.num_frames, whole.report.num_masks)
    frames = list(read_back(tmp_path / "out", name).values())
    assert len(frames) == 4
    assert [one.open_image is not None for one in frames] == [True, False, False, True]
    if name != "davis":  # which has JPEGs
        assert (frames[3].open_image().pixels == pixels(3)).all()
    assert len(frames[1].masks) == len(list(read_back(tmp_path / "whole", name).values())[1].masks) > 0


def test_other_pictures_than_those_annotated_are_refused(masks, tmp_path):
    other = write_pictures(tmp_path / "other" / "pictures", range(10, 14))
    for number in range(4):
        (other / f"{number + 10:03d}.png").rename(other / f"{number:03d}.png")

    with pytest.raises(InputError, match=r"the pictures are others than those that were annotated \(000.png differs\)"):
        export_masks(masks, "coco", tmp_path / "coco", images=other)

    assert not (tmp_path / "coco").exists()


def test_a_condition_on_masks_leaves_out_frames_that_meet_it_with_none(masks, tmp_path):
    ids = [one.record.id for one in everything_in(masks).values() if one.record.frame.frame_index == 1]
    with open_store(masks) as store:
        store.append([decided(ids[0], Accept())])

    done = export_masks(masks, "coco", tmp_path / "coco", query=Query(status="accepted"))

    assert (done.report.num_frames, done.report.num_masks) == (1, 1)


def test_a_condition_on_frames_keeps_frames_without_masks(masks, tmp_path):
    done = export_masks(masks, "coco", tmp_path / "coco", query=Query(first_frame=3, dataset="pictures"))

    assert (done.report.num_frames, done.report.num_masks) == (1, 0)


@pytest.mark.parametrize(
    ("query", "asks"),
    [
        (Query(), False),
        (Query(camera="front", first_frame=3), False),
        (Query(status=("accepted", "proposed")), False),
        (Query(status=ANY_STATUS), False),
        (Query(status="accepted"), True),
        (Query(label="mug"), True),
        (Query(min_area=1, episode="x"), True),
        (Query(where="area > 3"), True),
    ],
)
def test_which_questions_are_about_masks(query, asks):
    assert asks_about_masks(query) == asks


def test_as_it_was_before_a_decision(masks, tmp_path):
    with open_store(masks) as store:
        before = store.moment()
        store.append([decided(one.record.id, Reject()) for one in store.query()])

    now = export_masks(masks, "png", tmp_path / "now")
    then = export_masks(masks, "png", tmp_path / "then", as_of=before)

    assert now.report.num_masks == 0 < then.report.num_masks


def test_a_lerobot_data_set_gets_its_masks_beside_its_own_rows(tmp_path):
    root = tmp_path / "robot"
    robot_data.write_lerobot(root)
    annotate(load_model("test-sam"), Footage.open(root), EVERYTHING, tmp_path / "masks")

    done = export_masks(tmp_path / "masks", "lerobot", tmp_path / "out")

    assert done.source == root.resolve()
    features = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())["features"]
    before = json.loads((root / "meta" / "info.json").read_text())["features"]
    assert set(features) - set(before) == {"annotation.masks.front", "annotation.masks.wrist"}
    again = import_masks(tmp_path / "out", tmp_path / "again")
    assert again.num_new == done.report.num_masks
    assert {key: one.record.rle for key, one in everything_in(tmp_path / "again").items()} == {
        key: one.record.rle for key, one in everything_in(tmp_path / "masks").items()
    }


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"format_name": "cocoa"}, SettingError, "formats are coco, png"),
        ({"format_name": "labelme"}, SettingError, "labelme is a format that is only read"),
        ({"store": "none"}, StoreMissing, "there is no mask store here"),
        ({"images": "none"}, InputError, "there is no such file or folder"),
        ({"out": "masks"}, SettingError, "must be new or empty"),
    ],
)
def test_what_cannot_be_exported_is_one_line(masks, tmp_path, change, error, told):
    paths = {name: tmp_path / value for name, value in change.items() if name != "format_name"}
    arguments = {"store": masks, "format_name": "coco", "out": tmp_path / "out", **change, **paths}

    with pytest.raises(error, match=told):
        export_masks(**arguments)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format_name", WRITTEN)
def test_every_format_is_recognised_and_comes_back_into_a_store(masks, tmp_path, format_name):
    written = export_masks(masks, format_name, tmp_path / "out").report

    done = import_masks(tmp_path / "out", tmp_path / "again")

    assert recognise_format(tmp_path / "out") == format_name.removesuffix("-video")  # one reader for both of CVAT's
    assert done.num_new == done.report.num_masks
    assert 0 < done.num_new <= written.num_masks
    if format_name in WHOLE:
        listed = {key: one for key, one in everything_in(masks).items() if one.is_listed}
        assert everything_in(tmp_path / "again") == listed


@pytest.mark.parametrize("format_name", WRITTEN)
def test_importing_again_adds_nothing(masks, tmp_path, format_name):
    export_masks(masks, format_name, tmp_path / "out")
    first = import_masks(tmp_path / "out", tmp_path / "again")
    before = contents(tmp_path / "again")

    second = import_masks(tmp_path / "out", tmp_path / "again")

    assert (second.num_new, second.num_known, second.num_events) == (0, first.num_new, 0)
    assert contents(tmp_path / "again") == before


def test_what_was_changed_in_another_tool_becomes_events(masks, tmp_path):
    export_masks(masks, "coco", tmp_path / "coco")
    file = tmp_path / "coco" / "annotations.json"
    content = json.loads(file.read_text())
    relabelled, redrawn, *_ = content["annotations"]
    content["categories"].append({"id": 99, "name": "mug"})
    relabelled["category_id"] = 99
    full = encode(decode(next(iter(everything_in(masks).values())).record.rle) | True)
    redrawn["segmentation"] = {"size": list(full.size_hw), "counts": full.counts.decode()}
    file.write_text(json.dumps(content))
    ids = [one["maskwright"]["record"]["id"] for one in (relabelled, redrawn)]

    done = import_masks(file, masks, credits=Credits(actor="cvat team"))

    found = everything_in(masks)
    assert (done.num_new, done.num_known, done.num_events) == (0, done.report.num_masks, 2)
    assert found[ids[0]].record.label == "mug"
    assert found[ids[1]].record.rle == full
    assert found[ids[1]].edited_by == "cvat team"
    assert import_masks(file, masks).num_events == 0


def test_decisions_travel_with_their_makers(masks, tmp_path):
    ids = [key for key, one in everything_in(masks).items() if one.is_listed]
    with open_store(masks) as store:
        store.append([decided(ids[0], Relabel("mug"), "bob"), decided(ids[0], Accept(), "eve")])
        store.append([decided(ids[0], Comment("whose mug?"), "ann")])
    export_masks(masks, "coco", tmp_path / "coco")

    for _ in range(2):  # the second time nothing is said again
        import_masks(tmp_path / "coco", tmp_path / "again")

    there = everything_in(tmp_path / "again")[ids[0]]
    assert [(one.actor, one.at, one.text) for one in there.comments] == [("ann", AT, "whose mug?")]
    assert (there.status, there.verified_by, there.verified_at, there.record.label) == ("accepted", "eve", AT, "mug")


def coco_of(tmp_path, names, label="mug"):
    rle = encode(pixels(0)[..., 0] > 128)
    content = {
        "images": [{"id": at, "file_name": name, "height": 48, "width": 64} for at, name in enumerate(names)],
        "categories": [{"id": 1, "name": label}],
        "annotations": [
            {
                "id": at,
                "image_id": at,
                "category_id": 1,
                "segmentation": {"size": [48, 64], "counts": rle.counts.decode()},
            }
            for at, _ in enumerate(names)
        ],
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    return path


def test_masks_of_a_folder_meet_the_frames_that_annotate_makes_of_it(made, masks, tmp_path):
    path = coco_of(tmp_path, ["001.png", "002.png"])

    done = import_masks(path, masks, images=made / "pictures", credits=Credits(licence="CC0"))

    with open_store(masks) as store:
        frames = {one.frame.name: one for one in store.frames()}
        (mine,) = [one for one in frames["002.png"].masks if one.record.label == "mug"]
    assert done.num_new == 2
    assert len(frames) == 4
    assert len(frames["002.png"].masks) > 1
    assert mine.record.provenance.method == "imported"
    assert mine.record.provenance.source == "labels.json (coco)"
    assert mine.record.provenance.licence == "CC0"
    assert mine.record.image_digest == frames["002.png"].frame.image_digest


def test_masks_without_pictures_are_kept_by_name_and_the_report_says_so(tmp_path):
    path = coco_of(tmp_path, ["a/1.png", "a/2.png", "b/1.png"])

    done = import_masks(path, tmp_path / "masks")

    with open_store(tmp_path / "masks") as store:
        places = [(one.name, one.ref.dataset, one.ref.episode, one.ref.frame_index) for one in store.seen_frames()]
    assert places == [("a/1.png", "labels", "a", 0), ("a/2.png", "labels", "a", 1), ("b/1.png", "labels", "b", 0)]
    assert any("identities of pictures" in one.what for one in done.report.losses)


def test_an_import_that_was_stopped_goes_on(tmp_path):
    folder = write_pictures(tmp_path / "pictures", range(6))
    path = coco_of(tmp_path, [f"{number:03d}.png" for number in range(6)])

    def stop(number, total):
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_masks(path, tmp_path / "masks", images=folder, progress=stop)
    done = import_masks(path, tmp_path / "masks", images=folder)

    assert done.num_new + done.num_known == 6
    assert len(everything_in(tmp_path / "masks")) == 6
    (manifest,) = read_manifests(tmp_path / "masks")
    assert [one["outcome"] for one in manifest["sessions"]] == ["interrupted", "done"]


def test_damaged_items_are_left_out_and_told(tmp_path):
    folder = write_pictures(tmp_path / "pictures", range(2))
    path = coco_of(tmp_path, ["000.png", "001.png", "002.png"])
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"]["counts"] = "!!"
    path.write_text(json.dumps(content))
    (folder / "001.png").write_bytes(b"not a picture")

    done = import_masks(path, tmp_path / "masks", images=folder)

    assert done.num_new == 1
    assert {one.item for one in done.report.skipped} == {"000.png#0", "001.png"}


@pytest.mark.parametrize(
    ("name", "content"), [("notes.txt", b"x"), ("a.json", b"{"), ("b.json", b'{"a": 1}'), ("empty", None)]
)
def test_what_is_no_format_is_said_with_the_formats_there_are(tmp_path, name, content):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(InputError, match="no annotation format is recognised here. Name it with --format, one of coco"):
        import_masks(path, tmp_path / "masks")

    assert not (tmp_path / "masks").exists()


def test_a_store_is_not_imported_but_exported(masks, tmp_path):
    with pytest.raises(InputError, match="this is a mask store, not an export of one"):
        import_masks(masks, tmp_path / "other")


def test_nothing_at_the_path_or_at_the_images_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        import_masks(tmp_path / "none.json", tmp_path / "masks")
    with pytest.raises(InputError, match="there is no such folder of pictures"):
        import_masks(coco_of(tmp_path, ["1.png"]), tmp_path / "masks", images=tmp_path / "none")
    assert not (tmp_path / "masks").exists()
