"""A grade of each slice of a data set, by what people and simulators have vouched for, never by a model's own scores.

The rule is `RULE`, as a reader sees it, and `grade_of`, as it is applied.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from maskwright.workflows.store_facts import LISTED, TRUSTED

Grade = Literal["A", "B", "C", "D", "F"]

_MOSTLY, _HALF, _SAMPLE = 0.95, 0.5, 30
_MOST_SLICES = 40

RULE = (
    ("A", f"at least {_MOSTLY:.0%} of the masks are vouched for"),
    ("B", f"at least {_HALF:.0%} are vouched for"),
    ("C", f"fewer, but people have decided on at least {_SAMPLE}, so that a rate of rejection is known"),
    ("D", "fewer than that: nobody knows how good these masks are"),
    ("F", "a mask disagrees with its own area or box, or has no pixel: look at the audit first"),
)
VOUCHED = "A mask is vouched for if a simulator made it, or a person drew, redrew or accepted it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The masks that share a value of `kind` (a label, a recording's camera, a maker).

    `num_decided` counts masks that people accepted, redrew or rejected, `num_rejected` those they rejected;
    `num_wrong` are masks that cannot be.
    """

    kind: str
    name: str
    num_masks: int
    num_vouched: int
    num_decided: int
    num_rejected: int
    num_wrong: int

    @property
    def grade(self) -> Grade:
        """The grade by `RULE`."""
        return grade_of(self)

    @property
    def share_vouched(self) -> float:
        """Which part of the masks is vouched for."""
        return self.num_vouched / self.num_masks if self.num_masks else 0.0


def grade_of(one: Slice) -> Grade:
    """Apply the rule."""
    if one.num_wrong:
        return "F"
    if one.share_vouched >= _MOSTLY:
        return "A"
    if one.share_vouched >= _HALF:
        return "B"
    return "C" if one.num_decided >= _SAMPLE else "D"


def read_slices(views: Any, wrong_ids: Iterable[str]) -> list[Slice]:
    """Cut a store's masks by label, camera and maker; of each kind the largest slices, the rest together."""
    import pyarrow as pa

    views.register("wrong_given", pa.table({"id": pa.array(sorted(set(wrong_ids)), pa.string())}))
    return [one for kind, column in _KINDS for one in _slices(views, kind, column)]


def _slices(views: Any, kind: str, column: str) -> list[Slice]:
    rows = views.execute(_SQL.format(column=column)).fetchall()
    slices = [
        Slice(
            kind=kind, name=name, num_masks=masks, num_vouched=vouched, num_decided=decided, num_rejected=rejected,
            num_wrong=wrong,
        )
        for name, masks, vouched, decided, rejected, wrong in rows
    ]  # fmt: skip
    rest = slices[_MOST_SLICES:]
    return slices[:_MOST_SLICES] + ([_together(kind, rest)] if rest else [])


def _together(kind: str, slices: list[Slice]) -> Slice:
    def total(name: str) -> int:
        return sum(getattr(one, name) for one in slices)

    return Slice(
        kind=kind, name=f"{len(slices)} others", num_masks=total("num_masks"), num_vouched=total("num_vouched"),
        num_decided=total("num_decided"), num_rejected=total("num_rejected"), num_wrong=total("num_wrong"),
    )  # fmt: skip


_KINDS = (
    ("label", "coalesce(label, 'no label')"),
    ("camera", "coalesce(dataset || ' ' || camera, 'loose pictures')"),
    ("made by", "method || coalesce(' ' || model_name, '')"),
)
_SQL = (
    f"SELECT {{column}}, count(*) FILTER ({LISTED}), count(*) FILTER ({LISTED} AND {TRUSTED}), "
    "count(*) FILTER (status = 'rejected' OR verified_by IS NOT NULL OR edited_by IS NOT NULL), "
    f"count(*) FILTER (status = 'rejected'), count(w.id) FILTER ({LISTED}) "
    "FROM masks m LEFT JOIN wrong_given w ON m.id = w.id GROUP BY 1 "
    f"HAVING count(*) FILTER ({LISTED}) > 0 ORDER BY 2 DESC, 1"
)

__all__ = ["RULE", "VOUCHED", "Grade", "Slice", "grade_of", "read_slices"]
