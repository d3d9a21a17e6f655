import pytest

from maskwright.core.errors import InputError
from maskwright.train.tabletop.canvas import Canvas
from maskwright.train.tabletop.simulator import load_simulator


@pytest.fixture(scope="session")
def simulator():
    """MuJoCo with something to draw with; both are optional."""
    try:
        mujoco = load_simulator()
        Canvas(mujoco, mujoco.MjSpec().compile(), (32, 32)).close()
    except InputError as error:
        pytest.skip(str(error))
    return mujoco
