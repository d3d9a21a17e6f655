"""The work of reviewing: how far it is, which masks to look at next, how people agree."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from maskwright.core import to_json
from maskwright.core.errors import NotAllowed
from maskwright.review import (
    IDLE_S,
    QUEUES,
    SAME_IOU,
    Comparison,
    Effort,
    Group,
    Progress,
    QueuePage,
    compare,
    versions_of,
)
from maskwright.serve.access import Reader, Reviewer
from maskwright.serve.answers import json_answer
from maskwright.serve.review_figures import compared_page, ranked_cursor
from maskwright.serve.routes.records import RecordInPath
from maskwright.serve.store_access import NOT_THERE, STORE_ERRORS, DeskOf, asked_in, asked_of
from maskwright.serve.store_cursors import frame_id
from maskwright.serve.values import Caller
from maskwright.serve.wire_review import (
    AgreementAsked,
    AgreementOut,
    LabelsOut,
    MaskVersionsOut,
    ProgressOut,
    QueueAsked,
    QueueOut,
    QueuesOut,
)
from maskwright.serve.wire_review import ReviewAsked as Asked
from maskwright.serve.wire_store_values import record_json
from maskwright.store import History, Query
from maskwright.store.frame_log import key_of

router = APIRouter(prefix="/v1")

_FOR_REVIEWERS: tuple[str, ...] = ("disagreed",)
Name = Annotated[str, Path(max_length=64, description="GET /v1/queues says which there are.")]


@router.get(
    "/progress",
    summary="How far the review is, and how fast it goes",
    response_model=ProgressOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(Asked),
)
async def get_progress(request: Request, desk: DeskOf, who: Reader) -> Response:
    """By episode, label, annotator and checkpoint; the time of masks drawn by hand and of others; what is left.

    Time is read from the log: pauses longer than `idle_s` count for nothing. Others' figures are for the scope review.
    """
    found = await desk.review.progress(_query(asked_of(request, Asked)))
    return json_answer(await to_thread.run_sync(_progress_json, found, who))


@router.get("/labels", summary="The labels of the store", response_model=LabelsOut, responses=STORE_ERRORS)
async def list_labels(desk: DeskOf, who: Reader) -> Response:
    """By name, with how many masks have each; quick enough to be asked whenever a page opens."""
    found = await desk.review.labels(Query())
    items = [_fields(one, "name", "num_masks") for one in found.items]
    return json_answer({"items": items, "is_cut": found.is_cut})


@router.get("/queues", summary="The queues that there are", response_model=QueuesOut, responses=STORE_ERRORS)
async def list_queues(desk: DeskOf, who: Reader) -> Response:
    """Each is an order in which masks are worth looking at: those that rules make, then those that somebody picked."""
    items = [{"name": name, "about": about, "may": _may(who, name), "origin": "rule"} for name, about in QUEUES.items()]
    items += [
        {"name": name, "about": about, "may": True, "origin": "picked"} for name, about in await desk.review.picked()
    ]
    return json_answer({"items": items})


@router.get(
    "/queues/{name}",
    summary="The masks to look at next, in the order of a queue",
    response_model=QueueOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(QueueAsked),
)
async def get_queue(request: Request, name: Name, desk: DeskOf, who: Reader) -> Response:
    """A page goes on after the last mask of the one before, whatever was decided meanwhile.

    `disagreed` needs the scope review; `second_look` leaves out what the caller has looked at himself.
    """
    asked = asked_of(request, QueueAsked)
    if not _may(who, name):
        raise NotAllowed(f"the queue {name} needs a token with the scope review, got one with {who.scope}")
    page, cursor = await desk.review.queue(
        name, _query(asked), actor=who.name, seed=asked.seed, cursor=asked.cursor, limit=asked.limit
    )
    return json_answer(await to_thread.run_sync(_queue_json, page, cursor))


@router.get(
    "/agreement",
    summary="How people agree about the masks that two or more looked at",
    response_model=AgreementOut,
    responses=STORE_ERRORS,
    openapi_extra=asked_in(AgreementAsked),
)
async def get_agreement(request: Request, desk: DeskOf, who: Reviewer) -> Response:
    """Pairs of people's versions of one mask, the least alike first, and what they come to for each two people.

    A person's version is what his last word left: pixels drawn or accepted, or nothing where he rejected it.
    """
    asked = asked_of(request, AgreementAsked)
    found = await desk.review.agreement(_query(asked))
    page, cursor = compared_page(found, asked.cursor, asked.limit, is_open=asked.is_open)
    content = {
        "items": [_comparison_json(one) for one in page],
        "pairs": [_fields(one, "first", "second", "num_masks", "num_same", "mean_iou") for one in found.pairs],
        "same_iou": SAME_IOU,
        "is_cut": found.is_cut,
        "next_cursor": cursor,
    }
    return json_answer(content)


@router.get(
    "/records/{record_id}/versions",
    summary="What one mask is to each who looked at it",
    response_model=MaskVersionsOut,
    responses={**STORE_ERRORS, **NOT_THERE},
)
async def list_record_versions(record_id: RecordInPath, desk: DeskOf, who: Reader) -> Response:
    """A person's version is what his last word left, and each two of them are compared.

    Taking one of them is an edit with its pixels and an acceptance, or a rejection where it has none.
    """
    history = await desk.history(record_id)
    return json_answer(await to_thread.run_sync(_versions_json, history))


def _query(asked: Asked) -> Query:
    return Query(**asked.model_dump(include=set(Asked.model_fields)))


def _may(who: Caller, name: str) -> bool:
    return name not in _FOR_REVIEWERS or who.may("review")


def _progress_json(found: Progress, who: Caller) -> dict[str, Any]:
    pace = found.pace
    annotators = [one for one in pace.annotators if who.may("review") or one.name == who.name]
    models = ("name", "checkpoint_sha256", "num_masks", "num_accepted", "num_corrected", "num_rejected")
    return {
        "num_masks": found.num_masks,
        "num_frames": found.num_frames,
        "num_frames_left": found.num_frames_left,
        "episodes": [_group_json(one) for one in found.episodes],
        "labels": [_group_json(one) for one in found.labels],
        "models": [_fields(one, *models, "acceptance_rate") for one in found.models],
        "annotators": [
            {
                **_fields(one, "name", "num_acts", "num_masks"),
                "effort": _effort_json(one.effort),
                "last_at": one.last_at.isoformat(),
            }
            for one in annotators
        ],
        "assisted": _effort_json(pace.assisted),
        "drawn": _effort_json(pace.drawn),
        "hours_left": found.hours_left,
        "idle_s": IDLE_S,
        "is_cut": found.is_cut,
    }


def _group_json(group: Group) -> dict[str, Any]:
    return _fields(group, "dataset", "name", "num_masks", "num_frames", "num_frames_left")


def _effort_json(effort: Effort) -> dict[str, Any]:
    return _fields(effort, "num_masks", "seconds", "seconds_per_mask", "masks_per_hour")


def _fields(value: object, *names: str) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _queue_json(page: QueuePage, cursor: str | None) -> dict[str, Any]:
    items = [
        {
            "record": record_json(one.mask),
            "frame": frame_id(key_of(one.mask.record.frame, one.mask.record.image_digest)),
            "value": one.value,
            "cursor": ranked_cursor(one.place),
            "reasons": list(one.reasons),
        }
        for one in page.items
    ]
    return {"items": items, "next_cursor": cursor, "num_left": page.num_left}


def _versions_json(history: History) -> dict[str, Any]:
    items = [
        {
            **_fields(one, "actor", "label"),
            "at": one.at.isoformat(),
            "rle": None if one.rle is None else to_json(one.rle),
        }
        for one in versions_of(history.record, history.events)
    ]
    pairs = [_comparison_json(one) for one in compare(history.record, history.events)]
    return {"items": items, "pairs": pairs, "same_iou": SAME_IOU}


def _comparison_json(one: Comparison) -> dict[str, Any]:
    told = _fields(one, "record_id", "first", "second", "iou", "difference", "labels", "settled_by")
    return {**told, "frame": frame_id(key_of(one.frame, one.image_digest))}


__all__ = ["router"]
