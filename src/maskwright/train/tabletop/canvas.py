"""Pictures of a MuJoCo model without a display: colours, and which geom is seen at what distance.

MuJoCo's own Renderer draws once more for depth, and always at full size. Here identity and depth come from one drawing,
and a drawing may be a fraction of the size, which is what counting hidden pixels needs.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from maskwright.core.errors import InputError

_NO_GEOM = -1


class Canvas:
    """Draws one model; `close` gives its buffers back."""

    def __init__(self, mujoco: Any, model: Any, size_hw: tuple[int, int]) -> None:
        """Make a context for drawing, which costs more than any picture.

        Raises:
            InputError: the library that draws does not start.
        """
        self._mujoco, self._model, self._size_hw = mujoco, model, size_hw
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 50)
        # Meshes of catalogues have triangles that face either way.
        self._scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = False
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 1
        try:
            self._window = mujoco.GLContext(size_hw[1], size_hw[0])
            self._window.make_current()
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        except (mujoco.FatalError, ImportError, AttributeError, RuntimeError, TypeError) as error:
            raise InputError(
                f"MuJoCo cannot draw ({error}). Install OSMesa (Debian: apt-get install libosmesa6) and start "
                f"Python with MUJOCO_GL=osmesa, or with MUJOCO_GL=egl on a machine with a GPU."
            ) from None
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR

    def close(self) -> None:
        """Free the context."""
        self._context.free()
        self._window.free()

    def look(self, data: Any, camera: str, *, shown: Bool[np.ndarray, " G"]) -> None:
        """Aim at the world from a camera of the model; only geoms in `shown` will be drawn."""
        mujoco = self._mujoco
        view = mujoco.MjvCamera()
        view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        view.fixedcamid = self._model.camera(camera).id
        # Groups are the one filter that costs nothing: group 0 is drawn, group 1 is not.
        self._model.geom_group[:] = np.where(shown, 0, 1)
        self._option.geomgroup[1] = 0
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, view, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )

    def colours(self) -> UInt8[np.ndarray, "H W 3"]:
        """Draw as a camera sees."""
        height, width = self._size_hw
        pixels = np.empty((height, width, 3), np.uint8)
        self._draw(1, pixels, None)
        return np.ascontiguousarray(pixels[::-1])

    def geoms(self, *, shrink: int = 1) -> tuple[Int[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
        """Draw which geom is seen (-1 for none) and its distance in metres along the view; sizes divide by `shrink`."""
        mujoco = self._mujoco
        height, width = (side // shrink for side in self._size_hw)
        ids, depth = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
        usual = self._scene.flags.copy()
        for flag, value in (("SEGMENT", 1), ("IDCOLOR", 1), ("SHADOW", 0), ("REFLECTION", 0)):
            self._scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = value
        self._draw(shrink, ids, depth)
        self._scene.flags[:] = usual
        geom_of = np.full(self._scene.ngeom + 1, _NO_GEOM)
        for drawn in self._scene.geoms[: self._scene.ngeom]:
            if drawn.segid >= 0 and drawn.objtype == mujoco.mjtObj.mjOBJ_GEOM.value:
                geom_of[drawn.segid + 1] = drawn.objid
        number = ids.astype(np.int64) @ np.array([1, 1 << 8, 1 << 16])
        return geom_of[number][::-1], self._metres(depth)[::-1]

    def _draw(self, shrink: int, pixels: np.ndarray, depth: np.ndarray | None) -> None:
        height, width = (side // shrink for side in self._size_hw)
        rectangle = self._mujoco.MjrRect(0, 0, width, height)
        self._mujoco.mjr_render(rectangle, self._scene, self._context)
        self._mujoco.mjr_readPixels(pixels, depth, rectangle, self._context)

    def _metres(self, depth: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
        """Undo the perspective of a depth buffer that is 1 near and 0 far away."""
        extent, planes = self._model.stat.extent, self._model.vis.map
        near, far = planes.znear * extent, planes.zfar * extent
        return near * far / (near + depth.astype(np.float64) * (far - near))


__all__ = ["Canvas"]
