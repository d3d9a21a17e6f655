"""`maskwright track` with a model that follows objects by itself."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.cli.__main__ import run
from maskwright.core.errors import SettingError
from maskwright.store import Query, open_store
from maskwright.workflows.tracking import open_tracking
from tiny_video_models import shared_video_model, tiny_network

pytest.importorskip("transformers", reason="video models need the extra: pip install 'maskwright[transformers]'")


@pytest.fixture
def episode(tmp_path, monkeypatch):
    """A folder of six pictures, and beside it a checkpoint of a tiny SAM 2."""
    monkeypatch.chdir(tmp_path)
    tiny_network("sam2_video").save_pretrained(tmp_path / "tiny-sam2")
    (tmp_path / "episode").mkdir()
    pixels = np.random.default_rng(2).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for i in range(6):
        PillowImage.fromarray(np.roll(pixels, i, axis=1)).save(tmp_path / "episode" / f"{i:05d}.png")
    return tmp_path


def test_track_follows_with_a_video_model_and_says_which(episode, capsys):
    words = ["track", "episode", "--model", "./tiny-sam2", "--box", "8,8,40,40:mug", "--at", "2", "-o", "masks"]

    code = run(words)

    assert code == 0, capsys.readouterr().err
    with open_store(episode / "masks", read_only=True) as store:
        records = [found.record for found in store.query(Query(track="mug"))]
    assert len(records) == 6
    assert {record.track_point.source for record in records} == {"keyframe", "segmented"}
    assert {record.provenance.model.family for record in records} == {"sam2_video"}
    assert {record.provenance.model.name for record in records} == {"tiny-sam2"}


def test_track_refuses_words_before_any_work(episode, capsys):
    code = run(["track", "episode", "--model", "./tiny-sam2", "--text", "mug", "-o", "masks"])

    assert code == 1
    assert "tiny-sam2 takes points, boxes and masks, no words; got 'mug'" in capsys.readouterr().err


def test_a_budget_and_new_objects_are_refused_where_they_mean_nothing():
    model = shared_video_model("sam2_video")

    with pytest.raises(SettingError, match=r"draws every frame, so it takes no budget; got 'fast'"):
        open_tracking(model, model_name="tiny", budget="fast")
    with pytest.raises(SettingError, match=r"finds no new ones; got 30 frames"):
        open_tracking(model, model_name="tiny", find_new=30)
