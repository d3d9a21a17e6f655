"""The checks of frames: how much of each recording was looked at, at what rate, and what came out without a mask."""

from collections.abc import Iterator
from typing import Any

from maskwright.workflows.coverage import Recording
from maskwright.workflows.findings import MOST_EXAMPLES, Finding
from maskwright.workflows.store_facts import StoreFacts


def rates(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find recordings with masks at a lower rate than they were recorded at, with gaps, or that end early."""
    slow = [one for one in facts.recordings if one.step > 1]
    yield from _of_recordings(
        slow, check="native rate", says="recordings with masks on some of their frames only",
        advice="annotate every frame (--stride 1), or follow the masks through the frames between",
    )  # fmt: skip
    gaps = [one for one in facts.recordings if one.widest > one.step]
    yield from _of_recordings(
        gaps, check="gaps", says="recordings with gaps between the frames that were looked at",
        advice="run the same annotate command again: it does what is left",
    )  # fmt: skip
    short = [one for one in facts.recordings if one.num_native is not None and one.last + one.step < one.num_native]
    yield from _of_recordings(
        short, check="end missing", says="recordings that were looked at in part only",
        advice="run the same annotate command again, without --stop",
    )  # fmt: skip


def unmasked(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Count frames that were looked at and have no mask."""
    count = facts.num_frames - facts.num_masked_frames
    if count > 0:
        bare = [one for one in facts.recordings if one.num_masked < one.num_frames]
        yield Finding(
            check="frames without masks", severity="note", count=count,
            says=f"frames that were looked at and have no mask (of {facts.num_frames})",
            advice="right if nothing is there to see; otherwise prompt them, or let more through",
            examples=tuple(f"{one.name}: {one.num_frames - one.num_masked}" for one in bare[:MOST_EXAMPLES]),
            num_more=max(0, len(bare) - MOST_EXAMPLES),
        )  # fmt: skip


def rate_line(one: Recording) -> str:
    """Say how much of a recording was looked at."""
    counted = f"{one.num_frames} of {one.num_expected} frames"
    if one.native_hz is None or one.hz is None:
        return f"{one.name}: {counted}, one in {one.step}"
    return f"{one.name}: recorded at {one.native_hz:g} Hz, masks at {one.hz:.3g} Hz, {counted}"


def _of_recordings(found: list[Recording], *, check: str, says: str, advice: str) -> Iterator[Finding]:
    if found:
        yield Finding(
            check=check, severity="warning", count=len(found),
            says=says, advice=advice, examples=tuple(rate_line(one) for one in found[:MOST_EXAMPLES]),
            num_more=max(0, len(found) - MOST_EXAMPLES),
        )  # fmt: skip


__all__ = ["rate_line", "rates", "unmasked"]
