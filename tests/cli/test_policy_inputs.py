import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from maskwright.core.errors import SettingError
from maskwright.datasets import open_source
from maskwright.robot.policy_recipe import CloudRule, PolicyRecipe
from maskwright.workflows.policy_slots import slots_of
from policy_data import WITHOUT_MUG, write_episodes
from robot_data import picture


def test_crops_with_channels_are_written_and_told(tmp_path, capsys):
    dataset, store = write_episodes(tmp_path)
    out = tmp_path / "out"

    code = run(
        ["policy-inputs", str(dataset), str(store), "--slots", "mug,bin", "--crop", "32", "--channels", "-o", str(out)]
    )

    told = capsys.readouterr().err
    assert code == 0
    assert f"12 rows of 2 episodes, slots mug, bin -> {out}" in told
    assert "no mug in 2 of 12 frames: written empty, flagged" in told
    recipe = PolicyRecipe.read(out)
    assert (recipe.slots, recipe.size_hw, recipe.channels) == (("mug", "bin"), (32, 32), True)


def test_a_recipe_makes_the_same_again_and_pictures_go_behind(tmp_path, capsys):
    dataset, store = write_episodes(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    PillowImage.fromarray(picture(3)).save(folder / "a.png")
    common = ["policy-inputs", str(dataset), str(store), "--background", str(folder), "--exact"]

    first = run([*common, "--slots", "mug", "--size", "24x32", "--json", "-o", str(tmp_path / "first")])
    again = run([*common, "--recipe", str(tmp_path / "first"), "-o", str(tmp_path / "again")])

    assert (first, again) == (0, 0)
    assert json.loads(capsys.readouterr().out)["rows"] == 12
    one, two = open_source(tmp_path / "first"), open_source(tmp_path / "again")
    for a, b in zip(one.frames(one.episodes[0], "front"), two.frames(two.episodes[0], "front"), strict=True):
        assert (a.image.pixels == b.image.pixels).all()


def test_points_of_each_object_come_from_depth(tmp_path, capsys):
    dataset, store = write_episodes(tmp_path, lengths=(4,), depth=True)

    code = run(
        ["policy-inputs", str(dataset), str(store), "--slots", "mug,bin", "--cloud", "50,50,32,24", "--points", "16",
         "--cameras", "front", "-o", str(tmp_path / "out")]
    )  # fmt: skip

    assert code == 0, capsys.readouterr().err
    recipe = PolicyRecipe.read(tmp_path / "out")
    rows = pq.read_table(next((tmp_path / "out" / "data").rglob("*.parquet")))
    clouds = np.stack(rows["annotation.policy.cloud.front"].to_pylist()).reshape(4, 2, 16, 3)
    assert recipe.cloud == CloudRule(fx=50, fy=50, cx=32, cy=24, num_points=16)
    assert np.allclose(clouds[1, :, :, 2], 1.001)
    assert not clouds[WITHOUT_MUG, 0].any()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--slots", "spoon"], "no mask has the label or track 'spoon'; the store has the labels bin, mug"),
        (
            ["--instruction", "grab the spoon"],
            "the instruction names 'spoon', of which no mask is; labels are bin, mug",
        ),
        (["--crop", "big"], "a size is a number of pixels, or height x width such as 224x320; got 'big'"),
        (["--crop", "8", "--size", "8"], "--crop says the size of crops, and --size that of whole frames; give one"),
        (["--background", "nowhere"], "--background is R,G,B, blur, noise or a folder of pictures; got 'nowhere'"),
        (["--to", "coco"], "--to is one of lerobot, lerobot-v2.1, rlds; got 'coco'"),
        (["--slots", "mug", "--instruction", "grab the mug"], "exclude each other"),
        (["--cloud", "525,525"], "--cloud is the camera's focal lengths and centre in pixels, such as"),
        (["--cloud", "0,5,1,1"], "focal lengths are above 0 pixels, got 0 and 5"),
        (["--cloud", "50,50,32,24"], "point clouds need depth, and the frame has none"),
        (["--points", "20"], "ask for one with --cloud FX,FY,CX,CY"),
        (["--recipe", "x", "--channels"], "--recipe says all that the pictures are"),
        (["--recipe", "x", "--background", "blur"], "beside --recipe, --background is the folder of pictures"),
        (["--recipe", "x"], "there is no policy_recipe.json"),
        (["--cameras", "wrist"], "no frame that was chosen has masks in the store"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(tmp_path, capsys, options, told):
    dataset, store = write_episodes(tmp_path, lengths=(4,))

    code = run(["policy-inputs", str(dataset), str(store), *options, "-o", str(tmp_path / "out")])

    assert code in (1, 2)
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    from maskwright.workflows import policy_inputs as workflow

    dataset, store = write_episodes(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow._Job, "_write", interrupted)
    code = run(["policy-inputs", str(dataset), str(store), "--slots", "mug", "-o", str(tmp_path / "out")])

    assert code == 130
    assert (
        "stopped: 0 of 12 rows were written; whole episodes are kept. The same command goes on"
        in capsys.readouterr().err
    )


def test_slots_are_those_that_an_instruction_names_or_all_labels(tmp_path):
    dataset, store = write_episodes(tmp_path, lengths=(3,))

    assert slots_of(dataset, store).slots == ("bin", "mug")
    found = slots_of(dataset, store, instruction="put the red mug on the left into the bin")
    assert found.slots == ("mug", "bin")
    assert "which of several is meant is not decided here: all masks of a label have its slot" in found.notes
    assert slots_of(dataset, store, named=("bin",)).slots == ("bin",)
    with pytest.raises(SettingError, match="the instruction names 'cup'"):
        slots_of(dataset, store, instruction="lift the cup")
