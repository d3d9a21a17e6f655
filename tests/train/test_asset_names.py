import pytest

from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.asset_names import _table, plain_name, texture_material, words_for


@pytest.mark.parametrize(
    ("kind", "file_name", "words"),
    [
        ("icon", "bedsideTable2.png", ("table",)),
        ("render", "Scopia__coffee-table2_3.webp", ("table",)),
        ("icon", "kitchenKnife.png", ("knife",)),
        ("emoji", "1f34e.webp", ("apple", "fruit")),
        ("emoji", "1f3c3-200d-2640-fe0f.webp", ("person",)),
        ("emoji", "1f431.webp", ("cat", "animal")),
        ("emoji", "1f3ac.webp", ()),
        ("emoji", "1f1e8-1f1fd.webp", ()),
        ("icon", "clothes-horse.png", ()),
        ("icon", "tableTennisBat.png", ()),
        ("clipart", "australia_south_australia.png", ()),
    ],
)
def test_a_file_name_gives_words_only_without_doubt(kind: str, file_name: str, words: tuple[str, ...]) -> None:
    assert words_for(kind, file_name) == words


def test_every_word_of_the_tables_is_of_the_vocabulary() -> None:
    for section in ("last", "whole", "kinds", "textures"):
        assert all(word in WORDS for words in _table(section).values() for word in words)


def test_a_texture_is_of_the_material_that_its_name_says() -> None:
    assert texture_material("dark_wood.jpg") == "wood"
    assert texture_material("steel-brushed.png") == "metal"
    assert texture_material("image1.jpg") is None


def test_code_points_are_spelt_by_their_names() -> None:
    assert plain_name("emoji", "1f468-200d-1f373.webp") == "man + cooking"
    assert plain_name("emoji", "1f3f4-e0067_e0062_e0065_e006e_e0067.webp") == ""
