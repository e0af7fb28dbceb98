"""What every call has: a caller's address, one line in the log, and one way to fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import unquote

from grpc import StatusCode, aio

from app import failures

from .statuses import metadata_of, status_of

log = logging.getLogger(__name__)

Context: TypeAlias = aio.ServicerContext[Any, Any]

RETRY_ENDING = 2
"""Seconds in which another node, or our successor, serves."""


class ShuttingDown(Exception):
    """This process is about to stop; another one goes on with the login."""


def address_of(context: Context) -> str:
    """Return the caller's address, without its port.

    It is the peer of the connection: no proxy in front of this listener is believed,
    whatever TRUSTED_PROXIES says about the web. All of a unix socket are one caller.
    """
    family, _, rest = context.peer().partition(":")
    if family not in {"ipv4", "ipv6"}:
        return family
    host, _, _ = unquote(rest).rpartition(":")
    return host.strip("[]")


@asynccontextmanager
async def answering(
    context: Context, method: str, *, platform: str
) -> AsyncIterator[None]:
    """Turn what fails inside into a status, and write the line of the call.

    The line has neither message nor metadata: both hold secrets (requirement 9.22).
    """
    clock = asyncio.get_running_loop().time
    began, status = clock(), StatusCode.OK
    try:
        yield
    except (asyncio.CancelledError, aio.InternalError):
        # The caller left, or its deadline passed; the second, while we wrote to it.
        status = StatusCode.CANCELLED
        raise
    except ShuttingDown:
        status = StatusCode.UNAVAILABLE
        await context.abort(
            status,
            "This server is restarting. Try again.",
            (("retry-after", str(RETRY_ENDING)),),
        )
    except Exception as error:  # noqa: BLE001 - named, logged and answered
        row = failures.row_for(error)
        status = status_of(row.code, row.status)
        failure = failures.report(error, row, during=method, platform=platform)
        await context.abort(status, failure.message.text, metadata_of(failure))
    finally:
        spent = 1000 * (clock() - began)
        log.info("%s %s %s %.0f ms", address_of(context), method, status.name, spent)
