"""`KeptResults`: the last results of a track session, for who comes back for them. Bounded in number and bytes."""

from collections import deque

from maskwright.serve.track_values import LostResults, TrackResult


class KeptResults:
    """Results of frames 0, 1, 2, ...; later ones push earlier ones out."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: deque[TrackResult] = deque()
        self._num_bytes = 0
        self.num_added = 0

    @property
    def first(self) -> int:
        """The first frame whose result is kept; the next frame, if none is."""
        return self.num_added - len(self._kept)

    def add(self, result: TrackResult) -> None:
        """Keep the result of the next frame."""
        self._kept.append(result)
        self._num_bytes += result.num_bytes
        self.num_added += 1
        while len(self._kept) > self._most or self._num_bytes > self._most_bytes:
            self._num_bytes -= self._kept.popleft().num_bytes

    def behind(self, frame: int) -> TrackResult | LostResults | None:
        """The result that follows a frame's, or that it was pushed out; None where it is not there yet."""
        at = frame + 1
        if at < self.first:
            return LostResults(first=at, last=self.first - 1)
        return self._kept[at - self.first] if at < self.num_added else None


__all__ = ["KeptResults"]
