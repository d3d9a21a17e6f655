from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.cli.__main__ import run
from maskwright.core.errors import InputError, MaskError, StoreMissing, UnknownRecord
from maskwright.core.image import Image
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.predict import embed
from maskwright.robot.object_features import VectorBatch, best_matches, cell_shares, object_vectors
from maskwright.store import Query, SeenFrame, create_store, open_store
from maskwright.workflows.find_objects import LikeBox, LikeRecord, find_objects
from maskwright.workflows.object_vectors import vectors_of_objects
from robot_data import mask_of

SIZE_HW = (60, 80)


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


def scene(number):
    """A grey picture with a thing on it, white on even numbers and black on odd ones, and its mask."""
    pixels = np.full((*SIZE_HW, 3), 120, np.uint8)
    y, x = 4 + 3 * (number % 4), 5 + 6 * (number % 5)
    pixels[y : y + 24, x : x + 24] = 10 if number % 2 else 245
    mask = np.zeros(SIZE_HW, bool)
    mask[y : y + 24, x : x + 24] = True
    return pixels, mask


@pytest.fixture
def store(tmp_path):
    """A store of eight pictures in a folder, with the thing of each; even ones are called white."""
    from PIL import Image as PillowImage

    from maskwright.datasets import open_source
    from maskwright.workflows.run_manifest import RunManifest

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(8):
        PillowImage.fromarray(scene(number)[0]).save(folder / f"{number}.png")
    path = tmp_path / "masks"
    source = open_source(folder)
    frames = list(source.frames(source.episodes[0], source.episodes[0].cameras[0]))
    with create_store(path) as opened:
        for number, frame in enumerate(frames):
            mask = mask_of(scene(number)[1], label="black" if number % 2 else "white", frame=frame.ref)
            record = replace(mask.record, image_digest=frame.image.digest)
            seen = SeenFrame(name=f"{number}.png", size_hw=SIZE_HW, ref=frame.ref, image_digest=frame.image.digest)
            opened.put([record], frames=[seen])
        manifest = RunManifest.of(opened, "test")
        manifest.begin({"verb": "test", "source": {"path": str(folder), "name": source.name}}, {})
    return path


def records(path):
    with open_store(path, read_only=True) as opened:
        return {one.record.frame.frame_index: one.record for one in opened.query(Query())}


def test_a_vector_is_the_mean_of_the_cells_that_a_mask_covers(model):
    pixels, mask = scene(0)
    embedding = embed(model, Image(pixels))

    vectors = object_vectors(embedding, [mask, encode(mask), np.zeros(SIZE_HW, bool)])

    cells = embedding.features.image_embedding[0].numpy()
    weights = cell_shares(mask, cells.shape[1:])
    by_hand = (cells * weights).sum(axis=(1, 2))
    assert np.allclose(vectors[0], by_hand / np.linalg.norm(by_hand), atol=1e-6)
    assert (vectors[0] == vectors[1]).all()
    assert not vectors[2].any()
    with pytest.raises(MaskError, match="a mask must have its image's size"):
        object_vectors(embedding, [mask[1:]])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32))
def test_cells_share_out_the_pixels_of_a_mask(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5

    shares = cell_shares(mask, (4, 4))

    side = max(height, width)
    assert shares.min() >= 0
    assert shares.max() <= 1 + 1e-6
    if side >= 4:
        assert shares.sum() * side * side / 16 == pytest.approx(mask.sum(), rel=1e-4, abs=1e-3)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32))
def test_the_best_of_batches_are_the_best_of_all(num, batch, count, seed):
    vectors = np.random.default_rng(seed).normal(size=(num, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"m{at}" for at in range(num)]
    batches = [
        VectorBatch(record_ids=names[at : at + batch], vectors=vectors[at : at + batch]) for at in range(0, num, batch)
    ]

    found = best_matches(batches, vectors[0], count=count)

    scores = vectors @ vectors[0]
    assert [one.score for one in found] == pytest.approx(sorted(scores, reverse=True)[:count], abs=1e-5)
    assert found[0].record_id == "m0"


def test_what_is_asked_for_itself_is_no_answer_and_other_lengths_are_refused():
    vectors = np.eye(3, dtype=np.float32)
    batch = VectorBatch(record_ids=["a", "b", "c"], vectors=vectors)

    found = best_matches([batch], vectors[0], count=3, mean=vectors.mean(axis=0), leave_out=("a",))

    assert {one.record_id for one in found} == {"b", "c"}
    assert found[0].score == pytest.approx(-0.5)
    with pytest.raises(InputError, match="vectors of one model are needed"):
        best_matches([batch], np.ones(4), count=1)


def test_frames_with_things_like_it_come_first(store, model):
    of = records(store)

    done = find_objects(store, LikeRecord(record_id=of[0].id), model, limit=7)

    assert done.num_encoded == 8
    assert done.num_compared == 8
    assert len(done.frames) == 7
    assert {one.mask.record.label for one in done.frames[:3]} == {"white"}
    assert done.frames[0].score > done.frames[-1].score
    again = find_objects(store, LikeRecord(record_id=of[0].id), model, limit=2)
    assert again.num_encoded == 0
    assert [one.name for one in again.frames] == [one.name for one in done.frames[:2]]


def test_a_box_in_any_picture_will_do(store, model):
    pixels, mask = scene(2)
    ys, xs = np.nonzero(mask)

    done = find_objects(store, LikeBox(image=Image(pixels), box_xyxy=(xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)), model)

    assert len(done.frames) == 8


def test_a_mask_that_was_edited_gets_a_new_vector(store, model):
    from datetime import UTC, datetime

    from maskwright.core.record import new_id
    from maskwright.core.review_event import Edit, ReviewEvent

    first = vectors_of_objects(store, model)
    of = records(store)
    with open_store(store) as opened:
        edit = ReviewEvent(
            id=new_id(), record_id=of[0].id, actor="anna", at=datetime.now(UTC), action=Edit(rle=encode(scene(4)[1]))
        )
        opened.append([edit])

    again = vectors_of_objects(store, model)

    assert (first.num_encoded, again.num_encoded) == (8, 1)
    assert len(list(again.vectors.folder.glob("*.parquet"))) == 2
    assert vectors_of_objects(store, model).num_encoded == 0


def test_vectors_are_parquet_of_length_one_and_damaged_ones_are_made_anew(store, model, caplog):
    import pyarrow.parquet as pq

    made = vectors_of_objects(store, model)
    (path,) = made.vectors.folder.glob("*.parquet")

    rows = pq.read_table(path)
    assert rows.column_names == ["record_id", "mask", "vector"]
    lengths = [np.linalg.norm(vector) for vector in rows.column("vector").to_pylist()]
    assert lengths == pytest.approx([1] * 8)
    path.write_bytes(b"no parquet")
    assert vectors_of_objects(store, model).num_encoded == 8
    assert "vectors that cannot be read are made anew" in caplog.text


def test_the_command_lists_frames_and_says_what_is_wrong(store, capsys, tmp_path):
    of = records(store)
    common = ["find", str(store), "--model", "test-sam"]

    assert run([*common, "--like", of[0].id, "-n", "3"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert "3 frames by the likeness of 8 masks; 8 pictures encoded, kept for the next time" in told.err
    picture_file = str(tmp_path / "pictures" / "0.png")
    assert run([*common, "--like", picture_file]) == 2
    assert "--box X1,Y1,X2,Y2 with --like" in " ".join(capsys.readouterr().err.split())
    assert run([*common, "--like", picture_file, "--box", "1,2,3"]) == 2
    assert run([*common, "--like", "nobody"]) == 1
    assert run(["find", str(tmp_path / "pictures"), "--model", "test-sam", "--like", "x"]) == 1
    assert "a search compares masks, and there is no mask store" in capsys.readouterr().err


def test_what_cannot_be_looked_for_is_said(store, model, tmp_path):
    with pytest.raises(StoreMissing, match="there is no mask store; annotate first"):
        find_objects(tmp_path, LikeRecord(record_id="x"), model)
    with pytest.raises(UnknownRecord):
        find_objects(store, LikeRecord(record_id="nobody"), model)
