"""Detectors and a CLIP with random weights, written once a session."""

import pytest

from detector_folders import WRITERS, write_clip

pytest.importorskip("transformers", reason="the transformers extra is not installed")


@pytest.fixture(scope="session", params=list(WRITERS))
def detector_folder(request, tmp_path_factory):
    return WRITERS[request.param](tmp_path_factory.mktemp("detectors") / request.param)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "small-clip")
