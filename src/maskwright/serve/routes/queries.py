"""Questions to the store as JSON: which masks, or how many; and SQL for admins."""

from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from maskwright.core.errors import NotAllowed
from maskwright.serve.access import Reader
from maskwright.serve.answers import json_answer
from maskwright.serve.description import body_of
from maskwright.serve.store_access import STORE_ERRORS, DeskOf, body_of_request
from maskwright.serve.wire import ErrorOut
from maskwright.serve.wire_store import CountOut, QueryIn, QuestionIn, RecordsOut, TableOut
from maskwright.serve.wire_store_values import query_from, records_json

router = APIRouter(prefix="/v1")
BODIES = (QuestionIn,)

_MOST_MASKS = 1000


@router.post(
    "/queries",
    summary="Ask which masks, how many, or anything in SQL",
    response_model=RecordsOut | CountOut | TableOut,
    responses={**STORE_ERRORS, 504: {"model": ErrorOut, "description": "A SELECT took too long"}},
    openapi_extra=body_of(QuestionIn),
)
async def ask(request: Request, desk: DeskOf, who: Reader) -> Response:
    """`query` answers as GET /v1/records does, or with `count_only` how many there are; `sql` answers with a table.

    SQL needs the scope admin. It reads a snapshot of the store and nothing else, and is stopped after ten seconds.
    """
    asked = await body_of_request(request, QuestionIn)
    if asked.sql is not None:
        if not who.may("admin"):
            raise NotAllowed("SQL needs a token with the scope admin. Other questions go in query")
        table = await desk.select(asked.sql, limit=asked.limit)
        return json_answer({"columns": table.columns, "rows": table.rows, "is_cut": table.is_cut})
    query = query_from(asked.query or QueryIn())
    if asked.count_only:
        return json_answer({"count": await desk.count(query)})
    page = await desk.query(query, cursor=asked.cursor, limit=min(asked.limit, _MOST_MASKS))
    return json_answer(await to_thread.run_sync(partial(records_json, page.masks, page.next_cursor)))


__all__ = ["BODIES", "router"]
