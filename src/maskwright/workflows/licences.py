"""What the name of a licence means for using a data set. Words only: no lawyer reads them, and no text is looked up."""

import re
from typing import Literal

# In the order of how much they bind; "other" is a name that nobody here knows.
Terms = Literal["open", "share alike", "research only", "other", "unknown"]

_UNKNOWN = re.compile(r"^(unknown|none|other|n/?a|\?)?$")
_RESEARCH = re.compile(r"\bnc\b|non-?commercial|\bresearch\b|\bacademic\b|\bsa-?1b\b|\bsa-?v\b|evaluation only")
_SHARE_ALIKE = re.compile(r"\bsa\b|share-?alike|\ba?gpl|\blgpl|\bodbl\b|\bmpl\b|copyleft")
_OPEN = re.compile(
    r"apache|\bmit\b|\bbsd\b|\bcc-?0\b|\bcc-by\b|public domain|\bpddl\b|odc-by|unlicen[cs]e|\bisc\b|zlib"
)


def terms_of(licence: str | None) -> Terms:
    """Tell what kind of terms a licence's name stands for.

    >>> terms_of("CC-BY-NC-4.0")
    'research only'
    """
    name = (licence or "").strip().lower().replace("_", "-").replace(" ", "-")
    if _UNKNOWN.match(name):
        return "unknown"
    for pattern, terms in _PATTERNS:
        if pattern.search(name) or pattern.search(name.replace("-", " ")):
            return terms
    return "other"


_PATTERNS: tuple[tuple[re.Pattern[str], Terms], ...] = (
    (_RESEARCH, "research only"),
    (_SHARE_ALIKE, "share alike"),
    (_OPEN, "open"),
)

__all__ = ["Terms", "terms_of"]
