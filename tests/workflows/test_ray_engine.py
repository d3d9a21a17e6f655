from dataclasses import replace

import pytest

from annotate_data import EVERYTHING, contents, write_pictures
from maskwright.core.errors import SettingError
from maskwright.masks.cleanup import FillHoles
from maskwright.models import load_model
from maskwright.workflows import ray_engine
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.ray_engine import RayEngine


@pytest.mark.filterwarnings("ignore")  # Ray's own, of many kinds
def test_on_a_cluster_the_same_masks_come_out_and_a_run_goes_on(tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'maskwright[ray]'")
    model = load_model("test-sam")
    folder = write_pictures(tmp_path / "pictures", range(20))
    (folder / "007.png").write_bytes(b"broken")
    recipe = replace(EVERYTHING, cleanup=(FillHoles(),))
    engine = RayEngine.of(model, "test-sam", device="cpu", num_workers=2)

    try:
        there = annotate(model, Footage.open(folder), recipe, tmp_path / "ray", engine=engine)
    finally:
        ray.shutdown()
    here = annotate(model, Footage.open(folder), recipe, tmp_path / "local")
    again = annotate(model, Footage.open(folder), recipe, tmp_path / "ray")

    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert [one.name for one in there.skipped] == [one.name for one in here.skipped] == ["007.png"]
    assert there.run == here.run
    assert (again.num_before, again.num_frames) == (19, 0)


def test_without_ray_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)

    with pytest.raises(SettingError, match=r"--engine ray needs Ray: pip install 'maskwright\[ray\]'"):
        RayEngine.of(load_model("test-sam"), "test-sam")
