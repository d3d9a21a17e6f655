"""`audit`: what is wrong, doubtful or worth knowing in a store of masks. `mask_story` explains a single mask.

Counting is done by DuckDB over the store's files; pixels are read once, a few thousand masks at a time. A check is a
function of the views and the facts that gives findings; `CHECKS` is the list of them.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskwright.store import MaskStore, open_store
from maskwright.workflows.audit_frames import rates, unmasked
from maskwright.workflows.audit_masks import duplicates, impossible, scores, tracks, unverified
from maskwright.workflows.audit_pixels import check_pixels
from maskwright.workflows.audit_terms import checkpoints, licences, lineage
from maskwright.workflows.findings import SEVERITIES, Finding, Severity, worst_first
from maskwright.workflows.flag_masks import flag_findings
from maskwright.workflows.store_facts import StoreFacts, read_facts

Check = Callable[[Any, StoreFacts], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    impossible, scores, unverified, rates, unmasked, tracks, duplicates, checkpoints, licences, lineage,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Findings, the worst first, about `num_masks` masks of `num_frames` frames, and what it took.

    Memory is that of the whole process at its highest, None where the system does not tell.
    """

    name: str
    num_masks: int
    num_frames: int
    findings: tuple[Finding, ...]
    seconds: float
    peak_memory_mb: float | None

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing but notes."""
        return all(finding.severity == "note" for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """Count findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON types."""
        return {**asdict(self), "findings": [asdict(one) for one in self.findings], "is_clean": self.is_clean}

    def lines(self) -> list[str]:
        """Say it in lines: each finding, for instance where, and what to do."""
        told = [line for finding in self.findings for line in _lines(finding)]
        counts = ", ".join(_plural(self.count(severity), severity) for severity in SEVERITIES)
        memory = "" if self.peak_memory_mb is None else f", {self.peak_memory_mb:.0f} MB of memory at most"
        about = f"{self.name}: {self.num_masks} masks of {self.num_frames} frames"
        return [*told, f"{about}: {counts} ({self.seconds:.1f} s{memory})"]


def audit_store(path: Path, *, progress: Callable[[int, int | None], None] | None = None) -> Audit:
    """Run every check on a store.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    started = time.perf_counter()
    with open_store(path, read_only=True) as store:
        facts = read_facts(store)
        findings = worst_first([*_findings(store, facts, progress), *flag_findings(path)])
    return Audit(
        name=facts.name,
        num_masks=facts.num_masks,
        num_frames=facts.num_frames,
        findings=tuple(findings),
        seconds=time.perf_counter() - started,
        peak_memory_mb=_peak_mb(),
    )


def _findings(
    store: MaskStore, facts: StoreFacts, progress: Callable[[int, int | None], None] | None
) -> Iterator[Finding]:
    with store.sql() as views:
        yield from check_pixels(views, progress, total=facts.num_masks)
        for check in CHECKS:
            yield from check(views, facts)


def _peak_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kB elsewhere


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity:<8} {finding.says}: {finding.count}"
    for example in finding.examples:
        yield f"{'':<8}   {example}"
    if finding.num_more:
        yield f"{'':<8}   ... {finding.num_more} more"
    yield f"{'':<8} -> {finding.advice}"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


__all__ = ["CHECKS", "Audit", "Check", "audit_store"]
