from itertools import pairwise

import pytest

from maskwright.models.tiny.vocabulary import MATERIALS, WORDS
from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.plan import HARD_MIX, TRAINING_MIX, SceneMix, Slot, plan_scene

KINDS = [kind for kind, _ in TRAINING_MIX.scenes]


def planned(pack: AssetPack, kind: str, seed: int, most: int = 8) -> list[Slot]:
    return plan_scene(Dice(seed), pack, SceneMix(scenes=((kind, 1.0),), grate=0), (0.75, 1.0), most)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_holds_something_and_no_more_than_it_may(pack: AssetPack, kind: str) -> None:
    for seed in range(12):
        for most in (1, 3, 10):
            assert 1 <= len(planned(pack, kind, seed, most)) <= most


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_and_material_is_in_the_vocabulary(pack: AssetPack, kind: str) -> None:
    for seed in range(12):
        for slot in planned(pack, kind, seed):
            assert set(slot.names) <= set(WORDS)
            assert set(slot.materials) <= set(MATERIALS)


def test_one_seed_plans_one_scene(pack: AssetPack) -> None:
    first, second = (planned(pack, "mixed", 5) for _ in range(2))

    assert [(slot.kind, slot.pose, slot.look, slot.names) for slot in first] == [
        (slot.kind, slot.pose, slot.look, slot.names) for slot in second
    ]


def test_the_things_of_a_row_have_one_kind_and_stand_side_by_side(pack: AssetPack) -> None:
    for seed in range(12):
        slots = planned(pack, "row", seed)
        places = sorted(slot.pose.x for slot in slots)
        assert len({(slot.kind, slot.names) for slot in slots}) == 1
        assert all(left < right for left, right in pairwise(places))


def test_a_container_stands_before_what_is_in_it(pack: AssetPack) -> None:
    for seed in range(12):
        slots = planned(pack, "container", seed)
        assert slots[-1].names == ("bowl",)
        assert len(slots) > 1
        assert any(abs(slot.pose.x - slots[-1].pose.x) < slots[-1].pose.size for slot in slots[:-1])


def test_clear_things_are_called_transparent_and_metal_ones_shiny(pack: AssetPack) -> None:
    looks = {slot.look: slot for seed in range(60) for slot in plan_scene(Dice(seed), pack, HARD_MIX, (1.0, 1.0), 8)}

    assert "transparent" in looks["glass"].materials
    assert "transparent" in looks["film"].materials
    assert "shiny" in looks["metal"].materials


def test_wires_are_one_to_ten_pixels_wide_at_640(pack: AssetPack) -> None:
    widths = [slot.width * 320 for seed in range(30) for slot in planned(pack, "wires", seed) if slot.kind == "wire"]

    assert min(widths) >= 1
    assert max(widths) <= 10.001
    assert min(widths) < 2
    assert max(widths) > 7
