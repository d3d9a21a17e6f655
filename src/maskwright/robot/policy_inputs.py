"""`make_inputs`: a frame and its masks become what a policy sees, as a recipe says.

The one function of pixels: the perceiver on the robot, the `DataLoader` and the writer of files all call it, so what a
policy is trained on and what it meets are the same bits. It knows no files, no store and no torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from maskwright.core.errors import InputError, MaskError
from maskwright.core.image import FrameRef
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.masks import decode
from maskwright.robot.policy_background import Backdrops, plain, put_behind
from maskwright.robot.policy_cloud import masked_cloud
from maskwright.robot.policy_crop import NO_WINDOW, Window, cut_mask, cut_pixels, find_window
from maskwright.robot.policy_patches import attended, patch_shares
from maskwright.robot.policy_recipe import PatchRule, PolicyRecipe

FRAME = "frame"  # the name of the view that is the whole frame
Mask = Bool[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyView:
    """One picture: the crop of a slot, or the whole frame.

    `is_present` is False for the crop of an object that is not there: its pixels are the recipe's fill, its masks none.
    `channels` has 255 where a slot's object is, in the order of the slots. `window_xyxy` are pixels of the frame.
    """

    name: str
    pixels: UInt8[np.ndarray, "h w 3"]
    is_present: bool
    window_xyxy: Window
    channels: UInt8[np.ndarray, "h w K"] | None = None
    shares: Float32[np.ndarray, "K gh gw"] | None = None

    def stacked(self) -> UInt8[np.ndarray, "h w 3+K"]:
        """Put the masks behind the colours: red, green, blue, then a channel a slot.

        Raises:
            InputError: the recipe asks for no channels.
        """
        if self.channels is None:
            raise InputError("there are no masks to stack; ask for them with channels=True in the recipe")
        return np.concatenate([self.pixels, self.channels], axis=2)

    def attended(self, rule: PatchRule) -> Bool[np.ndarray, "K gh gw"]:
        """Tell which patches each slot's object covers enough of.

        Raises:
            InputError: the recipe asks for no patches.
        """
        if self.shares is None:
            raise InputError("there are no patches; ask for them with patches=PatchRule(...) in the recipe")
        return attended(self.shares, rule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyInputs:
    """What a policy sees of one frame. `present` says of each slot whether its object is in the frame."""

    views: tuple[PolicyView, ...]
    present: Bool[np.ndarray, " K"]
    clouds: Float32[np.ndarray, "K N C"] | None = None

    def view(self, name: str) -> PolicyView:
        """Find a view by its name.

        Raises:
            InputError: there is none of that name.
        """
        for one in self.views:
            if one.name == name:
                return one
        raise InputError(f"no view is called {name!r}; there are {', '.join(one.name for one in self.views)}")


def make_inputs(
    pixels: UInt8[np.ndarray, "H W 3"],
    masks: Mapping[str, RLE | Mask | None],
    recipe: PolicyRecipe,
    *,
    ref: FrameRef | None = None,
    depth_m: np.ndarray | None = None,
    backdrops: Backdrops | None = None,
) -> PolicyInputs:
    """Make what a policy sees of a frame; `masks` are by slot, and a slot without one, or with an empty one, is empty.

    `ref` is where the frame stands, which decides what a randomised background shows.

    Raises:
        InputError: a mask has another size than the frame, or points are asked for and there is no depth.
        SettingError: the pictures to put behind objects are missing, or others than the recipe means.
    """
    size_hw = pixels.shape[0], pixels.shape[1]
    dense = {name: _dense(masks.get(name), name, size_hw) for name in recipe.names}
    slots = [dense[name] for name in recipe.slots]
    views = tuple(
        _view(name, pixels, dense, window, recipe, ref, backdrops) for name, window in _windows(dense, recipe, size_hw)
    )
    present = np.array([one is not None for one in slots])
    return PolicyInputs(views=views, present=present, clouds=_clouds(pixels, slots, recipe, depth_m))


def _windows(
    dense: Mapping[str, Mask | None], recipe: PolicyRecipe, size_hw: SizeHW
) -> Iterator[tuple[str, Window | None]]:
    if recipe.crop is None:
        yield FRAME, (0, 0, size_hw[1], size_hw[0])
        return
    assert recipe.size_hw is not None
    for name in recipe.slots:
        mask = dense[name]
        yield name, None if mask is None else find_window(mask, recipe.crop, recipe.size_hw)


def _dense(mask: RLE | Mask | None, name: str, size_hw: SizeHW) -> Mask | None:
    if mask is None:
        return None
    if isinstance(mask, np.ndarray) and mask.dtype != np.bool_:
        raise MaskError(
            f"the mask of {name!r} must be bool (H, W) or an RLE, got {mask.dtype}. Compare first: mask > 0."
        )
    got = mask.size_hw if isinstance(mask, RLE) else mask.shape
    if got != size_hw:
        raise InputError(
            f"the mask of {name!r} has the size {got} (h, w), its frame {size_hw}. "
            "Masks and frames must be of one recording; resize one of them if they are."
        )
    dense = decode(mask) if isinstance(mask, RLE) else mask
    return dense if cv2.hasNonZero(dense.view(np.uint8)) else None


def _view(
    name: str,
    pixels: np.ndarray,
    dense: Mapping[str, Mask | None],
    window: Window | None,
    recipe: PolicyRecipe,
    ref: FrameRef | None,
    backdrops: Backdrops | None,
) -> PolicyView:
    size_hw = recipe.size_hw or (pixels.shape[0], pixels.shape[1])
    if window is None:
        return _empty_view(name, size_hw, recipe)
    padding = recipe.crop.padding if recipe.crop else "constant"
    seen = cut_pixels(pixels, window, size_hw, padding=padding, fill_rgb=recipe.fill_rgb)
    is_asked = recipe.channels or recipe.patches or recipe.background
    cut = {one: cut_mask(mask, window, size_hw) for one, mask in dense.items() if is_asked and mask is not None}
    if recipe.background is not None:
        kept = np.zeros(size_hw, np.uint8)
        for mask in cut.values():
            cv2.bitwise_or(kept, mask, dst=kept)
        seen = put_behind(seen, kept, recipe.background, ref=ref, view=name, backdrops=backdrops)
    planes = None
    if recipe.channels or recipe.patches:
        planes = _planes([cut.get(one) for one in recipe.slots], size_hw)
    return PolicyView(
        name=name,
        pixels=seen,
        is_present=True,
        window_xyxy=window,
        channels=planes if recipe.channels else None,
        shares=patch_shares(planes, recipe.patches) if recipe.patches and planes is not None else None,
    )


def _planes(cut: list[np.ndarray | None], size_hw: SizeHW) -> UInt8[np.ndarray, "h w K"]:
    nothing = np.zeros(size_hw, np.uint8)
    merged = cv2.merge([nothing if mask is None else mask for mask in cut])  # a fifth of NumPy's time, by strides
    return np.asarray(merged, np.uint8).reshape(*size_hw, len(cut))


def _empty_view(name: str, size_hw: SizeHW, recipe: PolicyRecipe) -> PolicyView:
    """Make the crop of an object that is not there; other objects are not shown in its place."""
    planes = np.zeros((*size_hw, len(recipe.slots)), np.uint8)
    return PolicyView(
        name=name,
        pixels=plain(size_hw, recipe.fill_rgb),
        is_present=False,
        window_xyxy=NO_WINDOW,
        channels=planes if recipe.channels else None,
        shares=patch_shares(planes, recipe.patches) if recipe.patches else None,
    )


def _clouds(
    pixels: np.ndarray, slots: list[Mask | None], recipe: PolicyRecipe, depth_m: np.ndarray | None
) -> Float32[np.ndarray, "K N C"] | None:
    rule = recipe.cloud
    if rule is None:
        return None
    if depth_m is None:
        raise InputError("point clouds need depth, and the frame has none. Leave the cloud out of the recipe.")
    nothing = np.zeros((rule.num_points, 6 if rule.has_colour else 3), np.float32)
    return np.stack(
        [nothing if mask is None else masked_cloud(depth_m, mask, rule, pixels=pixels)[0] for mask in slots]
    )


__all__ = ["FRAME", "PolicyInputs", "PolicyView", "make_inputs"]
