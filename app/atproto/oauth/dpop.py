"""Sending with DPoP (RFC 9449): proofs, and nonces learnt from the answers.

The one place that keeps servers' nonces and answers a nonce challenge; whatever needs a
proof goes out here (requirements 5.1 to 5.10).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from ..crypto.proofs import build_dpop_proof
from ..errors import ServerInvalid, printable
from ..syntax.grammar import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..crypto.keys import SigningKey
    from ..http.types import HTTP, Body, Deadline, Response
    from ..stores.protocols import Cache

log = logging.getLogger(__name__)

ANSWER_LIMIT = 64_000
"""Bytes of an answer of an authorization server (requirement 9.4)."""

NONCE_LIFETIME = 300.0
"""Seconds for which a server's nonce is worth trying: servers rotate them within five
minutes, and an old one costs one more round trip, nothing else (requirement 5.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that is sent with a proof, and what may be read of its answer.

    `body` builds the body for one attempt at a given time, because neither a proof nor
    a client assertion may be sent twice (4.13); nothing that can be read only once, so
    that a second attempt can send it again (requirement 5.13). The access token is for
    a resource server; authorization servers refuse a proof with its hash (5.5).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Callable[[float], Body] = field(repr=False)
    key: SigningKey = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    sink: IO[bytes] | None = field(default=None, repr=False)
    """Where the body of a success goes; an error's is always at hand."""
    limit: int = ANSWER_LIMIT
    timeout: float = 10.0


class DPoPSender:
    """Sends requests with a DPoP proof; answers one nonce challenge per request.

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
        timeout: float = 10.0,
    ) -> tuple[Response, str | None]:
        """Post a form to an authorization server, see `send`."""
        outgoing = Outgoing(
            method="POST",
            url=url,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=lambda now: urlencode(form(now)).encode("ascii"),
            key=key,
            timeout=timeout,
        )
        return self.send(outgoing, deadline=deadline, nonce=nonce)

    def send(
        self, outgoing: Outgoing, *, deadline: Deadline, nonce: str | None = None
    ) -> tuple[Response, str | None]:
        """Return the answer and the DPoP nonce that came with it.

        `nonce` serves when the origin has no newer one.

        Raises:
            ServerInvalid: the server is content with no nonce of its own (5.8).
            HostUnreachable: nothing of use answered.
        """
        place = f"nonce:{_origin(outgoing.url)}"
        known = self._cache.get(place)
        nonce = known or nonce
        for first in (True, False):
            response = self._attempt(outgoing, deadline=deadline, nonce=nonce)
            fresh = _nonce_of(response)
            if fresh is not None and fresh != known:
                self._remember(place, fresh)
            if not _asks_for_nonce(response):
                return response, fresh
            if not first or fresh is None or fresh == nonce:
                break
            nonce = fresh
        raise ServerInvalid(
            host_of(outgoing.url), "keeps asking for another DPoP nonce"
        )

    def _remember(self, place: str, nonce: str) -> None:
        """Keep a nonce; the answer that brought it may hold the only copy of tokens."""
        try:
            self._cache.put(place, nonce, lifetime=NONCE_LIFETIME)
        except Exception:
            log.exception("a nonce is not kept")  # one more round trip (7.8)

    def _attempt(
        self, outgoing: Outgoing, *, deadline: Deadline, nonce: str | None
    ) -> Response:
        now, token = self._clock(), outgoing.access_token
        proof = build_dpop_proof(
            outgoing.key,
            method=outgoing.method,
            url=outgoing.url,
            now=now,
            nonce=nonce,
            access_token=token,
        )
        proved = {"DPoP": proof}
        if token is not None:
            proved["Authorization"] = f"DPoP {token}"
        return self._http.request(
            outgoing.method,
            outgoing.url,
            headers={**outgoing.headers, **proved},
            body=outgoing.body(now),
            sink=outgoing.sink,
            deadline=deadline,
            limit=outgoing.limit,
            timeout=outgoing.timeout,
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
