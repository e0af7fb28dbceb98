"""Tells a successful XRPC response from the host's error."""

from __future__ import annotations

from ..errors import DocumentInvalid, printable
from ..http.types import Response
from .failures import CallRefused


def judge(response: Response) -> Response:
    """Return the response if its status is 2xx.

    Raises:
        CallRefused: another status; with the host's error code and message.
    """
    if 200 <= response.status < 300:
        return response
    try:
        document = response.json_object()
    except DocumentInvalid:
        document = {}
    error = printable(document.get("error"), limit=100)
    message = printable(document.get("message"), limit=500)
    raise CallRefused(response, error=error, message=message)
