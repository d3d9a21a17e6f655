"""Hands what CVAT asks an interactor on to a maskwright server, and its answer back. Standard library only."""

import json
import os
import urllib.error
import urllib.request
from typing import Any

WITHIN_S = 55


def handler(context: Any, event: Any) -> Any:
    """Answer one click; what the server says of a mistake is what CVAT shows."""
    url = os.environ["MASKWRIGHT_URL"].rstrip("/") + "/cvat"
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("MASKWRIGHT_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    body = event.body if isinstance(event.body, bytes) else json.dumps(event.body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=WITHIN_S) as answer:
            content, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        content, status = error.read(), error.code
        context.logger.warn(f"maskwright answered {status}: {content[:500]!r}")
    return context.Response(body=content.decode(), headers={}, content_type="application/json", status_code=status)
