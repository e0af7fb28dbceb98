"""Talking to an authorization server: PAR, the code exchange, revocation.

Forms go out by `DPoPSender` with the client's authentication in them (requirements 4.1
to 4.3, 4.11 to 4.14). Nothing here decides what a login means.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from .dpop import oauth_error
from .errors import (
    AtprotoError,
    ClientRefused,
    CodeRejected,
    DocumentInvalid,
    HostFailing,
    HostUnreachable,
    KeyUnavailable,
    ServerInvalid,
)
from .proofs import build_client_assertion
from .session import OAuthSession
from .syntax import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .dpop import DPoPSender
    from .http import Deadline, Response
    from .keys import ClientKeys, SigningKey
    from .metadata import AuthorizationServer
    from .stores import AuthRequest

log = logging.getLogger(__name__)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What one session proves itself with, from PAR to revocation (5.1, 7.3)."""

    client_id: str
    client_key: SigningKey | None = field(repr=False)
    """None for a public client."""
    dpop_key: SigningKey = field(repr=False)

    def sign(
        self, form: Mapping[str, str], issuer: str
    ) -> Callable[[float], dict[str, str]]:
        """Return what adds this client's authentication to a form, anew per attempt.

        An assertion's `jti` serves once, so a second try needs a second one (4.13).
        """
        return partial(self._authenticated, form, issuer)

    def _authenticated(
        self, form: Mapping[str, str], issuer: str, now: float
    ) -> dict[str, str]:
        fields = {**form, "client_id": self.client_id}
        if self.client_key is not None:
            fields["client_assertion_type"] = ASSERTION_TYPE
            fields["client_assertion"] = build_client_assertion(
                self.client_key, client_id=self.client_id, issuer=issuer, now=now
            )
        return fields


class Bindings:
    """Finds what a flow or a session is pinned to; `keys` is None for a public client.

    The keys are asked each time, so that a new one is used without a restart (3.18).
    """

    def __init__(self, keys: Callable[[], ClientKeys] | None) -> None:
        self._keys = keys

    def newest_kid(self) -> str | None:
        """Return the key id that a new flow is pinned to."""
        return None if self._keys is None else self._keys().primary().kid

    def of(self, owner: AuthRequest | OAuthSession) -> Binding:
        """Return the binding of a flow or session (requirement 7.3).

        Raises:
            KeyUnavailable: its client key is gone; nothing may be sent with another,
                which would end the session at its host (7.4).
        """
        return Binding(
            client_id=owner.client_id,
            client_key=self._client_key(owner),
            dpop_key=owner.dpop_key,
        )

    def _client_key(self, owner: AuthRequest | OAuthSession) -> SigningKey | None:
        if owner.auth_method == "none":
            return None
        if self._keys is None or owner.client_kid is None:
            raise KeyUnavailable(owner.client_kid or "")
        key = self._keys().get(owner.client_kid)
        if (
            isinstance(owner, OAuthSession)
            and owner.client_thumbprint != key.thumbprint
        ):
            raise KeyUnavailable(key.kid)  # the kid names another key by now
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer and the DPoP nonce that came with it."""

    document: Mapping[str, Any] = field(repr=False)
    nonce: str | None = field(repr=False)


class ServerAgent:
    """Speaks OAuth with authorization servers on behalf of this client.

    `before_host` hears the host of each new login and may refuse it by raising (9.6).
    """

    def __init__(
        self,
        sender: DPoPSender,
        *,
        before_host: Callable[[str], None] = lambda _host: None,
    ) -> None:
        self._sender = sender
        self._before_host = before_host

    def push(
        self,
        server: AuthorizationServer,
        form: Mapping[str, str],
        *,
        binding: Binding,
        deadline: Deadline,
    ) -> tuple[str, str]:
        """Push an authorization request; return its `request_uri` and the nonce.

        Raises:
            ClientRefused: the server refuses the request or this client.
            ServerInvalid: the answer breaks RFC 9126, or lacks a DPoP nonce (5.9).
            HostUnreachable: nothing of use answered.
        """
        host = host_of(server.par_endpoint)
        self._before_host(host)
        response, nonce = self._sender.post(
            server.par_endpoint,
            binding.sign(form, server.issuer),
            binding.dpop_key,
            deadline=deadline,
        )
        if response.status not in {200, 201}:
            raise _refusal(response)
        document = response.json_object()
        request_uri, expires_in = (
            document.get("request_uri"),
            document.get("expires_in"),
        )
        if not isinstance(request_uri, str) or not request_uri:
            raise DocumentInvalid(host, "PAR gave no request_uri")
        if type(expires_in) is not int or expires_in <= 0:
            raise DocumentInvalid(host, "PAR gave no lifetime")
        if nonce is None:
            raise ServerInvalid(host, "PAR gave no DPoP nonce")
        return request_uri, nonce

    def exchange(
        self,
        server: AuthorizationServer,
        form: Mapping[str, str],
        binding: Binding,
        *,
        deadline: Deadline,
        nonce: str | None,
    ) -> Answer:
        """Send an authorization code, at most once (requirement 6.8).

        Raises:
            CodeRejected: the server answered `invalid_grant`; begin the login again.
            ClientRefused: another refusal.
            HostUnreachable: no usable answer; the code must be taken for used unless
                the error says that nothing was sent.
        """
        endpoint = server.token_endpoint
        send = partial(
            self._sender.post,
            endpoint,
            binding.sign(form, server.issuer),
            binding.dpop_key,
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
            refusal = _refusal(response)
            if isinstance(refusal, ClientRefused) and refusal.code == "invalid_grant":
                raise CodeRejected(str(refusal)) from refusal
            raise refusal
        if fresh is None:
            # Requirement 5.9: dropping granted tokens would help nobody.
            log.warning("token answer of %s has no DPoP nonce", host_of(endpoint))
        return Answer(document=response.json_object(), nonce=fresh)

    def revoke(
        self,
        tokens: Mapping[str, str | None],
        binding: Binding,
        *,
        issuer: str,
        endpoint: str,
        deadline: Deadline,
    ) -> None:
        """Revoke tokens, best effort: `tokens` maps a token type hint to a token.

        A success proves nothing and a failure changes nothing for the caller, who ends
        the session here in any case (requirement 7.19).
        """
        for hint, token in tokens.items():
            if token is None:
                continue
            form = {"token": token, "token_type_hint": hint}
            try:
                response, _ = self._sender.post(
                    endpoint,
                    binding.sign(form, issuer),
                    binding.dpop_key,
                    deadline=deadline,
                )
            except AtprotoError as error:
                log.warning("revoking the %s failed: %s", hint, error)
            else:
                log.info(
                    "revoking the %s: %s answered %d",
                    hint.replace("_", " "),
                    host_of(endpoint),
                    response.status,
                )


def _refusal(response: Response) -> AtprotoError:
    """Translate an unsuccessful answer of an authorization server (section 10)."""
    host = host_of(response.url)
    code, description = oauth_error(response)
    if response.status == 429 or response.status >= 500:
        return HostFailing(host, response.status)
    if code in {"server_error", "temporarily_unavailable"}:
        return HostFailing(host, response.status)
    if code:
        return ClientRefused(host, code, description)
    return ServerInvalid(host, f"answered {response.status} without an OAuth error")
