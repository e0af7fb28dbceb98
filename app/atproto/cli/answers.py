"""What a PDS answered to a call: the result, or its own error (XRPC)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DocumentInvalid, printable
from .failures import CallRefused

if TYPE_CHECKING:
    from ..http.types import Response


def judge(response: Response) -> Response:
    """Return an answer that is a success.

    Raises:
        CallRefused: any other; with the error that the host named.
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
