"""Sending with DPoP (RFC 9449): proofs, and nonces learnt from the answers.

The one place that keeps servers' nonces and answers a nonce challenge; whatever needs a
proof goes out here (requirements 5.1 to 5.10).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from .errors import ServerInvalid, printable
from .proofs import build_dpop_proof
from .syntax import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .http import HTTP, Deadline, Response
    from .keys import SigningKey
    from .stores import Cache

ANSWER_LIMIT = 64_000
"""Bytes of an answer of an authorization server (requirement 9.4)."""

NONCE_LIFETIME = 300.0
"""Seconds for which a server's nonce is worth trying: servers rotate them within five
minutes, and an old one costs one more round trip, nothing else (requirement 5.10)."""


class DPoPSender:
    """Posts forms with a DPoP proof; answers one nonce challenge per request.

    Nonces are kept per origin and shared by all sessions, which servers accept (5.10);
    one of another origin is never sent (5.7).
    """

    def __init__(self, *, http: HTTP, cache: Cache, clock: Callable[[], float]) -> None:
        self._http = http
        self._cache = cache
        self._clock = clock

    def post(
        self,
        url: str,
        form: Callable[[float], Mapping[str, str]],
        key: SigningKey,
        *,
        deadline: Deadline,
        nonce: str | None = None,
    ) -> tuple[Response, str | None]:
        """Return the answer and the DPoP nonce that came with it.

        `form` builds the body for one attempt at a given time, because neither a proof
        nor a client assertion may be sent twice (4.13). `nonce` serves when the origin
        has no newer one.

        Raises:
            ServerInvalid: the server is content with no nonce of its own (5.8).
            HostUnreachable: nothing of use answered.
        """
        place = f"nonce:{_origin(url)}"
        known = self._cache.get(place)
        nonce = known or nonce
        for first in (True, False):
            response = self._attempt(url, form, key, deadline=deadline, nonce=nonce)
            fresh = _nonce_of(response)
            if fresh is not None and fresh != known:
                self._cache.put(place, fresh, lifetime=NONCE_LIFETIME)
            if not _asks_for_nonce(response):
                return response, fresh
            if not first or fresh is None or fresh == nonce:
                break
            nonce = fresh
        raise ServerInvalid(host_of(url), "keeps asking for another DPoP nonce")

    def _attempt(
        self,
        url: str,
        form: Callable[[float], Mapping[str, str]],
        key: SigningKey,
        *,
        deadline: Deadline,
        nonce: str | None,
    ) -> Response:
        now = self._clock()
        proof = build_dpop_proof(key, method="POST", url=url, now=now, nonce=nonce)
        return self._http.request(
            "POST",
            url,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "DPoP": proof,
            },
            body=urlencode(form(now)).encode("ascii"),
            deadline=deadline,
            limit=ANSWER_LIMIT,
        )


def _nonce_of(response: Response) -> str | None:
    """Return the DPoP nonce of an answer, if it is one (RFC 9449 §8.1: NQCHAR)."""
    nonce = response.headers.get("DPoP-Nonce", "")
    return nonce if re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}", nonce) else None


def _asks_for_nonce(response: Response) -> bool:
    """Tell whether a server wants another nonce, in either form (requirement 5.8)."""
    if response.status not in {400, 401}:
        return False
    challenge = response.headers.get("WWW-Authenticate", "")
    if re.search(r'\bDPoP\b.*\berror="use_dpop_nonce"', challenge, re.IGNORECASE):
        return True
    return oauth_error(response)[0] == "use_dpop_nonce"


def oauth_error(response: Response) -> tuple[str, str]:
    """Return `error` and `error_description`, made harmless; empty when there is none.

    Both are an attacker's to choose: short printable ASCII for logs, never for pages.
    """
    try:
        document = response.json_object()
    except ServerInvalid:
        return "", ""
    return printable(document.get("error")), printable(
        document.get("error_description")
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
