"""MLCommons Croissant 1.0 metadata of a store: JSON-LD that says which files it has and what stands in their columns.

The specification: https://docs.mlcommons.org/croissant/docs/croissant-spec.html. Paths are relative to the store's
folder, where `croissant.json` belongs when the store is published. The files hold masks as they were put; what people
decided since is in `live.sqlite`, and is what this program reads over them.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from maskwright import __version__
from maskwright.core.errors import StoreDamaged

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PARQUET, _SQLITE = "application/x-parquet", "application/vnd.sqlite3"
_TYPES = {"string": "sc:Text", "binary": "sc:Text", "double": "sc:Float", "int64": "sc:Integer", "int32": "sc:Integer"}
_COLUMNS = {
    "id": "the mask's own name",
    "dataset": "data set of the frame",
    "episode": "recording of the frame",
    "camera": "camera of the frame",
    "frame_index": "number of the frame, at the recording's own rate",
    "timestamp_s": "seconds since the recording began",
    "image_digest": "SHA-256 of the frame's size and RGB pixels",
    "height": "rows of the frame",
    "width": "columns of the frame",
    "x1": "left edge of the mask's box, in pixels",
    "y1": "top edge of the mask's box, in pixels",
    "x2": "right edge of the mask's box, exclusive",
    "y2": "bottom edge of the mask's box, exclusive",
    "area": "pixels of the mask",
    "label": "what the mask shows",
    "track": "name that the object keeps from frame to frame",
    "track_source": "keyframe (prompted or drawn), segmented (by a model, from what was carried) or carried (by flow)",
    "track_state": "visible, occluded or outside; the mask holds what is seen, maybe nothing",
    "track_confidence": "how sure the tracker is that these are the object's pixels, 0 to 1",
    "track_anchors": "keyframes that the mask was propagated from, as JSON",
    "parent": "id of the mask that this one is a part of",
    "method": "sam_raw, sam_refined, human_drawn, simulator or imported",
    "model_name": "name of the model that drew it",
    "model_family": "its family",
    "model_sha256": "SHA-256 of its checkpoint",
    "model_precision": "number format it ran in",
    "predicted_iou": "the model's own guess of the mask's IoU",
    "stability": "how little the mask changes with its threshold",
    "agreement": "mean IoU of each two of the candidates of which the mask is one; null where there was one",
    "licence": "terms of the frame and its mask",
    "actor": "who made or ran it",
    "collector": "who recorded the frame",
    "captured_at": "when the frame was recorded",
    "created_at": "when the mask was made",
    "source": "where it came from",
    "prompt": "what the model was asked, as JSON",
    "steps": "post-processing steps with their parameters, as JSON",
    "derived_from": "ids of the masks that it was made from, as JSON",
    "rle": "the pixels: COCO's compressed run lengths, column-major, of height x width",
}


def croissant_of(
    folder: Path,
    files: Sequence[Path],
    *,
    name: str,
    description: str,
    licence: str,
    published: datetime,
    version: str,
    keywords: Sequence[str] = (),
) -> dict[str, Any]:
    """Describe a store at `folder` with these Parquet `files`; each is read once for its hash.

    Raises:
        StoreDamaged: a file cannot be read.
    """
    content: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "license": licence,
        "url": "https://example.org/replace-with-the-address-of-this-dataset",
        "citeAs": f"{name}, masks by maskwright {__version__}, {published:%Y}",
        "creator": {"@type": "sc:Organization", "name": "the collectors and annotators that the masks name"},
        "datePublished": published.date().isoformat(),
        "version": version,
        "keywords": list(keywords),
        "isLiveDataset": True,
        "distribution": _distribution(folder, files),
    }
    if files:
        content["recordSet"] = [_record_set()]
    return content


def _distribution(folder: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    ledger = {
        "@type": "cr:FileObject",
        "@id": "live.sqlite",
        "name": "live.sqlite",
        # Without a hash, which a live data set need not give: the file changes with every review.
        "description": "Review events, frames, tags and the catalogue of the segments; changes as people review.",
        "contentUrl": "live.sqlite",
        "encodingFormat": _SQLITE,
    }
    objects = [_file_object(folder, path) for path in files]
    if not files:
        return [ledger]
    together = {
        "@type": "cr:FileSet",
        "@id": "segments",
        "name": "segments",
        "description": "Masks as they were put, a row a mask.",
        "encodingFormat": _PARQUET,
        "includes": "segments/*.parquet",
    }
    return [ledger, *objects, together]


def _file_object(folder: Path, path: Path) -> dict[str, Any]:
    relative = path.relative_to(folder).as_posix()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise StoreDamaged(f"a file of the store cannot be read ({error.strerror}): {path}") from error
    return {
        "@type": "cr:FileObject",
        "@id": relative,
        "name": path.name,
        "contentUrl": relative,
        "contentSize": f"{size} B",
        "encodingFormat": _PARQUET,
        "sha256": digest,
    }


def _record_set() -> dict[str, Any]:
    from maskwright.store.columns import SCHEMA

    return {
        "@type": "cr:RecordSet",
        "@id": "masks",
        "name": "masks",
        "description": "One record a mask, as it was put.",
        "key": {"@id": "masks/id"},
        "field": [_field(field.name, str(field.type)) for field in SCHEMA if field.name in _COLUMNS],
    }


def _field(name: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"masks/{name}",
        "name": name,
        "description": _COLUMNS[name],
        "dataType": _TYPES.get(kind, "sc:DateTime"),
        "source": {"fileSet": {"@id": "segments"}, "extract": {"column": name}},
    }


__all__ = ["croissant_of"]
