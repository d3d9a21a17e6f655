"""What people decide about masks: accept, reject, edit, relabel, retrack, comment and more; alone or many at once.

An edit says of which state it is, so that nobody's work is wiped out unseen: a `TaggedRecord` brings its tag along;
where a mask is named by its id alone, `if_match` holds the tag, or "*" to edit it whatever it is now.
"""

from collections.abc import Iterable, Mapping, Sequence

from maskwright.client.asking import ask
from maskwright.client.link import Link
from maskwright.client.reading import as_a
from maskwright.client.requests import new_key, request
from maskwright.client.steps import Request, Steps, work
from maskwright.client.values import Edited, LoggedEvent, TaggedRecord
from maskwright.core import (
    RLE,
    Accept,
    Action,
    Comment,
    Edit,
    Merge,
    Reject,
    Relabel,
    Reparent,
    Retrack,
    Revert,
    ReviewEvent,
    Split,
    to_json,
)
from maskwright.core.errors import EtagMissing

Named = TaggedRecord | str
# Tags by record id, or one for all.
Tags = Mapping[str, str] | str | None


def append(
    link: Link, actions: Iterable[tuple[Named, Action]], *, if_match: Tags = None, actor: str | None = None
) -> Steps[Edited]:
    """Do several things, at most 1,000, all or none; they are on the server's disk when this returns.

    `if_match` holds tags by record id, in the place of those that records bring; a `Merge` needs them of the masks that
    it absorbs too. Who did it is the token's name;
    an admin may name another `actor`. However often the connection breaks meanwhile, it is done once.

    Raises:
        EditConflict: somebody changed a record since it was read; the message says who.
        UnknownRecord: a record or event is not there.
        EtagMissing: there is no tag for a record.
        NotAllowed: the token may not.
        StoreFull, StoreReadOnly: nothing can be written.
    """
    asked = list(actions)
    tags: dict[str, str] = {}
    for named, action in asked:
        for one in (named, *(action.absorbed if isinstance(action, Merge) else ())):
            tags |= _tag(one, if_match)
    key = new_key()

    def make() -> Request:
        events = [{"record_id": _id(named), "action": to_json(action)} for named, action in asked]
        return request(link, "POST", "events", body={"events": events, "if_match": tags, "actor": actor}, key=key)

    return (yield from ask(link, (yield from work(make)), as_a(Edited)))


def accept(link: Link, record: Named, *, if_match: str | None = None, actor: str | None = None) -> Steps[Edited]:
    """Say that a mask is right as it is. Raises what `append` does."""
    return (yield from append(link, [(record, Accept())], if_match=if_match, actor=actor))


def reject(
    link: Link, record: Named, reason: str | None = None, *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Say that a mask must not be used. Raises what `append` does."""
    return (yield from append(link, [(record, Reject(reason))], if_match=if_match, actor=actor))


def edit(
    link: Link, record: Named, rle: RLE, *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Replace a mask's pixels (`maskwright.masks.encode` makes run lengths). Raises what `append` does."""
    return (yield from append(link, [(record, Edit(rle))], if_match=if_match, actor=actor))


def relabel(
    link: Link, record: Named, label: str | None, *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Replace a mask's label; None removes it. Raises what `append` does."""
    return (yield from append(link, [(record, Relabel(label))], if_match=if_match, actor=actor))


def retrack(
    link: Link, record: Named, track: str | None, *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Make a mask one of another track; None takes it out of its track. Raises what `append` does."""
    return (yield from append(link, [(record, Retrack(track))], if_match=if_match, actor=actor))


def reparent(
    link: Link, record: Named, parent: Named | None, *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Make a mask a part of another; None makes it one of its own again. Raises what `append` does."""
    action = Reparent(None if parent is None else _id(parent))
    return (yield from append(link, [(record, action)], if_match=if_match, actor=actor))


def merge(
    link: Link, record: Named, absorbed: Sequence[Named], *, if_match: Tags = None, actor: str | None = None
) -> Steps[Edited]:
    """Have a mask take in others, which are no longer listed on their own. Raises what `append` does."""
    action = Merge(tuple(_id(one) for one in absorbed))
    tags: dict[str, str] = {}
    for one in (record, *absorbed):
        tags |= _tag(one, if_match)
    return (yield from append(link, [(record, action)], if_match=tags, actor=actor))


def split(
    link: Link, record: Named, into: Sequence[Named], *, if_match: str | None = None, actor: str | None = None
) -> Steps[Edited]:
    """Put masks that were saved before in the place of one. Raises what `append` does."""
    action = Split(tuple(_id(one) for one in into))
    return (yield from append(link, [(record, action)], if_match=if_match, actor=actor))


def revert(
    link: Link,
    record: Named,
    event: LoggedEvent | ReviewEvent | str,
    *,
    if_match: str | None = None,
    actor: str | None = None,
) -> Steps[Edited]:
    """Undo an event of a mask; undoing that undoing does it again. Raises what `append` does."""
    match event:
        case LoggedEvent():
            event_id = event.event.id
        case ReviewEvent():
            event_id = event.id
        case _:
            event_id = event
    return (yield from append(link, [(record, Revert(event_id))], if_match=if_match, actor=actor))


def comment(
    link: Link, record: Named, text: str, *, if_match: str | None = "*", actor: str | None = None
) -> Steps[Edited]:
    """Say something about a mask, which stays as it is: plain text, at most 2,000 characters.

    Nothing is wiped out by it, so it is said whatever the mask is now. Raises what `append` does.
    """
    return (yield from append(link, [(record, Comment(text))], if_match=if_match, actor=actor))


def _id(named: Named) -> str:
    return named.id if isinstance(named, TaggedRecord) else named


def _tag(named: Named, if_match: Tags) -> dict[str, str]:
    """The tag that is expected of a record."""
    record_id = _id(named)
    if isinstance(if_match, str):
        return {record_id: if_match}
    if if_match is not None and record_id in if_match:
        return {record_id: if_match[record_id]}
    if isinstance(named, TaggedRecord):
        return {record_id: named.etag}
    raise EtagMissing(
        f"an edit says of which state it is: give the record as it was read, or its tag in if_match, or "
        f'if_match="*" to edit it whatever it is now; got the id alone: {record_id}'
    )


__all__ = [
    "Named",
    "Tags",
    "accept",
    "append",
    "comment",
    "edit",
    "merge",
    "reject",
    "relabel",
    "reparent",
    "retrack",
    "revert",
    "split",
]
