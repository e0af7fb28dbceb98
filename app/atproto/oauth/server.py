"""Requests to an authorization server: PAR, token exchange, refresh, revocation.

Forms are sent by `DPoPSender`, with client authentication (requirements 4.1 to 4.3 and
4.11 to 4.14). What an answer means for a login or a session is decided by the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..discovery.server_metadata import AuthorizationServer
from ..errors import (
    AtprotoError,
    ClientRefused,
    CodeRejected,
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    RefreshRejected,
    ServerInvalid,
)
from ..http.date import clock_hint
from ..http.types import Deadline, Response
from ..records import OAuthSession
from ..syntax.grammar import host_of
from .challenge import oauth_error
from .client_auth import ClientAuth
from .dpop import DPoPSender

log = logging.getLogger(__name__)

REFRESH_TIMEOUT = 15.0
"""Seconds for the answer to a refresh: longer than for other requests, because with a
lost answer the session is lost (requirement 7.11)."""

REQUEST_URI_LIMIT = 2_048
"""Characters of a `request_uri`, which goes into the browser's URL."""

REVOCATION_BUDGET = 2.5
"""Seconds for revoking tokens that are not stored (requirements 6.15 and 7.16). They
are added to the time of the request itself, and a person waits for both."""


OUR_FAULT = frozenset(
    {
        "invalid_client",
        "invalid_client_metadata",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "slow_down",
    }
)
"""Refusals that say nothing of the grant (requirement 7.17)."""


class GrantRefused(ClientRefused):
    """A token request was refused in a server's own words (requirement 7.17).

    Some servers say so when a grant has ended, and when they cannot read our metadata.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer and the DPoP nonce that came with it."""

    document: Mapping[str, Any] = field(repr=False)
    nonce: str | None = field(repr=False)


class ServerAgent:
    """Sends this client's requests to authorization servers.

    `before_host` is called with the host of each new login and may refuse it by raising
    (requirement 9.6).
    """

    def __init__(
        self, sender: DPoPSender, *, before_host: Callable[[str], None]
    ) -> None:
        self._sender = sender
        self._before_host = before_host

    def push(
        self,
        server: AuthorizationServer,
        form: Mapping[str, str],
        *,
        auth: ClientAuth,
        deadline: Deadline,
    ) -> tuple[str, str | None]:
        """Push an authorization request; return its `request_uri` and the nonce.

        Servers need not send a nonce (requirement 5.9).

        Raises:
            ClientRefused: the server refuses the request or this client.
            ServerInvalid: the answer breaks RFC 9126.
            HostUnreachable: there was no usable answer.
        """
        host = host_of(server.par_endpoint)
        self._before_host(host)
        response, nonce = self._sender.post(
            server.par_endpoint,
            auth.sign(form, server.issuer),
            auth.dpop_key,
            kind="par",
            deadline=deadline,
        )
        if response.status not in {200, 201}:
            raise _refusal(response, self._sender.now())
        document = response.json_object()
        request_uri, expires_in = (
            document.get("request_uri"),
            document.get("expires_in"),
        )
        if not isinstance(request_uri, str) or not request_uri:
            raise DocumentInvalid(host, "PAR gave no request_uri")
        if len(request_uri) > REQUEST_URI_LIMIT:
            raise DocumentInvalid(host, "PAR gave a request_uri that is too long")
        if type(expires_in) is not int or expires_in <= 0:
            raise DocumentInvalid(host, "PAR gave no lifetime")
        return request_uri, nonce

    def exchange(
        self,
        server: AuthorizationServer,
        form: Mapping[str, str],
        auth: ClientAuth,
        *,
        deadline: Deadline,
        nonce: str | None,
    ) -> Answer:
        """Send an authorization code, at most once (requirement 6.8).

        Raises:
            CodeRejected: the server answered `invalid_grant`, or refused in words of
                its own; begin the login again.
            ClientRefused: the server answered another error.
            HostUnreachable: there was no usable answer. Unless the error says that
                nothing was sent, the code has to be treated as used.
        """
        endpoint = server.token_endpoint
        send = partial(
            self._sender.post,
            endpoint,
            auth.sign(form, server.issuer),
            auth.dpop_key,
            kind="token",
            deadline=deadline,
            nonce=nonce,
        )
        try:
            response, fresh = send()
        except HostUnreachable as error:
            if error.sent or deadline.remaining() <= 0:
                raise
            response, fresh = send()
        if response.status != 200:
            refusal = _token_refusal(response, self._sender.now())
            if isinstance(refusal, RefreshRejected | GrantRefused):
                raise CodeRejected(str(refusal)) from refusal
            raise refusal
        return Answer(document=response.json_object(), nonce=fresh)

    def refresh(
        self,
        server: AuthorizationServer,
        refresh_token: str,
        auth: ClientAuth,
        *,
        deadline: Deadline,
        nonce: str | None,
    ) -> Answer:
        """Send a refresh token once (requirement 7.3).

        Raises:
            RefreshRejected: the server answered `invalid_grant`; the grant is over.
            GrantRefused: the server refused in words of its own.
            ClientRefused: the server answered another error; the grant is unchanged.
            HostUnreachable: there was no usable answer. When the error says that
                something was sent, the token may be used up (requirement 7.11).
        """
        endpoint = server.token_endpoint
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        response, fresh = self._sender.post(
            endpoint,
            auth.sign(form, server.issuer),
            auth.dpop_key,
            kind="refresh",
            deadline=deadline,
            nonce=nonce,
            timeout=REFRESH_TIMEOUT,
        )
        if response.status != 200:
            raise _token_refusal(response, self._sender.now())
        return Answer(document=_tokens(response), nonce=fresh)

    def end(
        self, session: OAuthSession, auth: ClientAuth, *, deadline: Deadline
    ) -> bool:
        """Revoke both tokens of a session, best effort (requirement 7.19).

        Returns what `revoke` returns; True without a revocation endpoint.
        """
        if session.revocation_endpoint is None:
            return True
        return self.revoke(
            {
                "refresh_token": session.refresh_token,
                "access_token": session.access_token,
            },
            auth,
            issuer=session.issuer,
            endpoint=session.revocation_endpoint,
            deadline=deadline,
        )

    def revoke(
        self,
        tokens: Mapping[str, str | None],
        auth: ClientAuth,
        *,
        issuer: str,
        endpoint: str,
        deadline: Deadline,
    ) -> bool:
        """Revoke tokens, best effort: `tokens` maps a token type hint to a token.

        The caller ends the session in any case, so no error is raised
        (requirement 7.19). Returns whether the server answered each of them, with a
        status that asks for no other try.
        """
        is_answered = True
        for hint, token in tokens.items():
            if token is None:
                continue
            form = {"token": token, "token_type_hint": hint}
            try:
                response, _ = self._sender.post(
                    endpoint,
                    auth.sign(form, issuer),
                    auth.dpop_key,
                    kind="revoke",
                    deadline=deadline,
                )
            except AtprotoError as error:
                log.warning("revoking the %s failed: %s", hint, error)
                is_answered = False
            else:
                log.info(
                    "revoking the %s: %s answered %d",
                    hint.replace("_", " "),
                    host_of(endpoint),
                    response.status,
                )
                is_answered = is_answered and not _is_passing(response.status)
        return is_answered


def _tokens(response: Response) -> Mapping[str, Any]:
    """Return the JSON of a refresh, if it has any token.

    Otherwise a proxy answered, or only a part of the answer came: the outcome is
    unknown, and the stored tokens are kept (requirement 7.11).
    """
    host, reason = host_of(response.url), "answered with something else than tokens"
    try:
        document = response.json_object()
    except DocumentInvalid as error:
        raise HostUnreachable(host, reason, sent=True) from error
    if not document.keys() & {"access_token", "refresh_token"}:
        raise HostUnreachable(host, reason, sent=True)
    return document


def _token_refusal(response: Response, now: float) -> AtprotoError:
    """Return the exception for a refused token request (requirement 7.17)."""
    refusal = _refusal(response, now)
    if not isinstance(refusal, ClientRefused):
        return refusal
    if refusal.code == "invalid_grant":
        return RefreshRejected(str(refusal))
    if refusal.code in OUR_FAULT or response.status not in {400, 401}:
        return refusal
    return GrantRefused(
        refusal.host, refusal.code, refusal.description, hint=refusal.hint
    )


def _refusal(response: Response, now: float) -> AtprotoError:
    """Return the exception for an unsuccessful answer (requirements, section 10).

    A refusal says how wrong our clock is: "invalid_dpop_proof" alone does not.
    """
    host = host_of(response.url)
    code, description = oauth_error(response)
    if _is_passing(response.status):
        return HostFailing(host, response.status, headers=response.headers)
    if code in {"server_error", "temporarily_unavailable"}:
        return HostFailing(host, response.status, headers=response.headers)
    if code:
        return ClientRefused(
            host, code, description, hint=clock_hint(response.headers, now)
        )
    if response.is_firewall_page:
        return HostUnreachable(host, "a firewall's page answered", sent=True)
    return ServerInvalid(host, f"answered {response.status} without an OAuth error")


def _is_passing(status: int) -> bool:
    """Tell whether the server asks for another try later: it is busy, or fails."""
    return status == 429 or status >= 500
