"""COCO's JSON forms of a mask: `{"size": [h, w], "counts": ...}` with compressed text or plain run lengths.

Decides what is malformed, since a dataset from elsewhere is where malformed counts come from. Polygons are in
`maskwright.masks.coco_polygons`.
"""

import re
from collections.abc import Mapping
from typing import Any

from maskwright.core.errors import MaskError
from maskwright.core.rle import RLE
from maskwright.masks._engine import parse, unparse
from maskwright.masks.rle import _check_size, from_runs

# One run is up to seven characters of 5 bits; 'P'..'o' say that more follows, '0'..'O' end the run.
_RUN = rb"[P-o]{0,6}[0-O]"
_COUNTS = re.compile(rb"(?:%b)+" % _RUN)


def from_coco(segmentation: Mapping[str, Any]) -> RLE:
    """Read COCO's RLE: counts as text, as bytes, or as a list of run lengths.

    >>> from_coco({"size": [2, 2], "counts": [1, 2, 1]})
    RLE(size_hw=(2, 2), counts=b'121')

    Raises:
        MaskError: a key is missing, the size is not two positive whole numbers, the counts are cut off or hold a
            character that COCO does not use, or the runs do not add up to height times width.
    """
    if not isinstance(segmentation, Mapping):
        raise MaskError(
            f"COCO's RLE must be an object with size and counts, got {type(segmentation).__name__}. "
            "Use from_coco_polygons for a list of polygons."
        )
    missing = [key for key in ("size", "counts") if key not in segmentation]
    if missing:
        raise MaskError(f"COCO's RLE must have size and counts, got no {' and no '.join(missing)}")
    size_hw = _check_size(segmentation["size"])
    counts = segmentation["counts"]
    if isinstance(counts, str | bytes):
        return _from_text(counts, size_hw)
    return from_runs(counts, size_hw)


def to_coco(rle: RLE) -> dict[str, Any]:
    """Write COCO's RLE with the counts as text, ready for JSON.

    >>> to_coco(RLE((2, 2), b"121"))
    {'size': [2, 2], 'counts': '121'}
    """
    return {"size": list(rle.size_hw), "counts": rle.counts.decode("ascii")}


def _from_text(counts: str | bytes, size_hw: tuple[int, int]) -> RLE:
    try:
        raw = counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
    except UnicodeEncodeError as error:
        raise MaskError(
            f"RLE counts must be COCO's characters '0' to 'o', got {counts[error.start]!r} at character {error.start}"
        ) from error
    if not _COUNTS.fullmatch(raw):
        raise MaskError(_what_is_wrong(raw))
    # Parsed and written again, so that a value of ours never holds the zero-length runs that some writers leave.
    return unparse(parse(RLE(size_hw, raw)))


def _what_is_wrong(raw: bytes) -> str:
    if not raw:
        return "RLE counts must hold at least one run, got an empty string"
    for at, character in enumerate(raw):
        if not 48 <= character <= 111:
            return f"RLE counts must be COCO's characters '0' to 'o', got {chr(character)!r} at character {at}"
    if raw[-1] >= 80:
        return f"RLE counts must end with a finished run, got {len(raw)} characters cut off within one"
    return "RLE counts must have at most 7 characters a run, got a longer one. Are they COCO's?"


__all__ = ["from_coco", "to_coco"]
