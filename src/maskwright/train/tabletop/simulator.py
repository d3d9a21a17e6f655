"""MuJoCo, found when it is needed: physics from its package, pictures from OSMesa (or EGL where a GPU is)."""

import os
from types import ModuleType

from maskwright.core.errors import InputError


def load_simulator() -> ModuleType:
    """Import MuJoCo, set to draw without a display unless MUJOCO_GL says otherwise.

    Raises:
        InputError: it is not installed, or the library that it draws with is missing.
    """
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    try:
        import mujoco
    except ModuleNotFoundError as error:
        if error.name != "mujoco":
            raise
        raise InputError(
            "robot scenes need the simulator MuJoCo, which is not installed. "
            "Install it: pip install 'maskwright[scenes]'"
        ) from None
    except (ImportError, AttributeError, OSError) as error:
        backend = os.environ["MUJOCO_GL"]
        raise InputError(
            f"MuJoCo cannot draw with MUJOCO_GL={backend} ({error}). "
            f"Install OSMesa (Debian: apt-get install libosmesa6), or set MUJOCO_GL=egl on a machine with a GPU."
        ) from None
    return mujoco


__all__ = ["load_simulator"]
