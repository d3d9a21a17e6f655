"""`pick`: from a store to a queue beside it, with vectors and pictures where they are asked for."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskwright.cli.__main__ import run
from maskwright.cli.pick import GROUPS as WRITTEN_GROUPS
from maskwright.core import Accept, Image
from maskwright.core.errors import DuplicateRecord, InputError, SettingError, StoreMissing
from maskwright.core.record import Scores
from maskwright.models import load_model
from maskwright.predict import EmbeddingCache
from maskwright.review import read_queue
from maskwright.review.active import GROUPS, Limits, PickSettings
from maskwright.store import Query, create_store, open_store
from maskwright.testing.store_values import make_event, make_record, make_ref
from maskwright.workflows.pick_masks import pick_masks
from maskwright.workflows.picture_vectors import PictureVectors, vectors_of_pictures


@pytest.fixture
def records(tmp_path):
    made = [
        make_record(
            make_ref(30 * index, episode=f"episode-{index % 3}"),
            label=f"label {index % 2}",
            track=None,
            track_point=None,
            scores=Scores(predicted_iou=index / 20, stability=0.9),
        )
        for index in range(20)
    ]
    with create_store(tmp_path / "masks") as store:
        store.put(made)
    return made


def by_uncertainty(budget, **changes):
    return PickSettings(budget=budget, by=("uncertainty",), **changes)


def test_the_pick_is_a_queue_beside_the_store_and_a_file(tmp_path, records):
    done = pick_masks(tmp_path / "masks", by_uncertainty(5), out=tmp_path / "queue.json")

    assert done.queue.name == "picked"
    assert read_queue(tmp_path / "masks", "picked") == replace(done.queue, settings=_as_read(done.queue.settings))
    assert json.loads((tmp_path / "queue.json").read_text())["items"][0]["record"] == done.queue.entries[0].record
    assert done.queue.entries[0].record == records[0].id
    assert done.queue.entries[0].reasons[0].startswith("predicted IoU 0.00, among the lowest")
    assert next(iter(done.lines())) == "5 of 20 picked into the queue picked, 5 masks"


def _as_read(settings):
    return json.loads(json.dumps(settings))


def test_the_next_pick_is_the_next_best_and_the_same_again_is_the_same(tmp_path, records):
    first = pick_masks(tmp_path / "masks", by_uncertainty(5))
    second = pick_masks(tmp_path / "masks", by_uncertainty(5))
    again = pick_masks(tmp_path / "masks", by_uncertainty(5), name="picked-2", replaces=True)

    assert second.queue.name == "picked-2"
    assert not {one.record for one in first.queue.entries} & {one.record for one in second.queue.entries}
    assert again.queue.entries == second.queue.entries
    with pytest.raises(DuplicateRecord, match="there is a queue picked already. Give --replace"):
        pick_masks(tmp_path / "masks", by_uncertainty(5), name="picked")


def test_conditions_choose_the_masks_and_decided_ones_are_not_picked(tmp_path, records):
    with open_store(tmp_path / "masks") as store:
        store.append([make_event(records[0], Accept()), make_event(records[2], Accept())])

    done = pick_masks(tmp_path / "masks", by_uncertainty(50), query=Query(label="label 0"))

    assert {one.record for one in done.queue.entries} == {records[i].id for i in range(4, 20, 2)}
    assert done.picked.num_decided == 2


def test_no_mask_to_pick_is_said(tmp_path, records):
    with pytest.raises(SettingError, match="there is no mask to pick that is rejected and waits in no other queue"):
        pick_masks(tmp_path / "masks", by_uncertainty(5, of_status=("rejected",)))
    with pytest.raises(StoreMissing):
        pick_masks(tmp_path / "nowhere", by_uncertainty(5))


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_novelty_takes_vectors_from_a_file(tmp_path, records, kind):
    digests = [one.image_digest for one in records]
    vectors = np.tile(np.array([[1.0, 0.0]], np.float32), (20, 1))
    vectors[13] = [-1, 0]
    path = tmp_path / f"vectors.{kind}"
    if kind == "npz":
        PictureVectors({one: i for i, one in enumerate(digests)}, vectors).write(path)
    else:
        pq.write_table(pa.table({"image_digest": digests, "vector": list(vectors)}), path)
    with open_store(tmp_path / "masks") as store:
        store.append([make_event(records[1], Accept())])
    settings = PickSettings(budget=1, by=("novelty",), limits=Limits(diversity=0))

    done = pick_masks(tmp_path / "masks", settings, vectors=path)

    assert [one.record for one in done.queue.entries] == [records[13].id]
    assert done.queue.entries[0].reasons[0].startswith("far from all that is labelled (2.00 of 2)")


def test_novelty_without_vectors_and_files_that_hold_none_are_refused(tmp_path, records):
    with pytest.raises(SettingError, match="novelty needs the embeddings of the pictures"):
        pick_masks(tmp_path / "masks", PickSettings(budget=1, by=("novelty",)))
    (tmp_path / "no.npz").write_bytes(b"none")
    with pytest.raises(InputError, match=r"vectors are a \.npz or \.parquet with image_digest and vector"):
        PictureVectors.read(tmp_path / "no.npz")
    np.savez(tmp_path / "odd.npz", image_digest=np.array(["a"]), vector=np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"one row of numbers for each of 1 pictures, got \(2, 3\)"):
        PictureVectors.read(tmp_path / "odd.npz")


def test_vectors_of_pictures_come_from_the_embedding_cache():
    model, cache = load_model("test-sam"), EmbeddingCache()
    dice = np.random.default_rng(0)
    images = [Image(dice.integers(0, 255, (20, 30, 3), np.uint8)) for _ in range(2)]

    found = vectors_of_pictures(model, [*images, images[0]], cache=cache)

    assert list(found.rows) == [one.digest for one in images]
    assert found.of([images[1].digest, "unknown"])[1].tolist() == [0] * found.vectors.shape[1]
    assert not np.allclose(*found.vectors)
    assert np.array_equal(vectors_of_pictures(model, images, cache=cache).vectors, found.vectors)


def test_the_command_picks_and_tells(tmp_path, records, capsys):
    store = str(tmp_path / "masks")

    assert run(["pick", store, "--budget", "3", "--by", "uncertainty", "--name", "first"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("3 of 20 picked into the queue first, 3 masks\nweights: doubt 1")
    assert "maskwright review" in told.err
    assert run(["pick", store, "--budget", "2", "--frames", "--label", "label 1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == 2
    assert run(["pick", store, "--by", "luck"]) == 1
    assert capsys.readouterr().err.startswith("error: a choice goes by uncertainty")


def test_the_help_names_the_groups_that_there_are():
    assert tuple(GROUPS) == WRITTEN_GROUPS
