import numpy as np
import pytest

from maskwright.models.tiny.vocabulary import COLOURS, MATERIALS, NOUNS, WORDS
from maskwright.train.tabletop.furniture_names import FURNITURE_NAMES
from maskwright.train.tabletop.pieces import bounds
from maskwright.train.tabletop.render import PART_NAMES
from maskwright.train.tabletop.things import MAKERS, Thing, Wardrobe, cabinet, cable, container

_STATIC = (cabinet, cable, container)


def _wardrobe() -> Wardrobe:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (80, 60, 3)).astype(np.uint8) for _ in range(2)]
    return Wardrobe(wood=pictures, photos=pictures)


def _many(maker, count: int = 25) -> list[Thing]:
    return [maker(np.random.default_rng(seed), _wardrobe() if seed % 2 else Wardrobe()) for seed in range(count)]


@pytest.mark.parametrize("maker", [*MAKERS, *_STATIC], ids=lambda maker: maker.__name__)
def test_everything_is_called_by_words_of_the_vocabulary(maker) -> None:
    for thing in _many(maker):
        assert set(thing.name.split()) <= set(NOUNS), thing.name
        assert thing.colour is None or thing.colour in COLOURS
        assert thing.material is None or thing.material in MATERIALS


def test_part_names_are_words_of_the_vocabulary() -> None:
    assert set(PART_NAMES) <= set(WORDS)


def test_names_of_furniture_are_words_of_the_vocabulary() -> None:
    for name, material in FURNITURE_NAMES.values():
        assert set(name.split()) <= set(WORDS), name
        assert material is None or material in MATERIALS


@pytest.mark.parametrize("maker", [*MAKERS, *_STATIC], ids=lambda maker: maker.__name__)
def test_everything_is_whole_and_fits_on_a_table(maker) -> None:
    for thing in _many(maker):
        low, high = bounds(thing.pieces)
        assert np.isfinite([low, high]).all()
        assert (high - low)[2] < 0.45
        assert (high - low).max() < {cable: 1.3, cabinet: 0.65}.get(maker, 0.5)
        for piece in thing.pieces:
            assert piece.faces.min() >= 0
            assert piece.faces.max() < len(piece.vertices)
            assert piece.uv is None or len(piece.uv) == len(piece.vertices)
        assert all(0 <= i < len(thing.pieces) for hull in thing.hulls for i in hull)


def test_the_same_seed_makes_the_same_thing() -> None:
    for maker in MAKERS:
        first, second = (maker(np.random.default_rng(4), Wardrobe()) for _ in range(2))
        assert first.name == second.name
        assert np.array_equal(first.pieces[0].vertices, second.pieces[0].vertices)
