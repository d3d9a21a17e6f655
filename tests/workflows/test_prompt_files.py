import json
from types import SimpleNamespace

import pytest

import robot_data
from annotate_data import pixels, write_pictures
from maskwright.core import BoxPrompt, PointPrompt
from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.frame_source import Episode
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.frame_names import FrameNames
from maskwright.workflows.prompt_files import read_prompts


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    video = robot_data.write_video(tmp_path_factory.mktemp("v") / "run.mp4", (pixels(number) for number in range(4)))
    return Footage.open(video).names


def read(tmp_path, names, content, kind="boxes"):
    path = tmp_path / "prompts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_prompts(path, kind, names)


def test_boxes_by_frame_with_labels_and_tracks(tmp_path, names):
    content = {"run/video/frame_000002.png": [[1, 2, 3, 4], {"box": [5, 6, 7, 8], "label": "mug", "track": 7}], "3": []}

    task, problems = read(tmp_path, names, content)

    first, second = task.by_place["run", "video", 2]
    assert problems == ()
    assert (first.prompt, first.label) == (BoxPrompt((1, 2, 3, 4)), None)
    assert (second.prompt, second.label, second.track) == (BoxPrompt((5, 6, 7, 8)), "mug", "7")
    assert task.by_place["run", "video", 3] == ()


def test_points_by_frame_one_click_or_several(tmp_path, names):
    content = {"2": [[10, 20], {"points": [[1, 2], [3, 4]], "labels": [1, 0], "label": "mug"}, {"point": [5, 6]}]}

    task, problems = read(tmp_path, names, content, "points")

    assert problems == ()
    assert [one.prompt for one in task.by_place["run", "video", 2]] == [
        PointPrompt([(10, 20)]),
        PointPrompt([(1, 2), (3, 4)], [1, 0]),
        PointPrompt([(5, 6)]),
    ]


def test_coco_boxes_are_x_y_width_height_and_empty_pictures_count(tmp_path, names):
    content = {
        "images": [{"id": 1, "file_name": "000001.jpg"}, {"id": 2, "file_name": "000002.jpg"}],
        "categories": [{"id": 5, "name": "mug"}],
        "annotations": [{"id": 9, "image_id": 1, "category_id": 5, "bbox": [10, 20, 30, 40]}],
    }

    task, problems = read(tmp_path, names, content)

    (one,) = task.by_place["run", "video", 1]
    assert problems == ()
    assert (one.prompt, one.label) == (BoxPrompt((10, 20, 40, 60)), "mug")
    assert task.by_place["run", "video", 2] == ()


def test_a_list_of_detections(tmp_path, names):
    content = [{"image_id": 1, "bbox": [1, 1, 5, 5], "category_name": "cup", "score": 0.9}, {"bbox": [1, 1, 5, 5]}]

    task, problems = read(tmp_path, names, content)

    assert task.by_place["run", "video", 1][0].label == "cup"
    assert problems == ("entry 2 has no image_id: no frame of the source is called ''",)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ([5, 5, 1, 1], "2#1: a box needs x1 < x2 and y1 < y2"),
        ([1, 2, 3], "2#1: box_xyxy must be four numbers"),
        ([1, 2, 3, float("nan")], "2#1: a box must have finite pixel coordinates"),
        ([1, 2, 3, True], "2#1: a box must be four numbers"),
        ({"label": "mug"}, "2#1: a box must be four numbers x1, y1, x2, y2, got None"),
        ("mug", "2#1: an object must be a list of numbers or an object"),
        (None, "2#1: a box must be four numbers"),
    ],
)
def test_a_bad_entry_is_named_and_the_others_count(tmp_path, names, entry, told):
    task, problems = read(tmp_path, names, {"2": [entry, [1, 2, 3, 4]]})

    assert len(task.by_place["run", "video", 2]) == 1
    assert len(problems) == 1
    assert told in problems[0]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"points": [[1, 2]], "labels": [2]}, "a point label must be 1"),
        ({"points": [[1, 2], [3, 4]], "labels": [1]}, "each point needs one label"),
        ({"points": 5}, "points must be a list of pairs"),
        ([[1, 2], [3, 4]], "points must be a list of pairs"),
    ],
)
def test_bad_points_are_named(tmp_path, names, entry, told):
    _, problems = read(tmp_path, names, {"2": [entry, [1, 2]]}, "points")

    assert told in problems[0]


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("{", RecordError, "the file of boxes cannot be read"),
        ("5", InputError, 'expected {"frame name": [[x1, y1, x2, y2], ...]}, COCO, or a list of detections'),
        ({"2": {"box": [1, 2, 3, 4]}}, InputError, "expected"),
        ({}, InputError, "no entry of the file of boxes can be used, of 0 tried: "),
        (
            {"other.png": [[1, 2, 3, 4]]},
            InputError,
            "the first: other.png: no frame of the source is called 'other.png'",
        ),
        ({"2": [[5, 5, 1, 1]]}, InputError, "of 1 tried; the first: 2#1: a box needs x1 < x2"),
        ({"99": [[1, 2, 3, 4]]}, InputError, "no frame of the source is called '99'"),
        ({"images": [{"id": 1}], "annotations": []}, InputError, "'file_name' is missing"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_one_line(tmp_path, names, content, error, told):
    with pytest.raises(error) as raised:
        read(tmp_path, names, content)

    assert told in str(raised.value)
    assert str(raised.value).endswith("prompts.json")


def test_a_frame_whose_entries_are_all_bad_is_not_one_with_nothing_on_it(tmp_path, names):
    task, problems = read(tmp_path, names, {"1": [[5, 5, 1, 1]], "2": [], "3": [[1, 2, 3, 4]]})

    assert sorted(number for _, _, number in task.by_place) == [2, 3]
    assert len(problems) == 1


def test_a_missing_file(tmp_path, names):
    with pytest.raises(InputError, match="there is no such file"):
        read_prompts(tmp_path / "none.json", "boxes", names)


def test_pictures_are_named_by_path_by_name_and_without_suffix(tmp_path):
    write_pictures(tmp_path / "p" / "a", [1, 2])
    write_pictures(tmp_path / "p" / "b", [2, 3])
    names = Footage.open(tmp_path / "p").names

    assert names.find("a/002.png") == ("a", "image", 1)
    assert names.find("b/002") == ("b", "image", 0)
    assert names.find("somewhere/else/003.jpg") == ("b", "image", 1)
    assert names.find("002.png") is None, "two pictures are called so"
    assert names.name("b", "image", 0) == "b/002.png"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("episode_000000/front/frame_000002.png", ("episode_000000", "front", 2)),
        ("episode_000002/wrist/2", ("episode_000002", "wrist", 2)),
        ("episode_000000/front/000002.jpg", ("episode_000000", "front", 2)),
        ("episode_000000/2", None),
        ("2", None),
        ("episode_000000/front/7", None),
        ("episode_000000/front/two", None),
        ("", None),
    ],
)
def test_frames_of_recordings_are_named_by_episode_camera_and_number(tmp_path, name, place):
    robot_data.write_lerobot(tmp_path / "data")
    names = Footage.open(tmp_path / "data").names

    assert names.find(name) == place


@pytest.mark.parametrize("name", ["log/cam/color/3", "log//cam/color/frame_000003.png", "cam/color/3", "/cam/color/3"])
def test_topics_of_ros_have_slashes_of_their_own(tmp_path, name):
    episode = Episode(key="log", cameras=("/cam/color", "/wrist"), num_frames=5)
    names = FrameNames(SimpleNamespace(episodes=[episode]), tmp_path)

    assert names.find(name) == ("log", "/cam/color", 3)
    assert names.name("log", "/cam/color", 3) == "log/cam/color/frame_000003.png"
