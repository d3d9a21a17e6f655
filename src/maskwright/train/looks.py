"""What a generated object looks like, as plain numbers rolled on the host: coats, patterns, light, glass, shadow.

Values only, so that alike objects are copies and nothing waits for a device; `skins` and `gloss` paint them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice

PATTERNS = {"none": 0.5, "stripes": 0.12, "tiles": 0.12, "band": 0.14, "spots": 0.12}

Look = Literal["own", "painted", "metal", "glass", "film"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coat:
    """One material: a colour, or a texture or photograph (by index), as it is or tinted by the colour."""

    colour: tuple[float, float, float]
    texture: int = -1
    tint: float = 0.0
    scale: float = 1.0
    turn: float = 0.0
    dx: float = 0.0
    dy: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Where the second coat shows."""

    kind: str
    turn: float
    period: float
    gap: float
    aspect: float
    middle: float
    width: float
    level: float
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """A coat, or two of them in a pattern."""

    first: Coat
    second: Coat | None = None
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """How a cut-out's own colours are changed."""

    hue: float
    saturation: float
    gain: float
    contrast: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """How a procedural shape is lit: as a ball (0), a cylinder (1) or with a bevel (2)."""

    x: float
    y: float
    style: int
    amount: float
    shine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gloss:
    """What glass and metal do: bend what is behind, reflect a photograph, shine at one spot, darken at the edge."""

    bend: float
    tint: tuple[float, float, float]
    rim: float
    shine: float
    sharpness: float
    light_x: float
    light_y: float
    reflection: int
    mirror: float
    detail: float
    liquid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A blurred copy of the outline, moved by shares of the object's half-size; `caustic` brightens its middle."""

    dx: float
    dy: float
    softness: float
    strength: float
    caustic: float


def roll_colour(dice: Dice) -> tuple[float, float, float]:
    """Roll a colour: real things are often dull, dark or nearly white."""
    level, dull = dice.number(0.05, 0.95), dice.number(0, 1) ** 0.5
    r, g, b = (dice.number(0, 1) * (1 - dull) + level * dull for _ in range(3))
    return r, g, b


def roll_coat(dice: Dice, pack: AssetPack) -> Coat:
    """Roll a material: tinted texture, texture or photograph as it is, or plain colour, a third each."""
    style, colour = dice.number(0, 1), roll_colour(dice)
    if style >= 0.7:
        return Coat(colour=colour)
    split, total = pack.num_textures, len(pack.materials)
    return Coat(
        colour=colour,
        texture=dice.below(split) if dice.number(0, 1) < 0.5 else split + dice.below(total - split),
        tint=dice.number(0, 1) if style < 0.35 else 0.0,
        scale=dice.log_number(0.1, 0.9),
        turn=dice.number(0, 2 * math.pi),
        dx=dice.number(-1, 1),
        dy=dice.number(-1, 1),
    )


def roll_skin(dice: Dice, pack: AssetPack) -> Skin:
    """Roll a coat, or two in a pattern: keys, cloth, fur, labels, worn paint.

    Without patterns a network learns that an object has one colour, and takes a keyboard for its keys.
    """
    first, kind = roll_coat(dice, pack), dice.pick(PATTERNS)
    if kind == "none":
        return Skin(first=first)
    pattern = Pattern(
        kind=kind,
        turn=dice.number(0, math.pi),
        period=dice.log_number(0.08, 0.8),
        gap=dice.number(0.1, 0.5),
        aspect=dice.number(0.5, 2),
        middle=dice.number(-0.5, 0.5),
        width=dice.number(0.05, 0.5),
        level=dice.number(-0.5, 1),
        strength=dice.number(0.4, 1),
    )
    return Skin(first=first, second=roll_coat(dice, pack), pattern=pattern)


def roll_tone(dice: Dice, *, keep_hue: bool = False) -> Tone:
    """Roll another tone: half of the hues move by a little, half anywhere; a skin keeps its own."""
    if keep_hue:
        return Tone(hue=0.0, saturation=1.0, gain=math.exp(dice.number(-0.5, 0.2)), contrast=dice.number(0.7, 1.2))
    little = dice.number(0, 1) < 0.5
    return Tone(
        hue=0.2 * dice.number(-1.7, 1.7) if little else dice.number(-math.pi, math.pi),
        saturation=dice.number(0.2, 1.4),
        gain=math.exp(dice.number(-0.7, 0.25)),
        contrast=dice.number(0.5, 1.2),
    )


def roll_light(dice: Dice) -> Light:
    """Roll a direction of light and how solid a shape looks in it."""
    x, y = dice.number(-1.7, 1.7), dice.number(-1.7, 1.7)
    shine = dice.number(0.2, 0.8) if dice.number(0, 1) < 0.3 else 0.0
    return Light(x=x, y=y, style=dice.below(3), amount=dice.number(0, 0.8), shine=shine)


def roll_gloss(dice: Dice, pack: AssetPack, look: Look) -> Gloss:
    """Roll a glass that is mostly clear, or a metal that is mostly grey."""
    coloured = dice.number(0, 1) < (0.3 if look == "metal" else 0.45)
    tint = _METAL_TINTS[dice.below(len(_METAL_TINTS))] if look == "metal" and coloured else (1.0, 1.0, 1.0)
    if look != "metal" and coloured:
        depth = dice.number(0.2, 0.8)
        r, g, b = (1 - depth * dice.number(0, 1) for _ in range(3))
        tint = (r, g, b)
    split = pack.num_textures
    return Gloss(
        bend=dice.number(0.1, 0.9) * (1 if dice.number(0, 1) < 0.7 else -1),
        tint=tint,
        rim=dice.number(0.15, 0.8),
        shine=dice.number(0.3, 1.2),
        sharpness=dice.log_number(15, 120),
        light_x=dice.number(-0.7, 0.7),
        light_y=dice.number(-0.8, 0.3),
        reflection=split + dice.below(len(pack.materials) - split),
        mirror=dice.number(0.5, 1.0) if look == "metal" else dice.number(0.02, 0.25),
        detail=dice.number(0, 0.3) if look == "glass" else dice.number(0.15, 0.6),
        liquid=dice.number(-0.3, 0.5) if look == "glass" and dice.number(0, 1) < 0.25 else 2.0,
    )


_METAL_TINTS = ((1.0, 0.82, 0.45), (0.95, 0.62, 0.45), (0.75, 0.8, 0.9), (0.55, 0.55, 0.58))


def roll_shadow(dice: Dice, look: Look) -> Shadow:
    """Roll a shadow; a third of the objects have none, clear ones have a weak one with a bright middle."""
    shown, clear = dice.number(0, 1) < 0.65, look in ("glass", "film")
    return Shadow(
        dx=dice.number(-0.35, 0.35),
        dy=dice.number(-0.2, 0.45),
        softness=dice.number(0, 1),
        strength=(dice.number(0.1, 0.65) * (0.5 if clear else 1.0)) if shown else 0.0,
        caustic=dice.number(0, 0.5) if clear and shown else 0.0,
    )


def material_words(look: Look, skin: Skin | None, textures: Sequence[str | None]) -> tuple[str, ...]:
    """Name what an object is made of, where its looks leave no doubt; `textures` names each texture's material."""
    if look == "metal":
        return ("metal", "shiny")
    if look == "glass":
        return ("transparent", "glass")
    if look == "film":
        return ("transparent",)
    if skin is None:
        return ()
    if skin.pattern and skin.pattern.kind in ("stripes", "tiles", "spots") and skin.pattern.strength > 0.6:
        return ("patterned",)
    coat = skin.first
    if skin.pattern or coat.texture < 0 or coat.tint or coat.texture >= len(textures):
        return ()
    named = textures[coat.texture]
    return (named,) if named else ()


__all__ = [
    "PATTERNS",
    "Coat",
    "Gloss",
    "Light",
    "Look",
    "Pattern",
    "Shadow",
    "Skin",
    "Tone",
    "material_words",
    "roll_coat",
    "roll_colour",
    "roll_gloss",
    "roll_light",
    "roll_shadow",
    "roll_skin",
    "roll_tone",
]
