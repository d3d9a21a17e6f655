from dataclasses import replace

import pytest
import torch

from maskwright.train.assets import AssetPack
from maskwright.train.composite import Canvas, hidden_shares, lay_in_frames, lay_in_windows
from maskwright.train.dice import Dice
from maskwright.train.looks import Coat, Gloss, Light, Look, Shadow, Skin, roll_gloss
from maskwright.train.objects import draw_objects
from maskwright.train.plan import Pose, Slot

SIDE = 128
RED = Skin(first=Coat(colour=(0.8, 0.1, 0.1)))


def book(x: float, *, look: Look = "painted", gloss: Gloss | None = None) -> Slot:
    """A square of half the frame's side, without shadow."""
    return Slot(
        kind="book",
        pose=Pose(x=x, y=0.0, size=0.5),
        look=look,
        shadow=Shadow(dx=0, dy=0, softness=0, strength=0, caustic=0),
        skin=RED,
        light=Light(x=0, y=0, style=0, amount=0, shine=0),
        gloss=gloss,
        width=1.0,
    )


def canvas_over(pictures: torch.Tensor, num_objects: int) -> Canvas:
    small = torch.zeros(len(pictures), num_objects, SIDE // 2, SIDE // 2)
    return Canvas(
        pictures=pictures.clone(), visible=small.clone(), covered=small.clone(), parts=small.to(torch.uint8).clone()
    )


def laid(pack: AssetPack, pictures: torch.Tensor, slots: list[Slot]) -> Canvas:
    canvas = canvas_over(pictures, len(slots))
    lay_in_windows(pack, canvas, [draw_objects(Dice(0), pack, slots, SIDE)], [0])
    return canvas


def stripes(turned: bool) -> torch.Tensor:
    wave = (torch.arange(SIDE) // 16 % 2).float().expand(SIDE, SIDE)
    return (wave.T if turned else wave).expand(1, 3, SIDE, SIDE)


@pytest.mark.parametrize("look", ["glass", "film"])
def test_what_is_behind_clear_things_is_seen_inside_their_masks(pack: AssetPack, look: Look) -> None:
    gloss = replace(roll_gloss(Dice(0), pack, look), detail=0.2, tint=(1.0, 1.0, 1.0), liquid=2.0)
    slot = book(0.0, look=look, gloss=gloss)

    upright, level = (laid(pack, stripes(turned), [slot]) for turned in (False, True))

    assert torch.equal(upright.visible, level.visible)
    assert float(upright.visible[0, 0, 32, 32]) == 1
    middle = (slice(None), slice(40, 88), slice(40, 88))
    seen, own = upright.pictures[0][middle], level.pictures[0][middle]
    assert float((seen - own).abs().mean()) > 0.1, "the background makes no difference"
    assert float((seen - stripes(False)[0][middle]).abs().mean()) > 0.01, "nothing is there"


def test_what_is_behind_other_things_is_not_seen(pack: AssetPack) -> None:
    upright, level = (laid(pack, stripes(turned), [book(0.0)]) for turned in (False, True))

    middle = (slice(None), slice(40, 88), slice(40, 88))
    assert torch.allclose(upright.pictures[0][middle], level.pictures[0][middle], atol=1e-5)


def test_half_of_a_thing_behind_another_is_hidden(pack: AssetPack) -> None:
    canvas = laid(pack, stripes(False), [book(-0.25), book(0.25)])

    hidden = hidden_shares(canvas.visible, canvas.covered, torch.ones(1, 1, SIDE // 2, SIDE // 2))

    assert hidden[0].tolist() == pytest.approx([0.5, 0.0], abs=0.03)


def test_what_lies_beyond_the_picture_is_not_hidden_by_others(pack: AssetPack) -> None:
    canvas = laid(pack, stripes(False), [book(-0.25), book(0.25)])
    inside = torch.zeros(1, 1, SIDE // 2, SIDE // 2)
    inside[..., : SIDE // 4] = 1  # the left half, of which the second covers the right quarter

    hidden = hidden_shares(canvas.visible, canvas.covered, inside)

    assert float(hidden[0, 0]) == pytest.approx(1 / 3, abs=0.03)


def test_windows_and_frames_give_the_same_picture(pack: AssetPack) -> None:
    shadow = Shadow(dx=0.2, dy=0.3, softness=0.5, strength=0.5, caustic=0.0)
    glass = book(0.1, look="glass", gloss=replace(roll_gloss(Dice(1), pack, "glass"), bend=0.0))
    slots = [replace(book(-0.2), shadow=shadow), glass]
    drawings = [draw_objects(Dice(0), pack, slots, SIDE)] * 2
    pictures = stripes(False).expand(2, -1, -1, -1)

    windows, frames = canvas_over(pictures, 2), canvas_over(pictures, 2)
    lay_in_windows(pack, windows, drawings, [0, 0])
    lay_in_frames(pack, frames, drawings, [0, 0])

    assert torch.allclose(windows.visible, frames.visible, atol=1e-5)
    assert torch.equal(windows.parts, frames.parts)
    assert float((windows.pictures - frames.pictures).abs().mean()) < 0.01  # a shadow's cells begin elsewhere
