"""One export of test-sam for all tests here: writing ONNX takes torch a dozen seconds."""

import pytest

from maskwright.models import load_model
from maskwright.models.backends.export import export_model


@pytest.fixture(scope="session")
def reported(tmp_path_factory):
    """The report of the export."""
    return export_model(load_model("test-sam"), tmp_path_factory.mktemp("exported") / "test-sam.onnx")


@pytest.fixture(scope="session")
def exported(reported):
    """The file."""
    return reported.path
