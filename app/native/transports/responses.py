"""Parsers of the service's JSON responses, which check every field before use.

Every response comes from the network, and some from another program: a proxy, the
portal of a hotel, another site. What is not exactly as agreed is `NotALatchkeyServer`,
except for an error document, which becomes `LoginRefused`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import LoginRefused, NotALatchkeyServer, printable
from ..records import LoginStarted
from ..urls import parse_page_url
from .transport import Answer, Completed, Denied, Expired, Pending

SECRET: Final = re.compile(r"[A-Za-z0-9_-]{22,256}")
USER_CODE: Final = re.compile(r"[A-Z0-9-]{4,16}")
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
ERROR_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
LONGEST_LIFE: Final = 400 * 86_400
"""Seconds; no token and no login of the service lives as long."""


def parse_document(body: bytes | str) -> dict[str, Any]:
    """Return a JSON object; raises NotALatchkeyServer when the body is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotALatchkeyServer("the answer is not the service's") from error
    if not isinstance(document, dict):
        raise NotALatchkeyServer("the answer is not the service's")
    return document


def initiated(document: Mapping[str, Any]) -> LoginStarted:
    """Return the login that the service has started."""
    return LoginStarted(
        oauth_url=parse_page_url(document.get("oauth_url")),
        session_id=_matching(SECRET, document, "session_id"),
        user_code=_matching(USER_CODE, document, "user_code"),
        expires_in=_seconds(document),
    )


def answer(document: Mapping[str, Any]) -> Answer:
    """Return the state of a login."""
    readers: dict[object, Callable[[], Answer]] = {
        "pending": Pending,
        "completed": lambda: _completed(document),
        "denied": Denied,
        "expired": Expired,
    }
    status = document.get("status")
    if not isinstance(status, str) or status not in readers:
        raise NotALatchkeyServer("the answer has no status that is known here")
    return readers[status]()


def refreshed(document: Mapping[str, Any]) -> Completed:
    """Return the tokens of a session that was renewed."""
    completed = _completed(document)
    if not completed.refresh_token:
        raise NotALatchkeyServer("the answer has no refresh_token that could be used")
    return completed


def refusal(
    document: Mapping[str, Any],
    *,
    retry_after: float | None = None,
    is_passing: bool = False,
) -> LoginRefused | None:
    """Return the service's refusal; None when this is not an error document."""
    code = document.get("error")
    if not isinstance(code, str) or not ERROR_CODE.fullmatch(code):
        return None
    return LoginRefused(
        code,
        printable(document.get("error_description")),
        reference=printable(document.get("reference"), limit=64),
        retry_after=retry_after,
        is_passing=is_passing,
    )


def parse_seconds(text: str | None) -> float | None:
    """Return a Retry-After in seconds (RFC 9110 section 10.2.3), or None.

    The service always sends seconds. A date would be compared with a clock that may be
    wrong, so it counts as absent.
    """
    return float(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else None


def _completed(document: Mapping[str, Any]) -> Completed:
    did, handle = document.get("did"), document.get("handle")
    username = document.get("username")
    if not isinstance(did, str) or not did.startswith("did:") or len(did) > 2048:
        raise NotALatchkeyServer("the answer has no did")
    if not isinstance(username, str) or not (handle is None or isinstance(handle, str)):
        raise NotALatchkeyServer("the answer does not say who signed in")
    return Completed(
        token=_matching(TOKEN, document, "token"),
        did=printable(did, limit=2048),
        handle=printable(handle, limit=253) or None,
        username=printable(username, limit=64),
        expires_in=_seconds(document),
        refresh_token=_refresh_token(document),
    )


def _refresh_token(document: Mapping[str, Any]) -> str:
    """Return the refresh token, "" where a service of release 0.1 gives none."""
    if not document.get("refresh_token"):
        return ""
    return _matching(TOKEN, document, "refresh_token")


def _matching(pattern: re.Pattern[str], document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise NotALatchkeyServer(f"the answer has no {name} that could be used")
    return value


def _seconds(document: Mapping[str, Any]) -> int:
    value = document.get("expires_in")
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotALatchkeyServer("the answer does not say for how long it holds")
    if not 0 < value <= LONGEST_LIFE:
        raise NotALatchkeyServer("the answer holds for no time that could be")
    return value
