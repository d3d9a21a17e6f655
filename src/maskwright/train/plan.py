"""What a generated scene holds: which objects, where, how large, in which order, with which looks and names.

Everything here is rolled on the host, in plain numbers, so that windows on the canvas are known before anything is
drawn. Coordinates are the frame's: -1..1 from its left and top end, sizes are half-sizes in the same unit.
"""

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from jaxtyping import Float

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.looks import (
    Gloss,
    Light,
    Look,
    Shadow,
    Skin,
    Tone,
    material_words,
    roll_colour,
    roll_gloss,
    roll_light,
    roll_shadow,
    roll_skin,
    roll_tone,
)
from maskwright.train.shapes import SHAPE_KINDS, SHAPE_WORDS
from maskwright.train.wires import roll_curve

ALIKE = (
    "bottle",
    "cup",
    "mug",
    "can",
    "jar",
    "box",
    "carton",
    "book",
    "pen",
    "pencil",
    "apple",
    "egg",
    "chair",
    "candle",
)
CONTAINERS = ("bowl", "basket", "box", "crate", "tray", "plate", "pan", "pot", "bin", "cup", "drawer")
CONTENTS = (
    "apple", "banana", "lemon", "pear", "grape", "strawberry", "tomato", "carrot", "potato", "onion", "pepper", "egg",
    "fruit", "vegetable", "bread", "cookie", "candy", "cake", "cheese", "ball", "key", "pen", "tool", "screwdriver",
)  # fmt: skip
_FLAT_CONTAINERS = ("tray", "plate", "pan")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMix:
    """How often each kind of scene, look and object comes."""

    scenes: tuple[tuple[str, float], ...] = (
        ("mixed", 0.46), ("few", 0.1), ("row", 0.11), ("pile", 0.11), ("container", 0.07), ("wires", 0.09),
        ("close", 0.06),
    )  # fmt: skip
    glass: float = 0.07
    film: float = 0.03
    metal: float = 0.07
    grate: float = 0.06
    wire: float = 0.04


TRAINING_MIX = SceneMix()
# For scenes to evaluate on: enough of each hard kind for a slice of its own.
HARD_MIX = SceneMix(
    scenes=(
        ("mixed", 0.24), ("few", 0.06), ("row", 0.16), ("pile", 0.2), ("container", 0.1), ("wires", 0.18),
        ("close", 0.06),
    ),
    glass=0.18,
    film=0.04,
    metal=0.14,
    grate=0.12,
    wire=0.06,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where an object is and how its coordinates are bent; `stretch` widens by its square, `lean` shears."""

    x: float
    y: float
    size: float
    turn: float = 0.0
    stretch: float = 1.0
    lean: float = 0.0
    tilt_u: float = 0.0
    tilt_v: float = 0.0
    flip: bool = False
    bend: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slot:
    """One object of a picture; `width` is in the frame's unit for a wire, a share of the object for a book or bar."""

    kind: str
    pose: Pose
    look: Look
    shadow: Shadow
    names: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    sprite: int = -1
    skin: Skin | None = None
    part_skins: tuple[Skin, ...] = ()
    tone: Tone | None = None
    light: Light | None = None
    gloss: Gloss | None = None
    camouflage: float = 0.0
    curve: Float[np.ndarray, "P 2"] | None = None
    width: float = 0.0


def plan_scene(dice: Dice, pack: AssetPack, mix: SceneMix, extent: tuple[float, float], most: int) -> list[Slot]:
    """Plan one picture back to front: at most `most` objects."""
    planner = _Planner(dice, pack, mix, extent)
    kind = dice.pick(dict(mix.scenes))
    slots: list[Slot] = getattr(planner, kind)(most)
    if len(slots) >= 2 and dice.number(0, 1) < mix.grate:
        slots = [*slots[: most - 1], planner.grate()]
    return slots[:most]


class _Planner:
    """Rolls slots for one picture."""

    def __init__(self, dice: Dice, pack: AssetPack, mix: SceneMix, extent: tuple[float, float]) -> None:
        self.dice, self.pack, self.mix, self.extent = dice, pack, mix, extent

    # Kinds of scenes

    def mixed(self, most: int) -> list[Slot]:
        """Things of many sizes anywhere, mostly larger ones behind."""
        dice = self.dice
        largest = dice.log_number(0.25, 0.9)
        count = 2 + dice.below(max(1, most - 1))
        sizes = [dice.log_number(0.06, largest) if dice.number(0, 1) < 0.7 else largest for _ in range(count)]
        if dice.number(0, 1) < 0.7:
            sizes.sort(reverse=True)
        slots: list[Slot] = []
        for size in sizes:
            if slots and dice.number(0, 1) < 0.2:  # pairs
                slots.append(self.again(slots[-1], self.pose(size)))
            else:
                slots.append(self.anything(self.pose(size)))
        return slots

    def few(self, most: int) -> list[Slot]:
        """One or two things alone."""
        sizes = [self.dice.log_number(0.12, 0.9) for _ in range(min(most, 1 + self.dice.below(2)))]
        return [self.anything(self.pose(size)) for size in sorted(sizes, reverse=True)]

    def close(self, most: int) -> list[Slot]:
        """One thing that fills the picture, perhaps something small before it."""
        first = self.anything(
            replace(self.pose(self.dice.number(0.8, 1.3)), x=-1 + self.extent[1], y=-1 + self.extent[0])
        )
        rest = [self.anything(self.pose(self.dice.log_number(0.06, 0.25))) for _ in range(self.dice.below(3))]
        return [first, *rest][:most]

    def pile(self, most: int) -> list[Slot]:
        """Many things of like size over each other."""
        dice = self.dice
        size, spread = dice.log_number(0.14, 0.42), dice.number(0.25, 0.6)
        x, y = self.place(spread)
        slots: list[Slot] = []
        for _ in range(max(2, most - dice.below(3))):
            pose = self.pose(size * dice.number(0.7, 1.2))
            pose = replace(pose, x=x + dice.number(-spread, spread), y=y + 0.8 * dice.number(-spread, spread))
            repeat = slots and dice.number(0, 1) < 0.25
            slots.append(self.again(slots[-1], pose) if repeat else self.anything(pose))
        return slots

    def row(self, most: int) -> list[Slot]:
        """Alike things side by side: books, bottles, cups, in a line that may lean."""
        dice = self.dice
        count = min(most, 3 + dice.below(max(1, most - 2)))
        first = self.book() if dice.number(0, 1) < 0.4 else self.named(self.pose(0.3), ALIKE)
        wide = first.width if first.kind == "book" else self.widths()[first.sprite]
        gap = dice.number(-0.12, 0.1) if dice.number(0, 1) < 0.7 else dice.number(0.1, 0.6)
        size = min(dice.number(0.2, 0.75), 2.2 * self.extent[1] / (2 * wide * (1 + gap) * count))
        slope = dice.number(-0.15, 0.15) if dice.number(0, 1) < 0.4 else 0.0
        x, y = self.place(size)
        step = 2 * size * wide * (1 + gap)
        same = dice.number(0, 1) < (0.25 if first.kind == "book" else 0.6)
        slots: list[Slot] = []
        for i in range(count):
            pose = Pose(
                x=x + (i - (count - 1) / 2) * step,
                y=y + slope * (i - count / 2) * step + dice.number(-0.02, 0.02),
                size=size * (dice.number(0.8, 1.05) if first.kind == "book" else dice.number(0.95, 1.05)),
                turn=slope + (dice.number(-0.2, 0.2) if dice.number(0, 1) < 0.15 else 0.0),
            )
            slots.append(replace(first, pose=pose) if same else self.again(first, pose))
        return slots if dice.number(0, 1) < 0.5 else slots[::-1]

    def container(self, most: int) -> list[Slot]:
        """Something with things in it: behind its front for a bowl, on it for a tray."""
        dice = self.dice
        size = dice.number(0.35, 0.75)
        vessel = self.named(replace(self.pose(size), turn=dice.number(-0.1, 0.1)), CONTAINERS)
        is_flat = bool(vessel.names) and vessel.names[0] in _FLAT_CONTAINERS
        pose, inside = vessel.pose, []
        for _ in range(min(most - 1, 2 + dice.below(5))):
            small = size * dice.number(0.22, 0.42)
            y = pose.y + size * (dice.number(-0.25, 0.1) if is_flat else dice.number(-0.65, -0.2))
            at = replace(self.pose(small), x=pose.x + 0.55 * size * dice.number(-1, 1), y=y)
            again = inside and dice.number(0, 1) < 0.35
            inside.append(self.again(inside[-1], at) if again else self.named(at, CONTENTS))
        inside.sort(key=lambda slot: slot.pose.y)
        rest = [self.anything(self.pose(dice.log_number(0.1, 0.4))) for _ in range(dice.below(3))]
        stacked = [vessel, *inside] if is_flat else [*inside, vessel]
        return [*rest, *stacked][-most:]

    def wires(self, most: int) -> list[Slot]:
        """Wires over, under and through other things."""
        dice = self.dice
        count = 2 + dice.below(max(1, most - 2))
        slots = [self.anything(self.pose(dice.log_number(0.15, 0.6))) for _ in range(dice.below(3))]
        for _ in range(count):
            pose = self.pose(dice.log_number(0.3, 1.1))
            alike = slots and slots[-1].kind == "wire" and dice.number(0, 1) < 0.3
            slots.append(self.again(slots[-1], pose) if alike else self.wire(pose))
        return slots if dice.number(0, 1) < 0.6 else _shuffled(dice, slots)

    # Objects

    def anything(self, pose: Pose) -> Slot:
        """Roll a cut-out or a shape."""
        choice = self.dice.number(0, 1)
        if choice < self.mix.wire:
            return self.wire(pose)
        return self.sprite(pose, self.any_sprite()) if choice < 0.7 else self.shape(pose)

    def named(self, pose: Pose, words: tuple[str, ...]) -> Slot:
        """Roll a cut-out that is called by one of these words, each word as often; any cut-out if there is none."""
        word = words[self.dice.below(len(words))]
        found = self.pack.catalogue.named(word) or self.pack.catalogue.named(*words)
        return self.sprite(pose, found[self.dice.below(len(found))] if found else self.any_sprite())

    def any_sprite(self) -> int:
        return self.dice.pick_index(self.pack.catalogue.sprite_weights or (1.0,) * len(self.pack.sprites))

    def widths(self) -> tuple[float, ...]:
        return self.pack.catalogue.sprite_widths or (1.0,) * len(self.pack.sprites)

    def sprite(self, pose: Pose, index: int) -> Slot:
        known = self.pack.catalogue.sprite_words
        look = self.look("painted" if self.dice.number(0, 1) < 0.22 else "own")
        return self.dressed("sprite", pose, look, known[index] if index < len(known) else (), sprite=index)

    def shape(self, pose: Pose) -> Slot:
        kind = self.dice.pick(SHAPE_KINDS)
        slot = self.dressed(kind, pose, self.look("painted"), SHAPE_WORDS.get(kind, ()))
        if kind == "disk" and slot.light and slot.light.style == 0 and slot.light.amount > 0.3:
            return replace(slot, names=("ball",))
        return slot

    def book(self) -> Slot:
        width = self.dice.number(0.1, 0.32)
        return self.dressed("book", self.pose(0.4), "painted", ("book",), width=width)

    def grate(self) -> Slot:
        """Bars before everything else."""
        dice = self.dice
        pose = replace(self.pose(dice.number(0.5, 1.3)), tilt_u=dice.number(-0.2, 0.2))
        return self.dressed("grate", pose, self.look("painted"), ("grid", "rack"), width=dice.log_number(0.015, 0.06))

    def wire(self, pose: Pose) -> Slot:
        """Roll a wire of one to ten pixels of a 640 px frame; the thicker ones are ropes."""
        dice = self.dice
        pixels = dice.log_number(1, 10)
        names = ("cable", "wire") if pixels < 7 or dice.number(0, 1) < 0.5 else ("rope",)
        slot = self.dressed("wire", pose, "painted", names, curve=roll_curve(dice), width=pixels / 320)
        if dice.number(0, 1) < 0.5 and slot.skin:  # insulation is mostly black, white, grey or one vivid colour
            level = (0.06, 0.9, 0.5)[dice.below(3)]
            colour = (level, level, level) if dice.number(0, 1) < 0.6 else _vivid(dice)
            plain = Skin(first=replace(slot.skin.first, texture=-1, colour=colour))
            slot = replace(slot, skin=plain, materials=())
        return slot

    def dressed(
        self,
        kind: str,
        pose: Pose,
        look: Look,
        names: tuple[str, ...],
        *,
        sprite: int = -1,
        curve: Float[np.ndarray, "P 2"] | None = None,
        width: float = 0.0,
    ) -> Slot:
        """Roll the looks of an object."""
        dice, pack = self.dice, self.pack
        skin = roll_skin(dice, pack) if look == "painted" or (kind != "sprite" and look != "own") else None
        shiny = look in ("metal", "glass", "film")
        return Slot(
            kind=kind,
            pose=pose,
            look=look,
            shadow=roll_shadow(dice, look),
            names=names,
            materials=material_words(look, skin, pack.catalogue.material_words),
            sprite=sprite,
            skin=skin,
            part_skins=(roll_skin(dice, pack), roll_skin(dice, pack)) if kind == "compound" else (),
            tone=roll_tone(dice, keep_hue=skin is not None) if kind == "sprite" else None,
            light=roll_light(dice) if kind != "sprite" else None,
            gloss=roll_gloss(dice, pack, look) if shiny else None,
            camouflage=dice.number(0.5, 1) if dice.number(0, 1) < 0.12 else 0.0,
            curve=curve,
            width=width,
        )

    def again(self, slot: Slot, pose: Pose) -> Slot:
        """Another of the same kind, in half of the cases with the same looks."""
        if self.dice.number(0, 1) < 0.5:
            return replace(slot, pose=pose)
        look: Look = slot.look
        return self.dressed(
            slot.kind, pose, look, slot.names, sprite=slot.sprite, curve=slot.curve, width=slot.width
        )  # fmt: skip

    def look(self, otherwise: Look) -> Look:
        choice = self.dice.number(0, 1)
        if choice < self.mix.glass:
            return "glass"
        if choice < self.mix.glass + self.mix.film:
            return "film"
        return "metal" if choice < self.mix.glass + self.mix.film + self.mix.metal else otherwise

    # Places

    def pose(self, size: float) -> Pose:
        """Roll a pose: mostly upright, a little sheared, tilted and bent."""
        dice = self.dice
        x, y = self.place(size)
        return Pose(
            x=x,
            y=y,
            size=size,
            turn=dice.number(-0.4, 0.4) if dice.number(0, 1) < 0.6 else dice.number(-math.pi, math.pi),
            stretch=math.exp(0.15 * max(-2.0, min(2.0, dice.normal_number()))),
            lean=dice.number(-0.25, 0.25),
            tilt_u=dice.number(-0.25, 0.25),
            tilt_v=dice.number(-0.25, 0.25),
            flip=dice.number(0, 1) < 0.5,
            bend=0.05 if dice.number(0, 1) < 0.4 else 0.0,
        )

    def place(self, size: float) -> tuple[float, float]:
        """Roll a centre within the picture, seldom so near its end that half of the object is lost."""
        y, x = (self.along(size, share) for share in self.extent)
        return x, y

    def along(self, size: float, share: float) -> float:
        low, high = -1 + 0.6 * size, -1 + 2 * share - 0.6 * size
        if low >= high or self.dice.number(0, 1) < 0.1:
            low, high = -1, -1 + 2 * share
        return self.dice.number(low, high)


def _vivid(dice: Dice) -> tuple[float, float, float]:
    r, g, b = roll_colour(dice)
    low, high = min(r, g, b), max(r, g, b)
    spread = max(high - low, 1e-3)
    return (r - low) / spread, (g - low) / spread, (b - low) / spread


def _shuffled(dice: Dice, slots: list[Slot]) -> list[Slot]:
    mixed = list(slots)
    Random(dice.below(2**31)).shuffle(mixed)
    return mixed


__all__ = ["HARD_MIX", "TRAINING_MIX", "Pose", "SceneMix", "Slot", "plan_scene"]
