import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.datasets.tfrecord import RecordFile, make_example, parse_example, write_record
from robot_data import write_tfrecord

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tfrecord import example_pb2, reader

int64s = st.integers(-(2**63), 2**63 - 1)
features = st.dictionaries(
    st.text(max_size=8),
    st.one_of(
        st.lists(st.binary(max_size=300), max_size=4),
        st.lists(int64s, max_size=4).map(lambda values: np.array(values, np.int64)),
        st.lists(st.floats(width=32, allow_nan=False), max_size=4).map(lambda values: np.array(values, np.float32)),
    ),
    max_size=4,
)


@given(features)
def test_an_example_reads_in_the_library_that_owns_the_format_and_back(values):
    content = make_example(values)
    example = example_pb2.Example.FromString(content)
    mine = parse_example(content)

    assert set(example.features.feature) == set(mine) == set(values)
    for key, wanted in values.items():
        theirs = example.features.feature[key]
        assert len(mine[key]) == len(wanted)
        if isinstance(wanted, list):
            assert list(theirs.bytes_list.value) == [bytes(one) for one in mine[key].bytes_list()] == wanted
        elif wanted.dtype == np.int64:
            assert list(theirs.int64_list.value) == mine[key].ints().tolist() == wanted.tolist()
        else:
            assert list(theirs.float_list.value) == mine[key].floats().tolist() == wanted.tolist()


def test_numbers_that_are_not_packed_are_read():
    # feature { 3: int64_list { value: 5, value: 300 } } and { 2: float_list { value: 1.0 } }, one tag a value
    whole = b"\x1a\x05\x08\x05\x08\xac\x02"
    floats = b"\x12\x05\x0d\x00\x00\x80\x3f"
    entries = [b"\x0a\x01" + key + b"\x12" + bytes([len(one)]) + one for key, one in ((b"i", whole), (b"f", floats))]
    body = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in entries)

    found = parse_example(b"\x0a" + bytes([len(body)]) + body)

    assert found["i"].ints().tolist() == [5, 300]
    assert found["f"].floats().tolist() == [1.0]


def test_records_are_read_by_another_library(tmp_path):
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        for number in range(3):
            write_record(file, make_example({"n": np.array([number])}))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [example_pb2.Example.FromString(bytes(one)) for one in reader.tfrecord_iterator(str(path))]

    assert [one.features.feature["n"].int64_list.value[0] for one in theirs] == [0, 1, 2]


def test_both_write_the_same_bytes():
    mine, theirs = io.BytesIO(), io.BytesIO()

    write_record(mine, b"some content")
    write_tfrecord(theirs, b"some content")

    assert mine.getvalue() == theirs.getvalue()


@pytest.fixture
def three_records(tmp_path):
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        for number in range(3):
            write_record(file, make_example({"n": np.array([number])}))
    return path


def read(path):
    with RecordFile(path) as file:
        for place in file.places():
            yield file.example(place)["n"].ints()[0]


def gather(into, numbers):
    for number in numbers:
        into.append(number)


@pytest.mark.parametrize(
    ("change", "num_good", "told"),
    [
        (lambda raw: raw[:-5], 2, "cut off in record 2"),
        (lambda raw: raw + b"1234", 3, "cut off in the head of record 3"),
        (lambda raw: raw[:-6] + b"\xff\xff" + raw[-4:], 2, "record 2 is damaged: its checksum"),
        (lambda raw: b"\xff" + raw[1:], 0, "not a TFRecord file"),
        (lambda raw: b"hello", 0, "cut off in the head of record 0"),
    ],
)
def test_damage_is_told_after_what_is_whole(three_records, change, num_good, told):
    three_records.write_bytes(change(three_records.read_bytes()))
    given = []

    with pytest.raises(InputError, match=told) as caught:
        gather(given, read(three_records))

    assert given == list(range(num_good))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(three_records))


def test_an_empty_file_has_no_record(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.touch()

    assert list(read(path)) == []


def test_a_record_that_is_no_example_is_refused(tmp_path):
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        write_record(file, b"\xff" * 20)

    with pytest.raises(InputError, match=r"record 0 is no tf\.train\.Example"):
        list(read(path))
