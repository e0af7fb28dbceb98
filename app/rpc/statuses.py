"""From the row of a failure to the status code of gRPC, and what goes with it.

The canonical mapping of HTTP statuses, and a few codes that gRPC can say better.
"""

from __future__ import annotations

from grpc import StatusCode

from app.failures import Failure

BY_HTTP_STATUS = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    502: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}

BY_CODE = {
    "handle_not_found": StatusCode.NOT_FOUND,
    "account_not_found": StatusCode.NOT_FOUND,
    "login_expired": StatusCode.NOT_FOUND,
    # The call was fine; the state of somebody's account or server is not.
    "handle_mismatch": StatusCode.FAILED_PRECONDITION,
    "host_without_oauth": StatusCode.FAILED_PRECONDITION,
    "server_invalid": StatusCode.FAILED_PRECONDITION,
}


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
