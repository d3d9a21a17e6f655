from pathlib import Path

import numpy as np
import pytest

from maskwright.core.errors import InputError
from maskwright.train.tabletop.catalogues import find_meshes, held_out, to_thing
from maskwright.train.tabletop.pieces import bounds

_CUBE = (
    "v 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nv 0 0 2\nv 2 0 2\nv 2 2 2\nv 0 2 2\nusemtl plain\n"
    "f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"
)


def _catalogue(root: Path, library: str, name: str = "Coffee mug") -> Path:
    folder = root / library
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "mug.obj").write_text(_CUBE)
    (folder / "PluginFurnitureCatalog.properties").write_text(
        f"name#1={name}\nmodel#1=/models/mug.obj\nwidth#1=8\ndepth#1=12\nheight#1=10\n"
    )
    return root


def test_a_catalogues_thing_has_its_name_licence_and_size(tmp_path: Path) -> None:
    (asset,) = find_meshes([_catalogue(tmp_path, "KatorLegaz")])

    thing = to_thing(asset, np.random.default_rng(0))

    assert thing.name == "coffee mug"
    assert thing.material == "ceramic"
    assert asset.source.licence == "CC-BY-3.0-US"
    low, high = bounds(thing.pieces)
    assert low[2] == pytest.approx(0)
    assert ((high - low) / [0.08, 0.12, 0.10]).std() < 1e-6
    assert 0.8 < (high - low)[2] / 0.10 < 1.2


def test_what_has_no_known_licence_or_no_name_is_not_offered(tmp_path: Path) -> None:
    assert find_meshes([_catalogue(tmp_path / "a", "Unknown")]) == []
    assert find_meshes([_catalogue(tmp_path / "b", "Scopia", name="Nameless gadget")]) == []


def test_a_missing_folder_of_assets_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder of assets"):
        find_meshes([tmp_path / "nowhere"])


def test_about_a_fifth_is_held_out_and_always_the_same() -> None:
    keys = [f"library/thing{i}" for i in range(500)]

    apart = held_out(keys)

    assert apart == held_out(reversed(keys))
    assert 60 < len(apart) < 140
