"""The Client of the `atproto` package (PyPI) on a LiveSession.

The SDK builds requests and parses answers. `SessionRequest` replaces its httpx layer,
so that each call has a DPoP proof, a token that is refreshed when due, and the checks
of `SafeHTTP` (requirements 5.13, 7.12 to 7.14 and 9.1).

The only module that imports the SDK, which the extra `sdk` installs. `aio/sdk.py` has
the same for the AsyncClient.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from .errors import DocumentInvalid
from .http.types import Deadline, Response
from .session.session import ANSWER_LIMIT, LiveSession

try:
    from atproto_client import AsyncClient, Client, models
    from atproto_client import exceptions as sdk_errors
    from atproto_client.models.common import XrpcError
    from atproto_client.request import AsyncRequest, Request, RequestBase
    from atproto_client.request import Response as SdkResponse
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.msg}: the adapter needs the package `atproto`,"
        " as in `pip install 'latchkey-atproto[sdk]'`",
        name=error.name,
    ) from error

__all__ = [
    "open_sdk_client",
    "SessionRequest",
    "profile_of",
    "OWN_PDS",
    "PATIENCE",
    # of the SDK, for aio/sdk.py
    "AsyncClient",
    "AsyncRequest",
    "RequestBase",
    "SdkResponse",
]

PATIENCE: Final = 30.0
"""Seconds for one call, including a refresh and second attempts."""

OWN_PDS: Final = "https://pds.invalid"
"""A reserved name (RFC 2606) for the PDS, which may change (requirement 7.15)."""

MISSING_HANDLE: Final = "handle.invalid"

_METHODS: Final = f"{OWN_PDS}/xrpc/"
_SDK_SESSION: Final = frozenset(
    f"com.atproto.server.{verb}Session" for verb in ("create", "refresh", "delete")
)
_ERRORS: Final[dict[int, Any]] = {
    400: sdk_errors.BadRequestError,
    401: sdk_errors.UnauthorizedError,
    403: sdk_errors.UnauthorizedError,
    409: sdk_errors.NetworkError,
    413: sdk_errors.NetworkError,
    429: sdk_errors.RateLimitExceededError,
    502: sdk_errors.NetworkError,
}


def open_sdk_client(
    live: LiveSession,
    *,
    timeout: float = PATIENCE,
    limit: int = ANSWER_LIMIT,
    monotonic: Callable[[], float] = time.monotonic,
) -> Client:
    """Return the SDK's Client, signed in with our session. Sends nothing.

    `me` has the DID and the handle, and nothing else of the profile. The session stays
    in our stores: the SDK's `login` and session strings are refused, and it sends no
    session events. `timeout` is in seconds for each call, and a call may set its own;
    `limit` is in bytes of an answer.

    Error answers of the PDS are raised as the SDK's exceptions (`RequestException` and
    its subclasses, with `response`). These are raised as ours:
        SessionEnded: sign in again; `RefreshBusy`: try again.
        ScopeMissing: the message and `scope` name the permission (requirement 8.11).
        AccountUnavailable: the account is deactivated or taken down
            (requirement 7.21).
        HostUnreachable, ServerInvalid: there was no usable answer.
    """
    request = SessionRequest(live, timeout=timeout, limit=limit, monotonic=monotonic)
    client = Client(OWN_PDS, request=request)
    client.me = profile_of(live)
    return client


def profile_of(live: LiveSession) -> models.AppBskyActorDefs.ProfileViewDetailed:
    """Return what the SDK knows as `me`: DID and handle."""
    return models.AppBskyActorDefs.ProfileViewDetailed(
        did=live.did, handle=live.handle or MISSING_HANDLE
    )


class SessionRequest(Request):  # type: ignore[misc] # the SDK has no types for others
    """The SDK's request layer, on a LiveSession instead of httpx."""

    def __init__(
        self,
        live: LiveSession,
        *,
        timeout: float,
        limit: int,
        monotonic: Callable[[], float],
    ) -> None:
        RequestBase.__init__(self)  # Request's own would open an httpx client
        self._live = live
        self._timeout = timeout
        self._limit = limit
        self._monotonic = monotonic

    def get(self, url: str, **options: Any) -> SdkResponse:
        """Send a query; `options` are those of `_call`."""
        return self._call("GET", url, **options)

    def post(self, url: str, **options: Any) -> SdkResponse:
        """Send a procedure; `options` are those of `_call`."""
        return self._call("POST", url, **options)

    def close(self) -> None:
        """Do nothing: connections belong to the OAuth client."""

    def _new_instance(self) -> SessionRequest:
        """Return a layer for a clone of the Client: the same session."""
        return type(self)(
            self._live,
            timeout=self._timeout,
            limit=self._limit,
            monotonic=self._monotonic,
        )

    def deadline(self, timeout: float | None) -> Deadline:
        """Return the deadline of a call that begins now; `timeout` is its own."""
        patience = self._timeout if timeout is None else timeout
        return Deadline.after(patience, self._monotonic)

    def _call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: str | bytes | None = None,
        data: bytes | None = None,
        timeout: float | None = None,
    ) -> SdkResponse:
        body = data if content is None else content
        answer = self._live.request(
            method,
            _path(url),
            params=list(_pairs(params or {})),
            headers=dict(_headers(self.get_headers(headers))),
            body=body.encode() if isinstance(body, str) else body,
            deadline=self.deadline(timeout),
            limit=self._limit,
        )
        return _read(answer)


def _path(url: str) -> str:
    """Return the path at the account's PDS; raise for the SDK's own session calls."""
    method = url.removeprefix(_METHODS)
    if method == url:
        raise sdk_errors.AtProtocolError(
            "this Client calls the PDS of its account and no other host"
        )
    if method in _SDK_SESSION:
        raise sdk_errors.AtProtocolError(
            f"{method} is not for this Client: OAuthClient signs in, refreshes and"
            " signs out"
        )
    return f"/xrpc/{method}"


def _headers(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the headers of a call; raise if it has credentials of its own.

    For a blob without a type the SDK sends `*/*`, which is no media type (RFC 9110
    section 8.3) and matches no `blob:` permission.
    """
    for name, value in given.items():
        if name.lower() == "authorization":
            raise sdk_errors.AtProtocolError(
                "this Client has an OAuth session; it takes no tokens and no session"
                " strings"
            )
        is_wildcard = name.lower() == "content-type" and value == "*/*"
        yield name, "application/octet-stream" if is_wildcard else value


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield query parameters as XRPC spells them: lists by repeating the name."""
    for name, value in params.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                yield name, str(one).lower() if isinstance(one, bool) else str(one)


def _read(answer: Response) -> SdkResponse:
    """Return an answer as the SDK's own layer would, or raise as it would."""
    is_success = 200 <= answer.status < 300
    response = SdkResponse(
        success=is_success,
        status_code=answer.status,
        content=_content(answer) if is_success else _failure(answer),
        headers={name.lower(): answer.headers[name] for name in answer.headers},
    )
    if is_success:
        return response
    raise _ERRORS.get(answer.status, sdk_errors.RequestException)(response)


def _content(answer: Response) -> dict[str, Any] | bytes:
    if answer.body and answer.content_type == "application/json":
        return answer.json_object()
    return answer.body


def _failure(answer: Response) -> XrpcError | bytes:
    try:
        document = answer.json_object()
    except DocumentInvalid:
        return answer.body
    code, message = document.get("error"), document.get("message")
    if not isinstance(code, str):
        return answer.body
    return XrpcError(error=code, message=message if isinstance(message, str) else None)
