"""Vectors of a store's pictures: made once, grown with the store, and used by `maskwright pick`."""

import json
import logging

import numpy as np
import pytest

from annotate_data import EVERYTHING, write_pictures
from maskwright.cli.__main__ import run
from maskwright.core import Accept
from maskwright.core.errors import InputError
from maskwright.models import load_model
from maskwright.store import Query, open_store
from maskwright.testing.store_values import make_event
from maskwright.workflows import annotate as workflow
from maskwright.workflows import store_vectors
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.picture_vectors import PictureVectors
from maskwright.workflows.store_vectors import is_file_of_vectors, vectors_of_store


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


@pytest.fixture
def store(tmp_path, model):
    annotated(tmp_path, model, range(4))
    return tmp_path / "masks"


def annotated(tmp_path, model, numbers):
    pictures = write_pictures(tmp_path / "pictures", numbers)
    workflow.annotate(model, Footage.open(pictures), EVERYTHING, tmp_path / "masks")


def test_pictures_are_encoded_once_and_the_file_grows_with_the_store(tmp_path, store, model):
    seen = []

    first = vectors_of_store(store, model, progress=lambda done, total: seen.append((done, total)))
    again = vectors_of_store(store, model)
    annotated(tmp_path, model, range(6))
    grown = vectors_of_store(store, model)

    assert [one.num_encoded for one in (first, again, grown)] == [4, 0, 2]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(grown.vectors.rows) == 6
    assert np.array_equal(grown.vectors.vectors[:4], first.vectors.vectors)
    (kept,) = (store / "vectors").iterdir()
    assert PictureVectors.read(kept).rows == grown.vectors.rows


def test_only_what_is_asked_for_is_encoded_and_what_is_accepted_where_that_is_wanted(store, model):
    with open_store(store) as opened:
        masks = {one.record.image_digest: one.record for one in opened.query()}
        first, second, *_ = masks.values()
        opened.append([make_event(second, Accept())])
    query = Query(image_digest=first.image_digest)

    narrow = vectors_of_store(store, model, query=query)
    wider = vectors_of_store(store, model, query=query, with_accepted=True)

    assert list(narrow.vectors.rows) == [first.image_digest]
    assert list(wider.vectors.rows) == [first.image_digest, second.image_digest]


def test_what_was_cut_off_goes_on(store, model, monkeypatch):
    monkeypatch.setattr(store_vectors, "_AT_ONCE", 1)

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectors_of_store(store, model, progress=stop)

    assert vectors_of_store(store, model).num_encoded == 2


def test_a_damaged_file_is_made_anew(store, model, caplog):
    first = vectors_of_store(store, model)
    (kept,) = (store / "vectors").iterdir()
    kept.write_bytes(b"PK\3\4 no more")

    with caplog.at_level(logging.WARNING):
        again = vectors_of_store(store, model)

    assert again.num_encoded == 4
    assert np.array_equal(again.vectors.vectors, first.vectors.vectors)
    assert "it is made anew" in caplog.text


def test_pictures_that_are_gone_are_told_and_looked_for_where_the_user_says(tmp_path, store, model, caplog):
    (tmp_path / "pictures" / "002.png").unlink()
    with caplog.at_level(logging.WARNING):
        made = vectors_of_store(store, model)
    assert (made.num_encoded, made.num_unreadable) == (3, 1)
    assert "1 pictures cannot be read and have no vector" in caplog.text

    write_pictures(tmp_path / "elsewhere", range(4))
    assert vectors_of_store(store, model, images=tmp_path / "elsewhere").num_encoded == 1


def test_no_picture_at_all_is_an_error(tmp_path, store, model):
    for one in (tmp_path / "pictures").iterdir():
        one.unlink()

    with pytest.raises(InputError, match="no picture of the store can be read. Say where they are: --images PATH"):
        vectors_of_store(store, model)


def test_the_command_makes_vectors_for_novelty_and_variety(store, capsys):
    with open_store(store) as opened:
        opened.append([make_event(next(iter(opened.query())).record, Accept())])
    asked = ["pick", str(store), "--budget", "3", "--by", "novelty", "--vectors", "test-sam"]

    assert run(asked) == 0
    told = capsys.readouterr()
    assert "4 pictures encoded by test-sam; their vectors are kept for the next time" in told.err
    assert "far from all that is labelled" in told.out
    assert run([*asked, "--name", "again", "--status", "accepted", "--json"]) == 0
    told = capsys.readouterr()
    assert "encoded" not in told.err
    assert len(json.loads(told.out)["items"]) == 1
    assert run([*asked[:-1], "no-such-model"]) == 1
    assert "no-such-model" in capsys.readouterr().err


def test_a_file_is_known_by_its_ending():
    assert is_file_of_vectors("a/vectors.npz")
    assert is_file_of_vectors("vectors.parquet")
    assert not is_file_of_vectors("tiny")
    assert not is_file_of_vectors("checkpoints/glass_v2")
