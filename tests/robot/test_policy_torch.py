import numpy as np
import pytest
import torch

from maskwright.core.errors import InputError, SettingError
from maskwright.datasets import open_source
from maskwright.robot.policy_recipe import CropRule, NoiseBackground, PatchRule, PolicyRecipe
from maskwright.robot.policy_torch import MaskShelf, PolicyDataset, PolicyTransform
from maskwright.workflows.policy_inputs import write_policy_inputs
from policy_data import LENGTHS, WITHOUT_MUG, write_episodes

RECIPE = PolicyRecipe(
    slots=("mug", "bin"),
    size_hw=(32, 32),
    crop=CropRule(),
    background=NoiseBackground(seed=7, changes="frame"),
    channels=True,
    patches=PatchRule(side_px=16),
)


def test_items_are_bit_for_bit_what_files_hold(tmp_path):
    dataset, store = write_episodes(tmp_path)
    write_policy_inputs(dataset, store, RECIPE, tmp_path / "out", is_exact=True)
    files = open_source(tmp_path / "out")

    rows = PolicyDataset(dataset, store, RECIPE)

    assert len(rows) == sum(LENGTHS)
    for index in (0, 8, 3, len(rows) - 1):
        item = rows[index]
        episode = files.episodes[item["episode_index"]]
        (seen,) = files.frames(episode, "front.bin", start=item["frame_index"], stop=item["frame_index"] + 1)
        picture = item["observation.images.front.bin"]
        assert picture.shape == (5, 32, 32)
        assert picture.dtype == torch.uint8
        assert (picture[:3].numpy().transpose(1, 2, 0) == seen.image.pixels).all()
    assert rows[WITHOUT_MUG]["annotation.policy.present.front"].tolist() == [False, True]
    assert rows[-2]["observation.state"].tolist() == [3.0, 6.0]
    assert rows[1]["annotation.policy.patches.front"].shape == (2, 2, 2, 2)
    with pytest.raises(IndexError):
        rows[len(rows)]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_a_worker_gives_the_same_as_one_process(tmp_path, context):
    dataset, store = write_episodes(tmp_path, kind="video")
    rows = PolicyDataset(dataset, store, RECIPE)
    alone = [rows[index]["observation.images.front.mug"] for index in range(len(rows))]

    loader = torch.utils.data.DataLoader(rows, batch_size=4, num_workers=1, multiprocessing_context=context)
    together = torch.cat([batch["observation.images.front.mug"] for batch in loader])

    assert (together == torch.stack(alone)).all()


def test_an_item_of_lerobot_is_turned_into_views(tmp_path):
    dataset, store = write_episodes(tmp_path)
    rows = PolicyDataset(dataset, store, RECIPE)
    transform = PolicyTransform(MaskShelf.read(store, RECIPE, dataset="dataset"), RECIPE)
    source = open_source(dataset)
    (frame,) = source.frames(source.episodes[1], "front", start=3, stop=4)
    chw = torch.from_numpy(frame.image.pixels.transpose(2, 0, 1).astype(np.float32) / 255)
    item = {
        "observation.images.front": chw,
        "observation.images.wrist": chw,
        "episode_index": torch.tensor(1),
        "frame_index": torch.tensor(3),
        "action": torch.zeros(2),
    }

    made = transform(item)

    assert (made["observation.images.front.mug"] == rows[LENGTHS[0] + 3]["observation.images.front.mug"]).all()
    assert "observation.images.front" not in made
    assert made["observation.images.wrist"] is chw  # nobody annotated it
    assert made["action"] is item["action"]
    with pytest.raises(InputError, match="an item needs episode_index and frame_index"):
        transform({"observation.images.front": chw})
    with pytest.raises(InputError, match="must be one picture of 3 channels first"):
        transform({**item, "observation.images.front": chw[None]})


def test_arrays_come_without_torch_and_wrong_names_are_refused(tmp_path):
    dataset, store = write_episodes(tmp_path)

    rows = PolicyDataset(dataset, store, RECIPE, as_tensors=False, columns=())

    assert isinstance(rows[0]["observation.images.front.mug"], np.ndarray)
    assert "observation.state" not in rows[0]
    with pytest.raises(SettingError, match="no camera with masks is called 'top'; there are front"):
        PolicyDataset(dataset, store, RECIPE, cameras=("top",))
    with pytest.raises(SettingError, match="no mask has the label or track 'spoon'"):
        PolicyDataset(dataset, store, PolicyRecipe(slots=("spoon",)))
