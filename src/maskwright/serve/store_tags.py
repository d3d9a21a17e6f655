"""Entity tags of records: what `ETag`, `If-Match` and `If-None-Match` hold, and who changed a record meanwhile.

A tag counts the events that touch a record, merges, splits and reverts included, and names the time of the last that
counts. The log only grows, so the same tag means the same pixels, label and decisions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from maskwright.core import ResolvedRecord, ReviewEvent
from maskwright.core.errors import EditConflict, EtagMissing, RequestError
from maskwright.store.resolve import outcome_of

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_TAG = re.compile(r'\s*(W/)?(?:"([\x21\x23-\x7e]*)"|([\w.-]+))\s*')
_MOST_TAGS = 100


def tag_of(mask: ResolvedRecord) -> str:
    """The tag of a record as it is, without quotes."""
    return _tag(mask.num_events, mask.as_of)


def tag_after(record_id: str, events: Sequence[ReviewEvent]) -> str:
    """The tag of a record after the events that touch it, oldest first."""
    outcome = outcome_of(record_id, events)
    return _tag(outcome.num_events, outcome.as_of)


def _tag(num_events: int, as_of: datetime | None) -> str:
    at = 0 if as_of is None else (as_of - _BEGIN) // timedelta(microseconds=1)
    return f"{num_events}-{at:x}"


def quoted(tag: str) -> str:
    """A tag as headers hold it."""
    return f'"{tag}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a client expects records to be: tags by record, any of which will do; `anything` takes all as they are."""

    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    anything: bool = False

    def require(self, record_ids: Sequence[str]) -> None:
        """Refuse a request that does not say what it expects of these records.

        Without it the second of two people who drew on the same mask would wipe out the work of the first, unseen.

        Raises:
            EtagMissing: it does not.
        """
        for record_id in record_ids:
            if not self.anything and record_id not in self.tags:
                raise EtagMissing(
                    "an edit says of which state it is: send the record's etag in If-Match, or in if_match of the body "
                    "where there are several records, or If-Match: * to edit it whatever it is now; got none for "
                    f"{record_id}"
                )

    def check(self, record_id: str, events: Sequence[ReviewEvent]) -> None:
        """Compare with what a record is after these events.

        Raises:
            EditConflict: it is another; the message says who changed it.
        """
        wanted = self.tags.get(record_id)
        if wanted is None or "*" in wanted:
            return
        tag = tag_after(record_id, events)
        if tag not in wanted:
            last = f"{events[-1].actor} changed it at {events[-1].at.isoformat()}" if events else "nobody changed it"
            raise EditConflict(
                f"record {record_id} is not what the edit expects: its etag is now {tag}, {last}. "
                "Read it again, and edit what it is now"
            )


def expected(header: str | None, tags: Mapping[str, str], named: Sequence[str]) -> Expected:
    """Put together what the header If-Match and the body say; the header speaks of the one record that is `named`.

    Raises:
        RequestError: the header is malformed, or holds a tag where several records are named.
    """
    by_record = {record_id: frozenset({tag.strip('"')}) for record_id, tag in tags.items()}
    if header is None:
        return Expected(tags=by_record)
    found = read_tags(header)
    if "*" in found:
        return Expected(tags=by_record, anything=True)
    if len(set(named)) != 1:
        raise RequestError(
            f"If-Match holds the etag of one record, and the request edits {len(set(named))}: use if_match"
        )
    return Expected(tags={named[0]: found, **by_record})


def read_tags(header: str, *, weak: bool = False) -> frozenset[str]:
    """Read the tags of If-Match, or with `weak` of If-None-Match; {"*"} for any. Weak tags match no edit.

    Raises:
        RequestError: it holds anything else.
    """
    if header.strip() == "*":
        return frozenset({"*"})
    parts = header.split(",")
    found = [_TAG.fullmatch(part) for part in parts[:_MOST_TAGS]]
    if len(parts) > _MOST_TAGS or not all(found):
        raise RequestError(f'a header of tags holds * or etags in quotes, like "3-5f"; got {header!r:.80}')
    return frozenset(one[2] or one[3] or "" for one in found if one is not None and (weak or not one[1]))


__all__ = ["Expected", "expected", "quoted", "read_tags", "tag_after", "tag_of"]
