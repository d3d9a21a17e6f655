"""`Finding`: one thing that an audit has to say: how bad, how often, for instance where, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

# error: masks that are wrong or may not be used; warning: somebody should look; note: worth knowing.
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`count` things, of which `says` tells what they are; `advice` is what to do about them.

    `num_more` counts the examples that are not told. `records` are the ids of masks to look at, one for each example;
    none where examples are not about masks.
    """

    check: str
    severity: Severity
    count: int
    says: str
    advice: str
    examples: tuple[str, ...] = ()
    num_more: int = 0
    records: tuple[str, ...] = ()


def of_rows(views: Any, sql: str, *, check: str, severity: Severity, says: str, advice: str) -> Iterator[Finding]:
    """Ask a question whose rows are examples, and make a finding if there are any.

    A row is a text, and the id of a mask if it is about one.

    Only the examples told are fetched, however many rows there are.
    """
    count = int(views.execute(f"SELECT count(*) FROM ({sql})").fetchone()[0])
    if count:
        rows = views.execute(f"SELECT * FROM ({sql}) ORDER BY 1 LIMIT {MOST_EXAMPLES}").fetchall()
        yield Finding(
            check=check, severity=severity, count=count, says=says, advice=advice,
            examples=tuple(str(row[0]) for row in rows), num_more=count - len(rows),
            records=tuple(str(row[1]) for row in rows if len(row) > 1),
        )  # fmt: skip


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings by how bad they are, and within that as they came."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


__all__ = ["MOST_EXAMPLES", "SEVERITIES", "Finding", "Severity", "of_rows", "worst_first"]
