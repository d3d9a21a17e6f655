"""`Edits`: one request's review events, decided on within the write that brings them.

There the state is what it is: a repetition is known by its ids, what the client expects is compared, and only then do
the events come to be. The answer is made of the log alone, so a repeated request gets the first answer again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from maskwright.core import Action, Merge, ReviewEvent
from maskwright.core.errors import NotAllowed, TooLarge
from maskwright.serve.store_keys import id_beyond, ids_of, reused
from maskwright.serve.store_tags import Expected, tag_after
from maskwright.serve.values import Caller
from maskwright.store.together import LoggedEvent, LogView

MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What was added, at which moment, and the tags that the records touched had then."""

    moment: int
    events: tuple[LoggedEvent, ...]
    tags: dict[str, str]


def signed_by(caller: Caller, claimed: str | None) -> str:
    """Who is said to have done it: the caller, whoever he says he is; an admin may write in another's name.

    Raises:
        NotAllowed: somebody else signs for another.
    """
    if claimed is None or claimed == caller.name:
        return caller.name
    if not caller.may("admin"):
        raise NotAllowed(f"edits are signed with the token's name, {caller.name}; only an admin signs for others")
    return claimed


def named_by(actions: Sequence[tuple[str, Action]]) -> tuple[str, ...]:
    """The records of which a request must say what it expects: those it is about, and those it would take in."""
    found = [record_id for record_id, _ in actions]
    found += [one for _, action in actions if isinstance(action, Merge) for one in action.absorbed]
    return tuple(dict.fromkeys(found))


class Edits:
    """A proposal to the store. `answer` is there once it was added."""

    def __init__(
        self,
        actions: Sequence[tuple[str, Action]],
        expects: Expected,
        caller: Caller,
        *,
        actor: str | None = None,
        key: str | None = None,
    ) -> None:
        if len(actions) > MOST_EVENTS:
            raise TooLarge(f"a request may have {MOST_EVENTS} events, got {len(actions)}. Send it in parts")
        self._actions, self._expects, self._caller, self._key = actions, expects, caller, key
        self._actor = signed_by(caller, actor)
        self._ids = ids_of("event", caller.name, key, len(actions))
        self._named = named_by(actions)
        self.answer: Edited | None = None
        expects.require(self._named)

    def events(self, log: LogView) -> list[ReviewEvent]:
        """Give what is to be added.

        Raises:
            KeyReused: the key brought other events before.
            UnknownRecord: a record is not there.
            EditConflict: a record is not what the client expects.
        """
        if self._key is not None and self._is_known(log, self._key):
            return []
        log.check_there(self._named)
        for record_id in self._named:
            self._expects.check(record_id, log.events_of(record_id))
        now = datetime.now(UTC)
        return [
            ReviewEvent(id=event_id, record_id=record_id, actor=self._actor, at=now, action=action)
            for event_id, (record_id, action) in zip(self._ids, self._actions, strict=True)
        ]

    def added(self, log: LogView) -> None:
        """Make the answer."""
        events = tuple(found for event_id in self._ids if (found := log.event(event_id)) is not None)
        if not events:
            self.answer = Edited(moment=log.moment, events=(), tags={})
            return
        last = events[-1].position
        touched = log.touched([one.position for one in events])
        tags = {record_id: tag_after(record_id, log.events_of(record_id, until=last)) for record_id in touched}
        self.answer = Edited(moment=events[0].moment, events=events, tags=tags)

    def _is_known(self, log: LogView, key: str) -> bool:
        found = [log.event(event_id) for event_id in self._ids]
        beyond = log.event(id_beyond("event", self._caller.name, key, len(self._ids)))
        if beyond is None and not any(found):
            return False
        are_same = beyond is None and all(
            one is not None and (one.event.record_id, one.event.action, one.event.actor) == (*action, self._actor)
            for one, action in zip(found, self._actions, strict=True)
        )
        if not are_same:
            raise reused()
        return True


__all__ = ["MOST_EVENTS", "Edited", "Edits", "named_by", "signed_by"]
