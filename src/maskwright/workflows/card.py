"""`card`: what somebody should know before using a store's masks: a data set card, and Croissant metadata beside it.

Every number is computed from the store at one moment. `card_text` writes Markdown with the front matter that Hugging
Face reads; the audit's findings and grades go into it, and where a model's masks are not verified it says so first.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskwright.datasets.new_folder import new_folder, write_file
from maskwright.store import open_store
from maskwright.workflows.audit import CHECKS
from maskwright.workflows.audit_pixels import findings_of, wrong_masks
from maskwright.workflows.card_text import card_text, description_of, licence_of_masks
from maskwright.workflows.croissant import croissant_of
from maskwright.workflows.findings import Finding, worst_first
from maskwright.workflows.grades import Slice, read_slices
from maskwright.workflows.store_facts import StoreFacts, read_facts

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card's text, its Croissant metadata, and what both were made from."""

    facts: StoreFacts
    slices: tuple[Slice, ...]
    findings: tuple[Finding, ...]
    text: str
    croissant: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Give the statistics as JSON types."""
        facts = asdict(self.facts)
        facts |= {"path": str(self.facts.path), "created_at": self.facts.created_at.isoformat()}
        return {
            "facts": facts,
            "share_trusted": self.facts.share_trusted,
            "share_covered": self.facts.share_covered,
            "slices": [{**asdict(one), "grade": one.grade} for one in self.slices],
            "findings": [asdict(one) for one in self.findings],
        }


def make_card(
    path: Path, *, licence: str | None = None, at: datetime | None = None, progress: Progress | None = None
) -> Card:
    """Make the card of a store; `licence` is the data set's where its masks tell none, or several.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    at = at or datetime.now(UTC)
    with open_store(path, read_only=True) as store:
        facts = read_facts(store)
        with store.sql() as views:
            wrong = list(wrong_masks(views, progress, total=facts.num_masks))
            found = [*findings_of(wrong), *(one for check in CHECKS for one in check(views, facts))]
            slices = tuple(read_slices(views, (record_id for _, record_id, _ in wrong)))
        findings = tuple(worst_first(found))
        licence = licence or licence_of_masks(facts)
        metadata = croissant_of(
            store.path, store.files(), name=facts.name, description=description_of(facts), licence=licence or "unknown",
            published=at, version=f"1.0.{facts.moment}", keywords=("image segmentation", "robotics", *facts.robots),
        )  # fmt: skip
    text = card_text(facts, slices, findings, licence=licence, at=at)
    return Card(facts=facts, slices=slices, findings=findings, text=text, croissant=metadata)


def save_card(card: Card, out: Path) -> None:
    """Write README.md and croissant.json into a new folder.

    Raises:
        SettingError: `out` exists and is not empty, or cannot be written.
    """
    with new_folder(out) as folder:
        write_file(folder / "README.md", card.text)
        write_file(folder / "croissant.json", json.dumps(card.croissant, indent=2, ensure_ascii=False) + "\n")


__all__ = ["Card", "make_card", "save_card"]
