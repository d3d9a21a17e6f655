import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from safetensors import safe_open
from safetensors.numpy import save_file

from maskwright.core.errors import InputError
from maskwright.train.assets import AssetSource, colour_parts, is_held_out, read_list, read_pack, write_pack


def _two_colours() -> np.ndarray:
    rgba = np.zeros((120, 90, 4), np.uint8)
    rgba[10:110, 10:80] = (200, 30, 30, 255)
    rgba[60:110, 10:80] = (30, 30, 200, 255)
    return rgba


def _sources(folder: Path) -> list[AssetSource]:
    PillowImage.fromarray(_two_colours()).save(folder / "cut.png")
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    PillowImage.fromarray(noise).save(folder / "noise.png")
    PillowImage.fromarray(noise).save(folder / "dark_wood.png")

    def source(kind: str, name: str, words: tuple[str, ...] | None = None) -> AssetSource:
        return AssetSource(kind=kind, source="ours", licence="CC0", path=folder / name, words=words)

    return [
        source("icon", "cut.png", ("red", "cup")),
        source("texture", "dark_wood.png"),
        source("photo", "noise.png"),
        source("icon", "noise.png"),
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


def test_pictures_that_cannot_be_read_are_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = _sources(tmp_path)
    PillowImage.new("RGBA", (300, 200)).save(tmp_path / "bomb.png")
    (tmp_path / "cut_off.png").write_bytes((tmp_path / "dark_wood.png").read_bytes()[:2000])
    bad = [replace(sources[0], path=tmp_path / name) for name in ("bomb.png", "cut_off.png", "none.png")]

    with monkeypatch.context() as limited:
        limited.setattr(PillowImage, "MAX_IMAGE_PIXELS", 6_000)  # twice that is refused, more than that warned of
        packed = write_pack(tmp_path / "pack.safetensors", [bad[0], *sources, *bad[1:]])

    assert (packed.num_assets, len(packed.skipped)) == (3, 4)
    told = {Path(one.item).name: one.reason for one in packed.skipped}
    assert told["bomb.png"] == "it has more pixels than Pillow opens. Make it smaller"
    assert told["cut_off.png"].startswith("it cannot be read (")
    assert told["none.png"] == "it cannot be read (No such file or directory)"
    assert told["noise.png"].startswith("hardly anything")
    assert len(read_pack(tmp_path / "pack.safetensors").catalogue.sprite_words) == 1


def test_a_list_of_nothing_but_such_pictures_is_refused(tmp_path: Path) -> None:
    source = replace(_sources(tmp_path)[0], path=tmp_path / "none.png")

    with pytest.raises(InputError, match=r"none of 1 pictures can be packed .*none\.png: it cannot be read"):
        write_pack(tmp_path / "pack.safetensors", [source])


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


def test_words_come_from_the_list_or_from_file_names(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.safetensors", _sources(tmp_path))

    catalogue = read_pack(tmp_path / "pack.safetensors").catalogue

    assert catalogue.sprite_words == (("red", "cup"),)
    assert catalogue.material_words == ("wood", None)
    assert catalogue.named("red") == [0]


def test_a_pack_from_before_words_is_read_and_named_by_its_files(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.safetensors", _sources(tmp_path))
    with safe_open(tmp_path / "pack.safetensors", "numpy") as file:
        rows = json.loads(file.metadata()["rows"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    old = [{key: value for key, value in row.items() if key != "words"} for row in rows]
    save_file(tensors, tmp_path / "old.safetensors", {"rows": json.dumps(old)})

    catalogue = read_pack(tmp_path / "old.safetensors").catalogue

    assert catalogue.sprite_words == ((),)
    assert catalogue.material_words == ("wood", None)


def test_a_word_that_the_vocabulary_lacks_is_refused(tmp_path: Path) -> None:
    source = replace(_sources(tmp_path)[0], words=("teacup",))

    with pytest.raises(InputError, match=r"expected words of models/tiny/vocabulary\.py, got \['teacup'\]"):
        write_pack(tmp_path / "pack.safetensors", [source])


def test_a_list_may_hold_words_and_must_hold_four_columns(tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text("icon\tours\tCC0\ta.png\tred mug\n\nphoto\tours\tCC0\tb.png\n")
    (tmp_path / "short.tsv").write_text("icon\tours\n")

    assert [source.words for source in read_list(tmp_path / "list.tsv")] == [("red", "mug"), None]
    with pytest.raises(InputError, match="expected kind, source, licence, path"):
        read_list(tmp_path / "short.tsv")


def test_views_of_one_thing_are_held_out_together() -> None:
    views = [{"kind": "render", "name": f"Scopia__thing{i}_{view}.webp"} for i in range(200) for view in (1, 2, 3)]

    held = [is_held_out(row) for row in views]

    assert 2 <= sum(held) // 3 <= 25
    assert all(held[i] == held[i + 1] == held[i + 2] for i in range(0, len(held), 3))
