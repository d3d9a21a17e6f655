"""Masks on the patches of a vision transformer: how much of each patch they cover."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from maskwright.core.errors import SettingError
from maskwright.robot.policy_recipe import PatchRule


def patch_shares(channels: UInt8[np.ndarray, "H W K"], rule: PatchRule) -> Float32[np.ndarray, "K h w"]:
    """Compute the share of each patch that each mask (255 in its channel) covers.

    >>> mask = np.zeros((4, 4, 1), np.uint8); mask[:2, :1] = 255
    >>> patch_shares(mask, PatchRule(side_px=2))[0].tolist()
    [[0.5, 0.0], [0.0, 0.0]]

    Raises:
        SettingError: patches do not fill the picture.
    """
    height, width, num_slots = channels.shape
    side = rule.side_px
    if height % side or width % side:
        raise SettingError(f"patches of {side} pixels must fill the picture, got {height} x {width}. Give it a size.")
    grid = np.zeros((num_slots, height // side, width // side), np.float32)
    for at in range(num_slots):
        plane = np.ascontiguousarray(channels[:, :, at])
        if plane.any():
            cv2.resize(plane.astype(np.float32), grid.shape[:0:-1], dst=grid[at], interpolation=cv2.INTER_AREA)
    return np.rint(grid * (side * side / 255)) / np.float32(side * side)  # whole pixels, however means are taken


def attended(shares: Float32[np.ndarray, "K h w"], rule: PatchRule) -> Bool[np.ndarray, "K h w"]:
    """Tell which patches a policy is to attend to."""
    return shares >= rule.threshold


__all__ = ["attended", "patch_shares"]
