"""Encoding, decoding and COCO's JSON, against pycocotools byte for byte."""

import json

import numpy as np
import pycocotools.mask as coco_api
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import RLE
from maskwright.core.errors import MaskError
from maskwright.masks import (
    decode,
    decode_batch,
    empty_mask,
    encode,
    encode_batch,
    from_coco,
    from_runs,
    full_mask,
    runs,
    to_coco,
)
from maskwright.testing.strategies import masks, rles, same_size_rles


@given(masks())
def test_decoding_an_encoded_mask_keeps_every_pixel(mask):
    decoded = decode(encode(mask))

    assert decoded.dtype == np.bool_
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    np.testing.assert_array_equal(decoded, mask)


@given(masks())
def test_encoded_bytes_are_those_of_pycocotools(mask):
    assert encode(mask).counts == coco_api.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]


@given(masks())
def test_memory_order_does_not_matter(mask):
    assert encode(np.asfortranarray(mask)) == encode(mask)
    assert encode(np.repeat(mask, 2, axis=1)[:, ::2]) == encode(mask)


@pytest.mark.parametrize("size_hw", [(480, 640), (1080, 1920)])
def test_a_large_round_mask_has_the_bytes_of_pycocotools(size_hw):
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    mask = np.hypot(y - size_hw[0] / 2, x - size_hw[1] / 3) < size_hw[0] / 3

    encoded = encode(mask)

    assert encoded.counts == coco_api.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]
    np.testing.assert_array_equal(decode(encoded), mask)


@given(same_size_rles(min_size=1))
def test_batches_agree_with_single_masks(drawn):
    stack = decode_batch(drawn)

    np.testing.assert_array_equal(stack, np.stack([decode(rle) for rle in drawn]))
    assert encode_batch(stack) == drawn


def test_a_batch_of_no_masks_needs_a_size():
    assert decode_batch([], size_hw=(3, 4)).shape == (0, 3, 4)
    with pytest.raises(MaskError, match=r"needs a size, got an empty sequence. Pass size_hw"):
        decode_batch([])


def test_a_batch_refuses_another_size_than_asked_for():
    with pytest.raises(MaskError, match="the size asked for, 5x6 .* got 3x4"):
        decode_batch([empty_mask((3, 4))], size_hw=(5, 6))


@given(rles())
def test_runs_make_the_mask_again(rle):
    assert from_runs(runs(rle), rle.size_hw) == rle
    assert from_runs(runs(rle).tolist(), rle.size_hw) == rle


def test_inner_runs_of_zero_are_joined_away():
    assert from_runs([1, 1, 0, 1, 1], (2, 2)) == from_runs([1, 2, 1], (2, 2))


def test_empty_and_full_masks_are_what_they_say():
    assert not decode(empty_mask((3, 4))).any()
    assert decode(full_mask((3, 4))).all()
    assert empty_mask((3, 4)).size_hw == (3, 4)


@given(rles())
def test_coco_json_reads_back_as_the_same_mask(rle):
    written = json.loads(json.dumps(to_coco(rle)))

    assert from_coco(written) == rle
    assert from_coco({"size": list(rle.size_hw), "counts": runs(rle).tolist()}) == rle
    assert from_coco({"size": list(rle.size_hw), "counts": rle.counts}) == rle


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools on numpy 2
@given(rles())
def test_pycocotools_reads_what_we_write(rle):
    np.testing.assert_array_equal(coco_api.decode(to_coco(rle)), decode(rle))


@given(st.binary(max_size=12), st.integers(1, 6), st.integers(1, 6))
def test_counts_of_any_bytes_are_a_mask_or_a_mask_error(counts, height, width):
    try:
        rle = from_coco({"size": [height, width], "counts": counts})
    except MaskError:
        return

    assert int(runs(rle).astype(np.int64).sum()) == height * width
    assert (runs(rle)[1:] > 0).all()


@given(rles(max_side=8), st.data())
def test_counts_cut_off_are_an_error_that_says_so(rle, data):
    cut = data.draw(st.integers(0, len(rle.counts) - 1))

    with pytest.raises(MaskError, match="at least one run|cut off"):
        from_coco({"size": rle.size_hw, "counts": rle.counts[:cut]})


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4, 5, 6]], "an object with size and counts, got list. Use from_coco_polygons"),
        ({"size": [2, 2]}, "got no counts"),
        ({}, "got no size and no counts"),
        ({"size": [2], "counts": "4"}, r"two whole numbers \(height, width\), got \[2\]"),
        ({"size": ["a", "b"], "counts": "4"}, "two whole numbers"),
        ({"size": [2.5, 2], "counts": "4"}, r"at least 1x1 .* got \[2.5, 2\]"),
        ({"size": [0, 2], "counts": ""}, r"at least 1x1 .* got \[0, 2\]"),
        ({"size": [2**20, 2**20], "counts": "4"}, r"below 2\^32 pixels"),
        ({"size": [2, 2], "counts": ""}, "at least one run, got an empty string"),
        ({"size": [2, 2], "counts": "4 "}, "characters '0' to 'o', got ' ' at character 1"),
        ({"size": [2, 2], "counts": "é"}, "characters '0' to 'o', got 'é' at character 0"),
        ({"size": [2, 2], "counts": "4o"}, "end with a finished run, got 2 characters cut off"),
        ({"size": [2, 2], "counts": "oooooooo0"}, "at most 7 characters a run"),
        ({"size": [2, 2], "counts": "5"}, "add up to height x width = 2x2 = 4 pixels"),
        ({"size": [2, 2], "counts": [1, 2]}, "add up to height x width = 2x2 = 4 pixels, got 3"),
        ({"size": [2, 2], "counts": []}, "4 pixels, got 0"),
        ({"size": [2, 2], "counts": [5, -1]}, "must not be negative, got -1 at index 1"),
        ({"size": [2, 2], "counts": [1.5, 2.5]}, "whole numbers, got float64"),
        ({"size": [2, 2], "counts": [[4]]}, r"flat sequence of whole numbers, got int64 of shape \(1, 1\)"),
        ({"size": [2, 2], "counts": [2**33, 4 - 2**33]}, "must not be negative"),
        ({"size": [2, 2], "counts": None}, "flat sequence of whole numbers, got object"),
    ],
)
def test_malformed_coco_rle_is_an_error_that_names_what(segmentation, message):
    with pytest.raises(MaskError, match=message):
        from_coco(segmentation)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[True]], r"bool array of shape \(H, W\), got list"),
        (np.zeros((2, 2), np.uint8), r"must be bool, got uint8. Compare first: mask > 0."),
        (np.zeros((2, 2, 2), bool), r"shape \(H, W\), got \(2, 2, 2\). Use encode_batch."),
        (np.zeros(4, bool), r"shape \(H, W\), got \(4,\)"),
        (np.zeros((0, 4), bool), r"at least 1x1 .* got \(0, 4\)"),
    ],
)
def test_what_is_not_a_mask_is_not_encoded(mask, message):
    with pytest.raises(MaskError, match=message):
        encode(mask)


def test_one_mask_is_not_a_batch():
    with pytest.raises(MaskError, match=r"shape \(N, H, W\), got \(2, 2\). Add an axis: masks\[None\]"):
        encode_batch(np.zeros((2, 2), bool))


def test_malformed_counts_of_a_value_are_found_when_it_is_used():
    with pytest.raises(MaskError, match="2x2 = 4 pixels, got 1 bytes that do not. Were they cut off"):
        decode(RLE((2, 2), b"5"))
