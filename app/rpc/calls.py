"""What every gRPC call has: the caller's address, one log line, and its status code.

Status codes follow the canonical mapping of HTTP statuses, with a few codes that gRPC
can say more exactly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import unquote

from grpc import StatusCode, aio

from app import failures
from app.failures import Failure
from app.telemetry.context import ACCESS, Entered, begin
from app.telemetry.events import FailureAnswered, Observer, ignore

access = logging.getLogger(ACCESS)

REQUEST_ID = "x-request-id"

Context: TypeAlias = aio.ServicerContext[Any, Any]

BY_HTTP_STATUS = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    410: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}

BY_CODE = {
    "handle_not_found": StatusCode.NOT_FOUND,
    "account_not_found": StatusCode.NOT_FOUND,
    "login_expired": StatusCode.NOT_FOUND,
    "invalid_grant": StatusCode.UNAUTHENTICATED,
    # The call was fine; the state of the account or of its server is not.
    "handle_mismatch": StatusCode.FAILED_PRECONDITION,
    "host_without_oauth": StatusCode.FAILED_PRECONDITION,
    "server_invalid": StatusCode.FAILED_PRECONDITION,
}

RETRY_ENDING = 2
"""Seconds after which another node, or the restarted process, serves."""


class ShuttingDown(Exception):
    """This process is about to stop; another one continues the login."""


def address_of(context: Context) -> str:
    """Return the caller's address, without its port.

    It is the peer of the connection: this listener believes no proxy in front of it,
    and TRUSTED_PROXIES is for the web alone. All callers of a unix socket are one.
    """
    family, _, rest = context.peer().partition(":")
    if family not in {"ipv4", "ipv6"}:
        return family
    host, _, _ = unquote(rest).rpartition(":")
    return host.strip("[]")


@asynccontextmanager
async def answering(
    context: Context, method: str, *, platform: str, observe: Observer = ignore
) -> AsyncIterator[None]:
    """Turn an exception into a status, and write the log line of the call.

    The line has neither message nor metadata: both hold secrets (requirement 9.22).
    """
    line = CallLine(context, method)
    with Entered(line.record):
        context.set_trailing_metadata(line.metadata)
        try:
            async with _aborting(context, line, platform=platform, observe=observe):
                yield
        finally:
            line.write()


@asynccontextmanager
async def _aborting(
    context: Context, line: CallLine, *, platform: str, observe: Observer
) -> AsyncIterator[None]:
    try:
        yield
    except (asyncio.CancelledError, aio.InternalError):
        # The caller disconnected or its deadline passed; InternalError: while we wrote.
        line.status = StatusCode.CANCELLED
        raise
    except ShuttingDown:
        line.status = StatusCode.UNAVAILABLE
        await context.abort(
            line.status,
            "This server is restarting. Try again.",
            (("retry-after", str(RETRY_ENDING)), *line.metadata),
        )
    except Exception as error:  # noqa: BLE001 - named, logged and answered
        row = failures.row_for(error)
        line.status = status_of(row.code, row.status)
        failure = failures.report(error, row, during=line.method, platform=platform)
        line.record.code = row.code
        observe(FailureAnswered(error, row.code))
        trailing = (*metadata_of(failure), *line.metadata)
        await context.abort(line.status, failure.message.whole, trailing)


class CallLine:
    """The log context of a call, and its line at the end."""

    def __init__(self, context: Context, method: str) -> None:
        self.record = begin(_request_id(context))
        self.method = method
        self.status = StatusCode.OK
        self._address = address_of(context)
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The trailing metadata of every answer."""
        return ((REQUEST_ID, self.record.request_id),)

    def write(self) -> None:
        """Write the line; health checks at debug."""
        level = logging.DEBUG if self.method.startswith("Health/") else logging.INFO
        fields = {
            "method": "POST",
            "path": self.method,
            "grpc_status": self.status.name,
            "ms": round(1000 * (self._clock() - self._began), 1),
            "address": self._address,
            "agent": "grpc",
            "code": self.record.code,
        }
        line = "%(address)s %(path)s %(grpc_status)s %(ms).0f ms"
        access.log(level, line, fields, extra=fields)


def _request_id(context: Context) -> str | None:
    """Return what the caller's metadata says, which may be anything."""
    for name, value in context.invocation_metadata() or ():
        if name == REQUEST_ID and isinstance(value, str):
            return value
    return None


def status_of(code: str, http_status: int) -> StatusCode:
    """Return the status code for a row of the table."""
    return BY_CODE.get(code) or BY_HTTP_STATUS[http_status]


def metadata_of(failure: Failure) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata: the same facts that HTTP answers as JSON."""
    facts = [
        ("latchkey-error", failure.message.code),
        ("latchkey-reference", failure.reference),
    ]
    if failure.retry_after is not None:
        facts.append(("retry-after", str(failure.retry_after)))
    return tuple(facts)
