import pytest
import torch

from maskwright.core.errors import SettingError
from maskwright.models.protocol import Features
from maskwright.predict import EmbeddingCache, EmbeddingKey


def key(i):
    return EmbeddingKey(f"image{i}", "weights", "fp32")


def features(i, extra=()):
    return Features(image_embedding=torch.full((1, 4, 8, 8), float(i)), extra=extra)


ONE = 4 * 8 * 8 * 4  # bytes of features(i)


def test_memory_is_bounded_and_drops_the_least_recently_used():
    cache = EmbeddingCache(memory_bytes=2 * ONE)
    cache.put(key(1), features(1))
    cache.put(key(2), features(2))
    cache.get(key(1))

    cache.put(key(3), features(3))

    assert cache.used_bytes == 2 * ONE
    assert cache.get(key(2)) is None
    assert cache.get(key(1)) is not None
    assert cache.get(key(3)) is not None


def test_putting_an_entry_again_does_not_count_it_twice():
    cache = EmbeddingCache()
    cache.put(key(1), features(1))
    cache.put(key(1), features(1))

    assert cache.used_bytes == ONE


def test_a_slice_of_a_batch_does_not_keep_the_batch_alive():
    batch = torch.zeros(64, 4, 8, 8)
    cache = EmbeddingCache()

    cache.put(key(1), Features(image_embedding=batch[:1]))

    assert cache.get(key(1)).image_embedding.untyped_storage().nbytes() == ONE


def test_an_entry_larger_than_the_bound_is_not_kept():
    cache = EmbeddingCache(memory_bytes=ONE - 1)

    cache.put(key(1), features(1))

    assert cache.used_bytes == 0
    assert cache.get(key(1)) is None


def test_the_disk_gives_back_every_tensor_bit_for_bit(tmp_path):
    extra = (torch.randn(1, 2, 3, 3), torch.randn(1, 5, 2, 2).to(torch.bfloat16))
    EmbeddingCache(directory=tmp_path).put(key(1), features(1, extra))

    found = EmbeddingCache(directory=tmp_path).get(key(1))

    assert torch.equal(found.image_embedding, features(1).image_embedding)
    assert all(torch.equal(a, b) for a, b in zip(found.extra, extra, strict=True))


def test_other_weights_and_other_precision_are_other_entries(tmp_path):
    EmbeddingCache(directory=tmp_path).put(key(1), features(1))
    cache = EmbeddingCache(directory=tmp_path)

    assert cache.get(EmbeddingKey("image1", "other", "fp32")) is None
    assert cache.get(EmbeddingKey("image1", "weights", "bf16")) is None


@pytest.mark.parametrize("damage", ["truncate", "flip a bit", "empty"])
def test_a_damaged_file_is_dropped_with_a_warning_and_never_used(tmp_path, damage, caplog):
    EmbeddingCache(directory=tmp_path).put(key(1), features(1))
    (path,) = tmp_path.glob("*.safetensors")
    data = bytearray(path.read_bytes())
    if damage == "flip a bit":
        data[-3] ^= 1
    path.write_bytes({"truncate": data[:-100], "flip a bit": data, "empty": b""}[damage])

    found = EmbeddingCache(directory=tmp_path).get(key(1))

    assert found is None
    assert "damaged" in caplog.text
    assert not path.exists()


def test_the_disk_is_bounded_and_drops_the_oldest(tmp_path):
    one_file = EmbeddingCache(directory=tmp_path / "probe")
    one_file.put(key(0), features(0))
    size = next((tmp_path / "probe").iterdir()).stat().st_size
    directory = tmp_path / "cache"
    cache = EmbeddingCache(memory_bytes=0, directory=directory, disk_bytes=3 * size)

    for i in range(6):
        cache.put(key(i), features(i))

    assert sum(path.stat().st_size for path in directory.iterdir()) <= 3 * size
    assert cache.get(key(5)) is not None
    assert cache.get(key(0)) is None


def test_a_directory_that_cannot_be_made_is_a_warning_not_a_failure(tmp_path, caplog):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    cache = EmbeddingCache(directory=blocker / "cache")

    cache.put(key(1), features(1))

    assert cache.get(key(1)) is not None
    assert "not kept on disk" in caplog.text


def test_clear_forgets_memory_and_disk(tmp_path):
    cache = EmbeddingCache(directory=tmp_path)
    cache.put(key(1), features(1))

    cache.clear()

    assert cache.get(key(1)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_negative_bound_is_an_error_that_names_it():
    with pytest.raises(SettingError, match="memory_bytes must not be negative, got -1"):
        EmbeddingCache(memory_bytes=-1)
