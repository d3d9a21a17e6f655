"""Which phrases a picture is asked by, and what they mean."""

import numpy as np

from maskwright.evaluate import TrueObject, phrases_of
from maskwright.masks import encode, union


def _thing(name: str | None, colour: str | None, column: int) -> TrueObject:
    mask = np.zeros((10, 40), bool)
    mask[2:8, column : column + 5] = True
    return TrueObject(key=str(column), mask=encode(mask), name=name, colour=colour)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_name_asks_for_all_that_have_it() -> None:
    first, second = _thing("mug", "red", 0), _thing("mug", "blue", 10)

    phrases = {one.text: one.truth for one in phrases_of([first, second], elsewhere=(), rng=_rng())}

    assert phrases["mug"] == union([first.mask, second.mask])
    assert phrases["red mug"] == first.mask
    assert phrases["blue mug"] == second.mask


def test_a_name_that_is_part_of_another_is_unclear_and_not_asked() -> None:
    phrases = phrases_of([_thing("cup", None, 0), _thing("paper cup", None, 10)], elsewhere=(), rng=_rng())

    assert [one.text for one in phrases] == ["paper cup"]


def test_absent_are_a_name_of_elsewhere_and_a_colour_that_a_name_does_not_have() -> None:
    objects = [_thing("mug", "red", 0), _thing("bowl", "blue", 10)]

    absent = [one for one in phrases_of(objects, elsewhere=("knife", "mug"), rng=_rng()) if one.kind == "absent"]

    assert [one.truth for one in absent] == [None, None]
    assert absent[0].text == "knife"
    assert absent[1].text in ("blue mug", "red bowl")


def test_nameless_things_are_not_asked_for() -> None:
    assert phrases_of([_thing(None, "red", 0)], elsewhere=(), rng=_rng()) == []
