"""Which objects a policy's slots are of: those that were named, that an instruction names, or all labels of a store.

An instruction is read by the grammar of `predict.grounding`, and its things are looked up among the labels. Which of
two mugs is "the left one" is not decided here: that needs each frame looked at, and both have the slot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskwright.core.errors import SettingError
from maskwright.datasets import open_source
from maskwright.robot.policy_masks import StoredMasks

_MOST_SLOTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSlots:
    """Slots in their order, and what is to be said of how they were found."""

    slots: tuple[str, ...]
    notes: tuple[str, ...] = ()


def slots_of(dataset: Path, store: Path, *, named: Sequence[str] = (), instruction: str | None = None) -> FoundSlots:
    """Find the slots.

    Raises:
        SettingError: the instruction names nothing that has a mask, or the store has no label or too many.
        PromptError: the instruction cannot be read.
        InputError, StoreError: the data set or the store cannot be read.
    """
    if named:
        return FoundSlots(slots=tuple(named))
    with StoredMasks(store, dataset=open_source(dataset).name) as stored:
        labels = list(stored.labels())
    if instruction is not None:
        return _instructed(instruction, labels, store)
    if not labels:
        raise SettingError(
            f"no mask has a label, so there are no slots. Label them, or name tracks with --slots: {store}"
        )
    if len(labels) > _MOST_SLOTS:
        raise SettingError(f"the store has {len(labels)} labels, too many for slots; name some with --slots: {store}")
    slots = tuple(sorted(labels))
    return FoundSlots(slots=slots, notes=(f"slots are all labels of the store: {', '.join(slots)}",))


def _instructed(text: str, labels: Sequence[str], store: Path) -> FoundSlots:
    from maskwright.predict.grounding.parser import parse

    reading = parse(text)[0]
    notes = [f"read as: {reading}"]
    slots: dict[str, None] = {}
    for words in _things(reading):
        label = _label(words, labels)
        if label is None:
            known = ", ".join(labels) or "none"
            raise SettingError(f"the instruction names {words!r}, of which no mask is; labels are {known}: {store}")
        slots[label] = None
    notes.append(f"slots by their labels: {', '.join(slots)}")
    if reading.target.orders or reading.target.relations:
        notes.append("which of several is meant is not decided here: all masks of a label have its slot")
    return FoundSlots(slots=tuple(slots), notes=tuple(notes))


def _things(reading: object) -> Iterator[str]:
    """The words of all things that an instruction names, the target first."""
    from maskwright.predict.grounding.instruction import Description, Instruction, Relation

    match reading:
        case Instruction(target=target, goal=goal):
            yield from _things(target)
            yield from _things(goal)
        case Description(words=words, relations=relations):
            yield words
            for one in relations:
                yield from _things(one)
        case Relation(others=others):
            for one in others:
                yield from _things(one)
        case _:
            return


def _label(words: str, labels: Sequence[str]) -> str | None:
    """Find the label that a phrase means: the same, or the longest that its last words are ('red mug': mug)."""
    said = words.lower().split()
    fits = [one for one in labels if said[-len(one.split()) :] == one.lower().split()]
    fits = fits or [one for one in labels if one.lower().split()[-len(said) :] == said]  # 'arm' of 'robot arm'
    return max(fits, key=len, default=None)


__all__ = ["FoundSlots", "slots_of"]
