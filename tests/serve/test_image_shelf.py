"""The shelf keeps what was sent, within bounds, and hostile pictures cost next to nothing."""

import asyncio
import io
import logging
import os
import resource
import struct
import threading
import zlib
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image as PillowImage

from maskwright.core import Image
from maskwright.core.errors import ImageError, TooLarge, UnknownImage
from maskwright.serve.image_shelf import ImageShelf
from maskwright.serve.meter import Meter
from maskwright.serve.settings import ServeSettings

_PIXELS = 40 * 60 * 3


def shelf(directory: Path, *, meter: Meter | None = None, **bounds: int) -> ImageShelf:
    return ImageShelf(ServeSettings(**bounds), meter or Meter(), directory=directory)


@pytest.fixture
def make(tmp_path):
    made: list[ImageShelf] = []

    def one(**more) -> ImageShelf:
        made.append(shelf(tmp_path, **more))
        return made[-1]

    yield one
    for each in made:
        each.close()


def encoded(seed: int = 0, size_hw: tuple[int, int] = (40, 60), kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), dtype=np.uint8)
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, kind)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is enormous."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_a_picture_that_was_sent_is_found_by_its_digest(make) -> None:
    meter = Meter()
    one = make(meter=meter)
    sent = one.add_now(encoded())

    found = one.get_now(sent.digest)

    assert found.digest == sent.digest
    assert one.has(sent.digest)
    assert one.at_hand(sent.digest) is sent
    assert meter.registry.get_sample_value("maskwright_cache_total", {"cache": "image", "found": "hit"}) == 2
    assert meter.registry.get_sample_value("maskwright_stage_seconds_count", {"stage": "upload"}) == 1


def test_an_event_loop_gets_the_same(make) -> None:
    one = make()

    async def main() -> tuple[Image, Image]:
        sent = await one.add(encoded())
        with pytest.raises(UnknownImage):
            await one.get("0" * 64)
        return sent, await one.get(sent.digest)

    sent, found = asyncio.run(main())
    assert sent is found


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "/etc/passwd", "", "\0", "a" * 10_000])
def test_what_was_never_sent_is_to_be_sent(make, digest: str) -> None:
    one = make()

    assert not one.has(digest)
    with pytest.raises(UnknownImage, match="Send it again") as caught:
        one.get_now(digest)
    assert len(str(caught.value)) < 200


def test_pixels_leave_memory_and_come_back_from_disk(make) -> None:
    one = make(image_memory_bytes=2 * _PIXELS)
    digests = [one.add_now(encoded(i)).digest for i in range(5)]

    assert one.used_bytes[0] == 2 * _PIXELS
    assert [one.at_hand(digest) is not None for digest in digests] == [False, False, False, True, True]
    assert [one.get_now(digest).digest for digest in digests] == digests


def test_files_leave_the_disk_least_recently_used_first(make, tmp_path) -> None:
    size = len(encoded())
    one = make(image_memory_bytes=0, image_disk_bytes=3 * size + 100)
    first, second, third = (one.add_now(encoded(i)).digest for i in range(3))
    one.get_now(first)

    fourth = one.add_now(encoded(3)).digest

    assert [one.has(digest) for digest in (first, second, third, fourth)] == [True, False, True, True]
    assert one.used_bytes[1] <= 3 * size + 100
    assert sum(1 for path in tmp_path.rglob("*") if len(path.name) == 64) == 3
    with pytest.raises(UnknownImage):
        one.get_now(second)


def test_a_picture_of_the_store_is_kept_in_memory_only(make) -> None:
    one = make()
    image = Image(np.zeros((4, 4, 3), np.uint8))

    one.add_image(image)

    assert one.get_now(image.digest) is image
    assert one.used_bytes == (image.pixels.nbytes, 0)


def test_its_folder_goes_at_the_end_and_a_killed_ones_with_the_next(make, tmp_path) -> None:
    kept = make()
    digest = kept.add_now(encoded()).digest
    left = tmp_path / "maskwright-pictures-left"
    left.mkdir()
    (left / "picture").write_bytes(b"x")
    left.with_name("maskwright-pictures-left.lock").touch()

    ended = make()

    assert not left.exists()
    assert kept.get_now(digest).digest == digest
    folders = {path for path in tmp_path.iterdir() if path.is_dir()}
    assert len(folders) == 2
    ended.close()
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_a_warning(make, tmp_path, monkeypatch, caplog) -> None:
    one = make()

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with caplog.at_level(logging.WARNING):
        digest = one.add_now(encoded()).digest

    assert one.get_now(digest).digest == digest
    assert one.used_bytes[1] == 0
    assert "a picture is kept in memory only (No space left on device)" in caplog.text


def test_no_folder_at_all_is_a_warning(tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        one = ImageShelf(ServeSettings(), Meter(), directory=tmp_path / "file")

    digest = one.add_now(encoded()).digest

    assert one.get_now(digest).digest == digest
    assert "pictures are kept in memory only" in caplog.text
    one.close()


def test_a_file_that_was_damaged_on_disk_is_to_be_sent_again(make, tmp_path) -> None:
    one = make(image_memory_bytes=0)
    digest = one.add_now(encoded()).digest
    (path,) = tmp_path.rglob(digest)
    path.write_bytes(encoded(1))

    with pytest.raises(UnknownImage):
        one.get_now(digest)
    assert not one.has(digest)
    assert one.add_now(encoded()).digest == digest
    assert one.has(digest)


def test_a_bomb_is_refused_before_it_is_unpacked(make) -> None:
    one = make(max_pixels=1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for _ in range(20):
        with pytest.raises(TooLarge, match="30,000 x 30,000|30000 x 30000"):
            one.add_now(bomb(30_000, 30_000))

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n%%EOF",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"PK\x03\x04" + bytes(100),
        b"<?php system('id'); ?>" + encoded(),
        b"GIF89a<script>alert(1)</script>",
        b"\x89PNG\r\n\x1a\n",
        bomb(100, 100),
        b"\0" * 1000,
    ],
)
def test_what_is_no_picture_is_said_to_be_none(make, content: bytes) -> None:
    one = make()
    with pytest.raises(ImageError):
        one.add_now(content)
    assert one.used_bytes == (0, 0)


def test_a_picture_with_something_behind_it_is_kept_as_the_picture(make) -> None:
    """A polyglot: what follows the picture is bytes that nobody runs, and the digest is of the pixels."""
    one = make()
    assert one.add_now(encoded() + b"<script>alert(1)</script>").digest == one.add_now(encoded()).digest


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    one = shelf(tmp_path_factory.mktemp("shared"), max_pixels=1_000_000)
    yield one
    one.close()


@settings(max_examples=80)
@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]), data=st.data())
def test_damaged_pictures_are_image_errors_or_pictures(shared, kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(0, (16, 16), kind))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])

    try:
        image = shared.add_now(cut)
    except (ImageError, TooLarge):
        return
    assert image.pixels.dtype == np.uint8


def test_many_threads_at_once_stay_within_bounds(make) -> None:
    one = make(image_memory_bytes=3 * _PIXELS, image_disk_bytes=6 * len(encoded()))
    contents = [encoded(i) for i in range(12)]
    failures: list[Exception] = []

    def work(seed: int) -> None:
        order = np.random.default_rng(seed).permutation(12)
        for i in order:
            digest = one.add_now(contents[i]).digest
            try:
                assert one.get_now(digest).digest == digest
            except UnknownImage:
                pass  # others pushed it out
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert one.used_bytes[0] <= 3 * _PIXELS
    assert one.used_bytes[1] <= 6 * len(encoded()) + 100


def test_large_pictures_are_read_one_after_the_other(make, monkeypatch) -> None:
    """Two that together need more memory than there is do not get it at the same time."""
    import maskwright.serve.image_shelf as module

    one = make(image_memory_bytes=10 * 40 * 60 * 8)
    reading, most = 0, 0
    lock = threading.Lock()
    real = module.read_image

    def watched(content: bytes, *, max_pixels: int) -> Image:
        nonlocal reading, most
        with lock:
            reading += 1
            most = max(most, reading)
        try:
            threading.Event().wait(0.02)
            return real(content, max_pixels=max_pixels)
        finally:
            with lock:
                reading -= 1

    monkeypatch.setattr(module, "read_image", watched)
    big = [encoded(i, (120, 140)) for i in range(4)]  # each needs nearly all of the room
    threads = [threading.Thread(target=one.add_now, args=(content,)) for content in big]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


def test_the_folder_is_for_its_owner_only(make, tmp_path) -> None:
    make()
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert os.name != "posix" or folder.stat().st_mode & 0o077 == 0
