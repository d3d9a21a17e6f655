"""The gRPC contract and the code made from it belong together."""

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from maskwright.core.rle import RLE
from maskwright.core.track import TrackSource, TrackState
from maskwright.serve.grpc_generated import maskwright_pb2 as pb
from maskwright.serve.grpc_values import mask_message, rle_of

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def program():
    path = ROOT / "proto" / "make_python.py"
    spec = importlib.util.spec_from_file_location("make_python", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_code_is_what_the_contract_says(program):
    for name, text in program.generated().items():
        assert (program.PACKAGE / name).read_text() == text, f"{name}: run make proto"


def test_every_message_and_field_is_in_the_contract_in_snake_case():
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            assert field.name == field.name.lower(), f"{message.name}.{field.name}"


def test_sources_and_states_of_tracks_are_those_of_core():
    for enum, known in ((pb.TrackSource, get_args(TrackSource)), (pb.TrackState, get_args(TrackState))):
        names = {name.split("_", 2)[2].lower() for name in enum.keys()}  # noqa: SIM118
        assert names == {"unspecified", *known}


def test_the_extra_asks_for_what_the_generated_code_needs():
    generated = ROOT / "src" / "maskwright" / "serve" / "grpc_generated"
    grpcio = re.search(r"GRPC_GENERATED_VERSION = '(.*)'", (generated / "maskwright_pb2_grpc.py").read_text())[1]
    protobuf = re.search(r"Protobuf Python Version: (\S+)", (generated / "maskwright_pb2.py").read_text())[1]

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["grpc"]

    assert f"grpcio>={grpcio}" in extra
    assert f"protobuf>={protobuf}" in extra


def test_a_mask_goes_there_and_back():
    rle = RLE((2, 2), b"121")

    assert rle_of(mask_message(rle, "rle").rle) == rle
