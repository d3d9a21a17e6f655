"""The server's log: one JSON object a line on stderr, with the id of the request that a line belongs to.

The access log is among them (`"log": "maskwright.access"`); its lines are objects already and only get their time.
Neither pictures nor tokens are logged; what looks like a token is crossed out all the same, whoever wrote it.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from maskwright.serve.request_context import current_request
from maskwright.serve.tokens import PREFIX

ACCESS = "maskwright.access"
# Whose lines are written from which level on. Others, of libraries, from WARNING on.
_LEVELS = {"": logging.WARNING, "maskwright": logging.INFO}
_TOKEN = re.compile(rf"\b{PREFIX}[A-Za-z0-9_-]{{8,}}")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON: at, level, log, message, request_id, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        if record.name == ACCESS:
            return f'{{"at": "{at}", "log": "{ACCESS}", {record.getMessage().removeprefix("{")}'
        facts: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "log": record.name}
        facts["message"] = record.getMessage()
        request = current_request()
        if request is not None:
            facts["request_id"] = request.request_id
        if record.exc_info:
            facts["error"] = self.formatException(record.exc_info)
        return _TOKEN.sub(f"{PREFIX}...", json.dumps(facts, ensure_ascii=False, default=str))


@contextmanager
def logging_to(stream: TextIO | None = None, *, warnings_only: bool = False) -> Iterator[None]:
    """Write the logs of this process to a stream (stderr) for the time of a server, in place of what wrote them.

    `warnings_only` leaves out what is only told, the access log with it.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in _LEVELS}
    root.handlers[:] = [handler]
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(logging.WARNING if warnings_only else level)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


__all__ = ["ACCESS", "JsonLines", "logging_to"]
