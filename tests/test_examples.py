import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap_ros2.writer import Writer as Ros2Writer
from PIL import Image as PillowImage

from robot_data import write_lerobot

EXAMPLES = Path(__file__).parent.parent / "examples"
ROS_IMAGE = """std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""


def run_program(name, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_tested_here():
    tested = {
        "check_simulator.py", "clicks.py", "depth_cues.py", "find_object.py", "folder_to_coco.py",
        "ground_instruction.py", "medical_slice.py", "perceive_replay.py", "policy_inputs.py",
        "ros2_perceiver_node.py",  # in test_ros2_node.py
    }  # fmt: skip

    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("check_simulator.py", "flagged"),
        ("clicks.py", "refined:"),
        ("depth_cues.py", ", IoU "),
        ("find_object.py", "episode_000000/front/15 mug"),
        ("ground_instruction.py", "read as put the red mug to be in the bin"),
        ("medical_slice.py", "percentiles:"),
        ("policy_inputs.py", "bit for bit the same: True"),
    ],
)
def test_example_runs(name, says, monkeypatch, capsys):
    run_program(name, [], monkeypatch)

    assert says in capsys.readouterr().out


def test_a_folder_becomes_one_coco_file(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        PillowImage.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in" / name)

    run_program("folder_to_coco.py", [tmp_path / "in", tmp_path / "out.json", "test-sam"], monkeypatch)

    document = json.loads((tmp_path / "out.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.png", "b.png"]


def test_an_rgbd_frame_of_ones_own_is_asked_by_its_holes(tmp_path, monkeypatch, capsys):
    depth_mm = np.full((96, 128), 800, np.uint16)
    depth_mm[30:70, 40:90] = 0
    PillowImage.fromarray(np.full((96, 128, 3), 120, np.uint8)).save(tmp_path / "colour.png")
    PillowImage.fromarray(depth_mm).save(tmp_path / "depth.png")

    run_program("depth_cues.py", [tmp_path / "colour.png", tmp_path / "depth.png", "test-sam"], monkeypatch)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("in 1 places")
    assert lines[1].startswith("(40, 30, 90, 70): ")


def test_a_lerobot_episode_is_a_camera(tmp_path, monkeypatch, capsys):
    data = write_lerobot(tmp_path / "data")

    run_program("perceive_replay.py", [data, "wrist", "10,10,30,30", "test-sam", 0], monkeypatch)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0] == "0: waiting model_starting"


def test_an_mcap_log_is_a_camera(tmp_path, monkeypatch, capsys):
    with (tmp_path / "log.mcap").open("wb") as file:
        writer = Ros2Writer(file)
        schema = writer.register_msgdef("sensor_msgs/msg/Image", ROS_IMAGE)
        for number in range(5):
            stamp = {"sec": 1, "nanosec": number * 33_000_000}
            message = {
                "header": {"stamp": stamp, "frame_id": "camera"}, "height": 24, "width": 32, "encoding": "rgb8",
                "is_bigendian": 0, "step": 96, "data": bytes([40 * number]) * (24 * 96),
            }  # fmt: skip
            at_ns = 1_000_000_000 + number * 33_000_000
            writer.write_message(topic="/camera", schema=schema, message=message, log_time=at_ns, publish_time=at_ns)
        writer.finish()

    run_program("perceive_replay.py", [tmp_path / "log.mcap", "/camera", "4,4,20,20", "test-sam"], monkeypatch)

    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "2", "3", "4"]
