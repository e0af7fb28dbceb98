"""The one map from exceptions of sockets, urllib3 and requests to those of the library.

What fails while connecting is a `ConnectFailed`: nothing was sent. Everything else came
later, when bytes may have left (`HostUnreachable.sent`, requirement 6.8).
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

import requests
from urllib3.exceptions import TimeoutError as UrllibTimeout

from ..errors import (
    AtprotoError,
    HostUnknown,
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
)
from .limits import (
    MAX_HEAD_BYTES,
    HeadTooLarge,
    NotHTTP,
    TooFragmented,
    WireLimitReached,
)

_NO_SUCH_NAME: Final = {
    socket.EAI_NONAME,
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME),
}


class ConnectFailed(Exception):
    """There is no connection; `__cause__` is the OSError, and nothing was sent.

    Not an OSError itself: urllib3 would wrap it.
    """


class ConnectionStale(Exception):
    """A kept connection was closed by the host just as it was used again."""

    def __str__(self) -> str:
        return "closed the connection"


TRANSPORT_ERRORS: Final = (
    ConnectFailed,
    ConnectionStale,
    WireLimitReached,
    TooFragmented,
    NotHTTP,
    requests.RequestException,
)


def translate(error: Exception, *, host: str, limit: int) -> AtprotoError:
    """Return the library's error for one of TRANSPORT_ERRORS."""
    match error:
        case ConnectFailed(__cause__=OSError() as cause):
            return _not_connected(host, cause)
        case WireLimitReached():
            is_head = isinstance(error, HeadTooLarge)
            return ResponseTooLarge(host, MAX_HEAD_BYTES if is_head else limit)
        case TooFragmented():
            return ServerInvalid(host, "its answer comes in too many small pieces")
        case NotHTTP() | ConnectionStale():
            return HostUnreachable(host, str(error), sent=True)
        case _:
            return _broken_off(host, error)


def _not_connected(host: str, error: OSError) -> HostUnreachable:
    if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
        return HostUnknown(host)
    return HostUnreachable(host, _reason(error))


def _broken_off(host: str, error: Exception) -> HostUnreachable:
    """Translate what requests raises once there is a connection.

    Test adapters that replace the network report "nothing was sent" by ConnectTimeout.
    """
    sent = not isinstance(error, requests.ConnectTimeout)
    cause = error.args[0] if error.args else None
    is_late = isinstance(error, requests.Timeout) or isinstance(cause, UrllibTimeout)
    reason = "no answer in time" if is_late else "broke off its answer"
    return HostUnreachable(host, reason, sent=sent)


def _reason(error: OSError) -> str:
    """Return why there is no connection, for the log."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error.strerror}"
    if isinstance(error, socket.gaierror):
        return "DNS failed"
    return (error.strerror or type(error).__name__).lower()
