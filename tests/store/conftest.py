import pytest

from maskwright.store import create_store


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store
