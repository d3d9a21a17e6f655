"""A disk that takes no more leaves one line and no output. A limit on the size of files stands for it."""

import resource
import signal
from contextlib import contextmanager

import numpy as np
import pytest

from maskwright.core.errors import SettingError
from maskwright.core.image import FrameRef, Image
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from robot_data import mask_of


@contextmanager
def files_up_to(num_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def noisy_frames():
    """Frames whose pictures and masks do not compress."""
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 255, (120, 160, 3), np.uint8)
        yield LabelledFrame(
            name=f"{number}.png",
            size_hw=(120, 160),
            masks=(mask_of(random.random((120, 160)) > 0.5),),
            ref=FrameRef(dataset="d", episode="e", camera="front", frame_index=number),
            open_image=lambda pixels=pixels: Image(pixels),
        )


@pytest.mark.parametrize("name", ["lerobot", "rlds", "hdf5", "parquet"])
@pytest.mark.parametrize("num_bytes", [10_000, 30_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, name, num_bytes):
    frames = list(noisy_frames())

    with files_up_to(num_bytes), pytest.raises(SettingError, match="cannot be written") as caught:
        find_format(name).write(frames, tmp_path / "out", log=LossLog())

    assert list(tmp_path.iterdir()) == []
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(str(tmp_path / "out"))
