"""Draw docs/pictures/policy_inputs.jpg: one frame of the demo episode as a policy sees it, by recipes of the guide.

python docs/make_policy_pictures.py
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from maskwright.datasets import open_source
from maskwright.robot.policy_inputs import make_inputs
from maskwright.robot.policy_masks import StoredMasks, one_each
from maskwright.robot.policy_recipe import (
    BlurredBackground,
    ConstantBackground,
    CropRule,
    NoiseBackground,
    PatchRule,
    PolicyRecipe,
)
from maskwright.workflows.demo import make_demo
from maskwright.workflows.overlay import distinct_colours

OUT = Path(__file__).parent / "pictures" / "policy_inputs.jpg"
CAMERA, FRAME = "front", 66
SLOTS, KEEPS = ("mug", "bin"), ("robot arm", "gripper")
_SIDE, _QUALITY, _PATCH = 224, 85, 16


def main() -> None:
    """Draw them all side by side."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_demo(Path(folder) / "demo")
        source = open_source(made.dataset)
        episode = source.episodes[0]
        frame = next(iter(source.frames(episode, CAMERA, start=FRAME, stop=FRAME + 1)))
        with StoredMasks(made.store, dataset=source.name) as stored:
            masks = one_each(stored.episode(episode.key, CAMERA, (*SLOTS, *KEEPS)).of(FRAME), "all")
    pixels = frame.image.pixels
    crop = {"crop": CropRule(), "size_hw": (_SIDE, _SIDE)}

    def seen(view: str, **facts: object) -> UInt8[np.ndarray, "h w 3"]:
        recipe = PolicyRecipe(slots=SLOTS, keeps=KEEPS, **facts)
        return make_inputs(pixels, masks, recipe, ref=frame.ref).view(view).pixels

    channels = make_inputs(pixels, masks, PolicyRecipe(slots=SLOTS, channels=True)).view("frame").channels
    assert channels is not None
    planes = np.zeros_like(pixels)
    planes[:, :, : len(SLOTS)] = channels
    tiles = [
        ("the frame", pixels),
        ("crop of the mug", seen("mug", **crop)),
        ("crop of the bin", seen("bin", **crop)),
        ("channels: mug red, bin green", planes),
        ("--background 0,0,0", seen("frame", background=ConstantBackground())),
        ("--background blur", seen("frame", background=BlurredBackground())),
        ("--background noise", seen("frame", background=NoiseBackground())),
        ("--patches 16, attended", _patches(pixels, masks)),
    ]
    _save([_tile(text, picture) for text, picture in tiles])


def _patches(pixels: np.ndarray, masks: dict[str, object]) -> UInt8[np.ndarray, "h w 3"]:
    rule = PatchRule(side_px=_PATCH)
    recipe = PolicyRecipe(slots=SLOTS, size_hw=(240, 320), patches=rule)
    view = make_inputs(pixels, masks, recipe).view("frame")  # type: ignore[arg-type]
    drawn = (view.pixels // 3).astype(np.uint8)
    for attended, colour in zip(view.attended(rule), distinct_colours(len(SLOTS)), strict=True):
        for row, column in np.argwhere(attended):
            y, x = row * _PATCH, column * _PATCH
            drawn[y : y + _PATCH, x : x + _PATCH] = view.pixels[y : y + _PATCH, x : x + _PATCH]
            cv2.rectangle(drawn, (int(x), int(y)), (int(x) + _PATCH - 1, int(y) + _PATCH - 1), colour, 1)
    return drawn


def _tile(text: str, picture: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    height = 240
    width = round(picture.shape[1] * height / picture.shape[0])
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    tile = np.full((height + 24, 324, 3), 255, np.uint8)
    left = (320 - width) // 2
    tile[24:, left : left + width] = scaled
    image = PillowImage.fromarray(tile)
    ImageDraw.Draw(image).text((2, 4), text, fill=(20, 20, 20), font=ImageFont.load_default(size=14))
    return np.asarray(image)


def _save(tiles: list[np.ndarray]) -> None:
    rows = [np.concatenate(tiles[at : at + 4], axis=1) for at in range(0, len(tiles), 4)]
    PillowImage.fromarray(np.concatenate(rows, axis=0)).save(OUT, quality=_QUALITY)


if __name__ == "__main__":
    main()
