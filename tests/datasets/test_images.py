import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError
from maskwright.datasets import Percentiles, Window, find_images, iter_images, read_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
# Large smooth areas, so that JPEG's loss does not hide what a test looks for.
HALVES = np.zeros((32, 48, 3), np.uint8)
HALVES[:, :24] = (220, 30, 40)


def encode(pixels, kind="PNG", mode=None, **options):
    picture = pixels if isinstance(pixels, PillowImage.Image) else PillowImage.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(array):
    return cv2.imencode(".tiff", array)[1].tobytes()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width, height):
    """Make a PNG whose header promises a size that its few bytes do not hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_lossless_formats_give_back_every_pixel(kind):
    assert np.array_equal(read_image(encode(RGB, kind)).pixels, RGB)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_give_nearly_every_pixel(kind):
    pixels = read_image(encode(HALVES, kind)).pixels.astype(int)

    assert np.abs(pixels[4:-4, 4:20] - HALVES[4:-4, 4:20]).max() < 12


def test_a_path_bytes_and_an_open_file_give_the_same_image(tmp_path):
    path = tmp_path / "画像 ü.png"
    path.write_bytes(encode(RGB))

    with path.open("rb") as file:
        digests = {read_image(source).digest for source in (path, str(path), path.read_bytes(), file)}

    assert len(digests) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "PNG16", "TIFF", "TIFF16"])
def test_the_orientation_that_a_camera_wrote_is_applied(orientation, kind):
    turns = [None, *PillowImage.Transpose]
    stored_as = {1: 0, 2: 1, 3: 4, 4: 2, 5: 6, 6: 3, 7: 7, 8: 5}[orientation]  # the inverse of what a reader has to do
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    picture = PillowImage.fromarray(RGB)
    stored = picture if stored_as == 0 else picture.transpose(turns[stored_as])
    match kind:
        case "PNG16":
            content = deep_png(np.asarray(stored), exif.tobytes())
        case "TIFF16":
            content = deep_tiff(np.asarray(stored), orientation)
        case _:
            content = encode(stored, kind, exif=exif.tobytes())

    assert np.array_equal(read_image(content).pixels, RGB)


def deep_png(pixels, exif):
    whole = cv2.imencode(".png", pixels[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    end_of_header = 8 + 25
    return whole[:end_of_header] + chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + whole[end_of_header:]


def deep_tiff(pixels, orientation):
    """Write an uncompressed little-endian 16-bit RGB TIFF with an orientation tag, which neither library can write."""
    height, width = pixels.shape[:2]
    data = (pixels.astype("<u2") * 257).tobytes()
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 8), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    depths = struct.pack("<HHH", 16, 16, 16)
    offset = 8 + len(data) + len(depths)
    return b"II*\0" + struct.pack("<I", offset) + data + depths + directory + bytes(4)


def test_a_broken_exif_block_does_not_cost_the_picture():
    content = encode(HALVES, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")

    assert read_image(content).size_hw == (32, 48)


def test_cmyk_is_converted():
    pixels = read_image(encode(HALVES, "JPEG", mode="CMYK", quality=95)).pixels.astype(int)

    assert np.abs(pixels[16, 8] - (220, 30, 40)).max() < 12


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "PA"])
def test_every_mode_becomes_the_rgb_that_pillow_converts_to(mode):
    kind = "TIFF" if mode == "PA" else "PNG"
    picture = PillowImage.fromarray(RGB).convert("P" if mode == "PA" else mode)
    expected = np.asarray(PillowImage.open(io.BytesIO(encode(picture, kind))).convert("RGB"))

    assert np.array_equal(read_image(encode(picture, kind)).pixels, expected)


def test_transparency_is_dropped_and_the_colour_below_stays():
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])

    assert np.array_equal(read_image(encode(rgba)).pixels, RGB)


@pytest.mark.parametrize("make", [lambda a: cv2.imencode(".png", a)[1].tobytes(), tiff], ids=["png", "tiff"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)], ids=["gray", "rgb", "rgba"])
def test_sixteen_bits_are_scaled_by_their_full_range(make, shape):
    deep = RNG.integers(0, 65536, shape, dtype=np.uint16)
    deep[0, 0], deep[0, 1] = 0, 65535
    wanted = np.rint(deep / 257).astype(np.uint8)
    wanted = np.repeat(wanted[:, :, None], 3, axis=2) if deep.ndim == 2 else wanted[:, :, 2::-1]

    assert np.array_equal(read_image(make(deep)).pixels, wanted)


def test_a_sixteen_bit_pgm_is_scaled_by_its_own_maximum():
    content = b"P5 2 1 4095\n" + struct.pack(">HH", 4095, 2048)

    assert read_image(content).pixels[0, :, 0].tolist() == [255, 128]


def test_twelve_bits_in_sixteen_are_a_warning_that_names_the_way_out(caplog):
    read_image(cv2.imencode(".png", np.full((4, 4), 4000, np.uint16))[1].tobytes())

    assert "uses only 0..4000 of 65535" in caplog.text
    assert "window or percentiles" in caplog.text


def test_floats_between_zero_and_one_are_scaled_and_nan_is_black():
    content = tiff(np.array([[0, 0.5, 1, np.nan]], np.float32))

    assert read_image(content).pixels[0, :, 0].tolist() == [0, 128, 255, 0]


@pytest.mark.parametrize("top", [1.5, -3.0])
def test_other_floats_need_to_be_told_what_is_black_and_white(top):
    with pytest.raises(ImageError, match=r"no natural black and white. Give a window or percentiles"):
        read_image(tiff(np.array([[0, top]], np.float32)))


def test_signed_values_go_through_a_window():
    hounsfield = np.array([[-1024, -160, 39, 40, 239, 3000]], np.float32)

    pixels = read_image(tiff(hounsfield), intensity=Window(40, 400)).pixels

    assert pixels[0, :, 0].tolist() == [0, 0, 127, 128, 255, 255]
    assert (pixels == pixels[:, :, :1]).all()


def test_percentiles_apply_to_sixteen_and_to_eight_bits():
    ramp = np.arange(100, dtype=np.uint16)[None] * 40

    deep = read_image(cv2.imencode(".png", ramp)[1].tobytes(), intensity=Percentiles(0, 100)).pixels
    shallow = read_image(encode((ramp // 40).astype(np.uint8)), intensity=Percentiles(0, 100)).pixels

    assert deep[0, 0, 0] == 0
    assert deep[0, -1, 0] == 255
    assert np.array_equal(deep, shallow)


def test_a_window_on_a_colour_picture_is_refused():
    with pytest.raises(ImageError, match="this one has colours"):
        read_image(encode(RGB), intensity=Percentiles())


def test_one_pixel_is_a_picture():
    assert read_image(encode(RGB[:1, :1])).size_hw == (1, 1)


def test_a_very_wide_picture_is_read():
    assert read_image(encode(np.zeros((2, 20_000, 3), np.uint8))).size_hw == (2, 20_000)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.delenv("MASKWRIGHT_MAX_PIXELS", raising=False)

    with pytest.raises(ImageError, match=r"60000 x 60000 = 3,600,000,000 pixels.*set MASKWRIGHT_MAX_PIXELS=3600000000"):
        read_image(png_claiming(60_000, 60_000))


def test_our_limit_counts_and_not_the_one_of_pillow(monkeypatch):
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 10)
    content = encode(RGB)

    assert read_image(content).size_hw == (6, 9)
    assert PillowImage.MAX_IMAGE_PIXELS == 10
    with pytest.raises(ImageError, match="more than the limit of 53"):
        read_image(content, max_pixels=53)


def animation(kind):
    frames = [PillowImage.fromarray(np.full((4, 4, 3), value, np.uint8)) for value in (0, 120, 240)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_need_a_choice(kind):
    content = animation(kind)

    with pytest.raises(ImageError, match=r"holds 3 frames, expected one picture. Say which with frame=0 to 2"):
        read_image(content)
    assert abs(int(read_image(content, frame=1).pixels[0, 0, 0]) - 120) < 3
    with pytest.raises(ImageError, match="frame must lie between 0 and 2, got 3"):
        read_image(content, frame=3)


def test_a_phone_picture_with_a_second_picture_inside_is_its_first():
    second = PillowImage.fromarray(np.zeros((4, 4, 3), np.uint8))

    image = read_image(encode(HALVES, "MPO", save_all=True, append_images=[second]))

    assert image.size_hw == (32, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_truncated_picture_is_one_line_of_error(kind, share, tmp_path):
    whole = encode(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    path = tmp_path / "cut.bin"
    path.write_bytes(whole[: max(12, int(len(whole) * share))])

    with pytest.raises(ImageError) as caught:
        read_image(path)

    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(path))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "JPEG2000"])
def test_damaged_bytes_are_read_or_refused_in_one_line(kind):
    content = encode(HALVES, kind)
    for _ in range(40):
        damaged = bytearray(content)
        for position in RNG.integers(0, len(damaged), 6):
            damaged[position] = RNG.integers(0, 256)

        outcome = read_or_refuse(bytes(damaged))

        assert "\n" not in outcome


def read_or_refuse(content):
    try:
        return str(read_image(content, max_pixels=1_000_000).size_hw)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty, expected a picture. Get it again"),
        (b"just some words", "this is not a picture in a format that can be read"),
        (b"%PDF-1.7 ...", "got a PDF document"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "got an HEIC photograph"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "got a video"),
        (bytes(128) + b"DICM" + bytes(20), "got a DICOM file"),
        (b"<?xml version='1.0'?><svg></svg>", "got a vector drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "got a vector drawing"),
        (b"\x89PNG\r\n\x1a\n", "its header cannot be read. Get it again"),
    ],
)
def test_what_is_not_a_picture_is_named(content, message):
    with pytest.raises(ImageError, match=message):
        read_image(content)


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    with pytest.raises(ImageError, match="there is no such picture"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="got a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image("a\0b.png")


def test_a_text_file_handle_and_a_number_are_refused():
    with pytest.raises(ImageError, match="must be open in binary mode"):
        read_image(io.StringIO("words"))
    with pytest.raises(ImageError, match="expected a path, bytes or an open binary file, got a int"):
        read_image(3)


def test_a_folder_lists_its_pictures_as_a_person_counts(tmp_path):
    for name in ("frame10.png", "frame2.png", "FRAME1.PNG", "notes.txt", ".hidden.png", "b/frame0.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(RGB))

    names = [path.name for path in find_images(tmp_path)]
    flat = [path.name for path, _ in iter_images(find_images(tmp_path, recursive=False))]

    assert names == ["frame0.png", "FRAME1.PNG", "frame2.png", "frame10.png"]
    assert flat == ["FRAME1.PNG", "frame2.png", "frame10.png"]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(ImageError, match="no picture in the folder"):
        find_images(tmp_path)
    with pytest.raises(ImageError, match="there is none"):
        find_images(tmp_path / "none")
