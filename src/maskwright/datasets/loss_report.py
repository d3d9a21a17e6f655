"""What a conversion could not keep, and what it had to leave out: counted, each with an example.

A reader or writer tells a `LossLog` as it goes; `report()` is what the user sees. Nothing is lost in silence: a format
that cannot hold holes says how many masks had some.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """`count` things of a kind could not be kept ("holes", "track ids"), for instance `example`."""

    what: str
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An item that was left out whole, and why."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LossReport:
    """The outcome of one conversion."""

    num_frames: int
    num_masks: int
    losses: tuple[Loss, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def is_lossless(self) -> bool:
        """Whether everything was kept."""
        return not self.losses and not self.skipped

    def lines(self, *, most_skipped: int = 10) -> list[str]:
        """Say it in sentences, one a line."""
        told = [f"{self.num_masks} masks of {self.num_frames} frames"]
        told += [f"not kept: {one.what} ({one.count}, for instance {one.example})" for one in self.losses]
        told += [f"left out: {one.item}: {one.reason}" for one in self.skipped[:most_skipped]]
        if len(self.skipped) > most_skipped:
            told.append(f"left out: {len(self.skipped) - most_skipped} more")
        return told


@dataclass(slots=True)
class LossLog:
    """Gathers what a conversion does, frame by frame."""

    num_frames: int = 0
    num_masks: int = 0
    _losses: dict[str, Loss] = field(default_factory=dict)
    _skipped: list[Skipped] = field(default_factory=list)

    def count(self, *, frames: int = 0, masks: int = 0) -> None:
        """Count what was converted."""
        self.num_frames += frames
        self.num_masks += masks

    def lose(self, what: str, example: str, count: int = 1) -> None:
        """Note that `count` things could not be kept; the first example stays."""
        before = self._losses.get(what)
        self._losses[what] = Loss(
            what=what,
            count=count + (before.count if before else 0),
            example=before.example if before else example,
        )

    def skip(self, item: str, reason: str) -> None:
        """Note that an item was left out."""
        self._skipped.append(Skipped(item=item, reason=reason))

    def report(self) -> LossReport:
        """Close the log."""
        return LossReport(
            num_frames=self.num_frames,
            num_masks=self.num_masks,
            losses=tuple(self._losses.values()),
            skipped=tuple(self._skipped),
        )


__all__ = ["Loss", "LossLog", "LossReport", "Skipped"]
