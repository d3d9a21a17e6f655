"""Which frames a caller wants: one check of start, stop and stride for every source."""

from maskwright.core.errors import SettingError


def wanted_frames(num_frames: int, start: int, stop: int | None, stride: int) -> range:
    """List frame numbers `start`, `start + stride`, ... below `stop` and below `num_frames`.

    Raises:
        SettingError: start or stop is negative, or the stride is below 1.
    """
    if start < 0 or (stop is not None and stop < 0):
        raise SettingError(f"start and stop count frames from 0, got {start} and {stop}")
    if stride < 1:
        raise SettingError(f"the stride must be at least 1, got {stride}")
    return range(start, num_frames if stop is None else min(stop, num_frames), stride)


__all__ = ["wanted_frames"]
