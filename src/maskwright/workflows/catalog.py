"""`catalog`: stores below some folders, each in a line, filtered by what a buyer or a trainer asks for.

A store that cannot be read is told and left out; the others are listed.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError, SettingError, StoreError
from maskwright.store import open_store
from maskwright.workflows.licences import terms_of
from maskwright.workflows.store_facts import StoreFacts, read_facts

_SIGN = "store.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Conditions that all must hold; names are compared without regard to case, and a part of one will do.

    `licence` may also be a kind of terms ("open", "research only"), and then every mask must be under it.
    `min_trusted` and `min_coverage` are shares from 0 to 1.
    """

    method: str | None = None
    model: str | None = None
    min_trusted: float | None = None
    licence: str | None = None
    robot: str | None = None
    task: str | None = None
    min_coverage: float | None = None

    def __post_init__(self) -> None:
        for name in ("min_trusted", "min_coverage"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SettingError(f"{name} is a share from 0 to 1, got {value:g}")

    def holds(self, facts: StoreFacts) -> bool:
        """Whether a store meets every condition."""
        models = [word for use in facts.models for word in (use.name, use.family, use.sha256)]
        return (
            _has(self.method, facts.methods)
            and _has(self.model, models)
            and _has(self.robot, facts.robots)
            and _has(self.task, facts.tasks)
            and self._has_licence(facts)
            and (self.min_trusted is None or facts.share_trusted >= self.min_trusted)
            and (self.min_coverage is None or (facts.share_covered or 0.0) >= self.min_coverage)
        )

    def _has_licence(self, facts: StoreFacts) -> bool:
        if self.licence is None:
            return True
        terms = {terms_of(name) for name in facts.licences}
        return terms == {self.licence.lower()} or _has(self.licence, facts.licences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The stores that were wanted, of `num_found`; `unreadable` could not be looked at, each with the reason."""

    stores: tuple[StoreFacts, ...]
    num_found: int
    unreadable: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say it as a table."""
        head = ("store", "masks", "frames", "vouched for", "covered", "made by", "models", "licence", "robot", "task")
        rows = [head, *(_row(facts) for facts in self.stores)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        told = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return [*told, f"{len(self.stores)} of {self.num_found} stores"]

    def as_json(self) -> list[dict[str, Any]]:
        """Give a JSON object a store."""
        return [_entry(facts) for facts in self.stores]


def find_stores(folders: Sequence[Path]) -> list[Path]:
    """List the stores that are, or lie below, some folders; nothing within a store is looked at.

    Raises:
        InputError: a folder is not there.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"there is no such folder to look for stores in: {folder}")
        found |= dict.fromkeys(_below(folder))
    return list(found)


def list_stores(folders: Sequence[Path], wanted: Wanted | None = None) -> Catalog:
    """Look at every store below some folders, and keep those that are wanted.

    Raises:
        InputError: a folder is not there.
    """
    wanted = wanted or Wanted()
    kept: list[StoreFacts] = []
    unreadable: list[str] = []
    paths = find_stores(folders)
    for path in paths:
        try:
            with open_store(path, read_only=True) as store:
                facts = read_facts(store)
        except StoreError as error:
            unreadable.append(str(error))
            continue
        if wanted.holds(facts):
            kept.append(facts)
    return Catalog(stores=tuple(kept), num_found=len(paths), unreadable=tuple(unreadable))


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if _SIGN in files:
            folders.clear()
            yield Path(place)


def _has(word: str | None, names: Any) -> bool:
    return word is None or any(word.lower() in name.lower() for name in names)


def _row(facts: StoreFacts) -> tuple[str, ...]:
    covered = facts.share_covered
    return (
        str(facts.path),
        f"{facts.num_masks:,}",
        f"{facts.num_frames:,}",
        f"{100 * facts.share_trusted:.0f} %",
        "-" if covered is None else f"{100 * covered:.0f} %",
        ", ".join(facts.methods) or "-",
        ", ".join(dict.fromkeys(use.name for use in facts.models)) or "-",
        ", ".join(name or "not told" for name in facts.licences) or "-",
        ", ".join(facts.robots) or "-",
        _short("; ".join(facts.tasks)) or "-",
    )


def _entry(facts: StoreFacts) -> dict[str, Any]:
    return {
        "path": str(facts.path),
        "name": facts.name,
        "num_masks": facts.num_masks,
        "num_frames": facts.num_frames,
        "num_verified": facts.num_verified,
        "share_trusted": round(facts.share_trusted, 4),
        "share_covered": None if facts.share_covered is None else round(facts.share_covered, 4),
        "hz": sorted({one.hz for one in facts.recordings if one.hz}),
        "methods": dict(facts.methods),
        "models": {f"{use.name} {use.sha256}": use.num_masks for use in facts.models},
        "labels": dict(facts.labels),
        "licences": dict(facts.licences),
        "datasets": [name for name in facts.datasets if name],
        "robots": list(facts.robots),
        "tasks": list(facts.tasks),
        "created_at": facts.created_at.isoformat(),
    }


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


__all__ = ["Catalog", "Wanted", "find_stores", "list_stores"]
