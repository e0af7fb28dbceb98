"""DPoP requests (RFC 9449): sends proofs, and keeps the nonces of the answers.

Every request with a DPoP proof is sent here, and nonce challenges are answered here
(requirements 5.1 to 5.10).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import IO
from urllib.parse import urlencode, urlsplit

from ..crypto.keys import SigningKey
from ..crypto.proofs import build_dpop_proof
from ..errors import ServerInvalid
from ..events import NonceRetried, Observer, RequestKind, ignore
from ..http.observed import observed
from ..http.types import HTTP, Body, Deadline, Response
from ..stores.protocols import Cache
from ..syntax.grammar import host_of
from .challenge import dpop_challenge, oauth_error

log = logging.getLogger(__name__)

ANSWER_LIMIT = 64_000
"""Bytes of an answer of an authorization server (requirement 9.4)."""

NONCE_LIFETIME = 300.0
"""Seconds for which a server's nonce is used: servers rotate them within five minutes
(requirement 5.10)."""

NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")

MAX_NOTED = 1_000
"""Origins without nonces that the process logs, each once; further ones are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that is sent with a proof, and limits for its answer.

    `body` builds the body of one attempt at a given time, because a client assertion
    may be sent once (requirement 4.13). It has to return the same content again for a
    second attempt (requirement 5.13). The access token is for resource servers;
    authorization servers refuse a proof with its hash (requirement 5.5).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Callable[[float], Body] = field(repr=False)
    key: SigningKey = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    sink: IO[bytes] | None = field(default=None, repr=False)
    """A file for the body of a success; the body of an error is in the Response."""
    limit: int = ANSWER_LIMIT
    timeout: float = 10.0
    kind: RequestKind = "xrpc"
    """What the events of the client call it."""


class DPoPSender:
    """Sends requests with a DPoP proof; answers one nonce challenge per request.

    Nonces are kept per origin and shared by all sessions, which servers accept
    (requirement 5.10). A nonce is sent only to the origin that issued it
    (requirement 5.7).
    """

    def __init__(
        self,
        *,
        http: HTTP,
        cache: Cache,
        clock: Callable[[], float],
        observe: Observer = ignore,
    ) -> None:
        self._observe = observe
        self._http = http
        self._cache = cache
        self._clock = clock
        self._without_nonces: set[str] = set()

    def now(self) -> float:
        """Return the time by which proofs are issued."""
        return self._clock()

    def post(
        self,
        url: str,
        form: Callable[[float], Mapping[str, str]],
        key: SigningKey,
        *,
        kind: RequestKind,
        deadline: Deadline,
        nonce: str | None = None,
        timeout: float = 10.0,
    ) -> tuple[Response, str | None]:
        """Send a form to an authorization server; see `send`."""
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
            kind=kind,
        )
        response, fresh = self.send(outgoing, deadline=deadline, nonce=nonce)
        if fresh is None and response.status < 300:
            self._note_without_nonce(_origin(url))
        return response, fresh

    def send(
        self, outgoing: Outgoing, *, deadline: Deadline, nonce: str | None = None
    ) -> tuple[Response, str | None]:
        """Return the answer and the DPoP nonce that came with it.

        `nonce` is used when none is cached for the origin.

        Raises:
            ServerInvalid: the server asks for a nonce again and again
                (requirement 5.8).
            HostUnreachable: there was no usable answer.
        """
        cache_key = f"nonce:{_origin(outgoing.url)}"
        known = self._cache.get(cache_key)
        nonce = known or nonce
        for first in (True, False):
            response = self._attempt(outgoing, deadline=deadline, nonce=nonce)
            fresh = _nonce_of(response)
            if fresh is not None and fresh != known:
                self._remember(cache_key, fresh)
            if not _asks_for_nonce(response):
                return response, fresh
            if not first or fresh is None or fresh == nonce:
                break
            self._observe(NonceRetried(outgoing.kind))
            nonce = fresh
        raise ServerInvalid(
            host_of(outgoing.url), "keeps asking for another DPoP nonce"
        )

    def _remember(self, cache_key: str, nonce: str) -> None:
        """Cache a nonce; a failure is logged, because the answer may contain tokens."""
        try:
            self._cache.put(cache_key, nonce, lifetime=NONCE_LIFETIME)
        except Exception:
            log.exception("a nonce is not cached")  # costs one round trip

    def _note_without_nonce(self, origin: str) -> None:
        """Log, once for each of MAX_NOTED servers, that it sends no nonces.

        See requirement 5.9.
        """
        noted = self._without_nonces
        if origin not in noted and len(noted) < MAX_NOTED:
            noted.add(origin)
            log.info("%s sends no DPoP nonce with its answers", origin)

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
        request = partial(
            self._http.request,
            outgoing.method,
            outgoing.url,
            headers={**outgoing.headers, **proved},
            body=outgoing.body(now),
            sink=outgoing.sink,
            deadline=deadline,
            limit=outgoing.limit,
            timeout=outgoing.timeout,
        )
        return observed(
            self._observe,
            outgoing.kind,
            outgoing.url,
            monotonic=deadline.monotonic,
            send=request,
        )


def _nonce_of(response: Response) -> str | None:
    """Return the DPoP nonce of an answer if it is well-formed (RFC 9449, 8.1)."""
    nonce = response.headers.get("DPoP-Nonce", "")
    return nonce if NONCE.fullmatch(nonce) else None


def recent(nonce: str | None, *, since: float, now: float) -> str | None:
    """Return a stored nonce unless it is too old to be used (requirement 5.10)."""
    return nonce if now - since <= NONCE_LIFETIME else None


def _asks_for_nonce(response: Response) -> bool:
    """Tell whether a server asks for another nonce (requirement 5.8)."""
    if response.status not in {400, 401}:
        return False
    if dpop_challenge(response).get("error") == "use_dpop_nonce":
        return True
    return oauth_error(response)[0] == "use_dpop_nonce"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
