"""One real server for all tests of the client: test-sam, and a store of pictures that it has annotated."""

import pytest

from annotate_data import EVERYTHING, write_pictures
from client_server import NUM_ANNOTATED, NUM_PICTURES, RealServer
from maskwright.client import Client
from maskwright.models import load_model
from maskwright.serve.tokens import add_token
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage, Selection


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    write_pictures(folder / "pictures", range(NUM_PICTURES))
    footage = Footage.open(folder / "pictures")
    annotate(load_model("test-sam"), footage, EVERYTHING, folder / "masks", selection=Selection(stop=NUM_ANNOTATED))
    tokens = {
        scope: add_token(folder / "tokens.jsonl", name, scope)
        for name, scope in (("rita", "read"), ("anna", "annotate"), ("root", "admin"))
    }
    server = RealServer(folder, "masks", "--token-file", "tokens.jsonl")
    server.tokens = tokens
    yield server
    server.close()


@pytest.fixture
def client(served):
    """Anna's."""
    with Client(served.address, served.tokens["annotate"]) as client:
        yield client


@pytest.fixture
def admin(served):
    with Client(served.address, served.tokens["admin"]) as client:
        yield client
