from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import InputError
from maskwright.train.assets import colour_parts, read_pack, write_pack


def _two_colours() -> np.ndarray:
    rgba = np.zeros((120, 90, 4), np.uint8)
    rgba[10:110, 10:80] = (200, 30, 30, 255)
    rgba[60:110, 10:80] = (30, 30, 200, 255)
    return rgba


def _sources(folder: Path) -> list[tuple[str, str, str, Path]]:
    PillowImage.fromarray(_two_colours()).save(folder / "cut.png")
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    PillowImage.fromarray(noise).save(folder / "noise.png")
    return [
        ("icon", "ours", "CC0", folder / "cut.png"),
        ("texture", "ours", "CC0", folder / "noise.png"),
        ("photo", "ours", "CC0", folder / "noise.png"),
        ("icon", "ours", "CC0", folder / "noise.png"),
    ]


def test_a_pack_gives_back_cut_outs_with_alpha_and_parts(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.safetensors", _sources(tmp_path))

    pack = read_pack(tmp_path / "pack.safetensors").to("cpu")

    assert pack.sprites.shape == (1, 5, 192, 192)  # the opaque picture is no cut-out and was left out
    assert len(pack.materials) == 2
    assert pack.num_textures == 1
    assert int(pack.sprites[0, 3, 96, 96]) > 250
    assert int(pack.sprites[0, 3, 96, 2]) == 0
    assert set(pack.sprites[0, 4].unique().tolist()) == {0, 1, 2}


def test_parts_of_a_cut_out_are_its_colours() -> None:
    rgba = _two_colours()

    parts = colour_parts(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] > 200)

    assert parts[30, 40] != parts[90, 40]
    assert min(parts[30, 40], parts[90, 40]) >= 1
    assert parts[0, 0] == 0


def test_a_missing_pack_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"python -m maskwright\.train\.assets"):
        read_pack(tmp_path / "none.safetensors")


def test_a_pack_without_photos_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.safetensors", _sources(tmp_path)[:1])

    with pytest.raises(InputError, match="cut-outs, photos and textures"):
        read_pack(tmp_path / "pack.safetensors")
