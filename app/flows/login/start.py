"""Start a login: POST /auth/login, from an identifier to the authorization URL.

The browser gets a secret in a cookie; only a request with it can finish this login
(requirement 9.12).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from app.atproto.client import OAuthClient
from app.atproto.errors import ServerInvalid
from app.atproto.http.client import Deadline
from app.atproto.scopes.scope import ATPROTO
from app.atproto.syntax.grammar import host_of
from app.atproto.syntax.identifier import Identifier
from app.flows.errors import PromptRefused
from app.flows.limits.concurrency import ConcurrencyLimit
from app.flows.limits.host_limits import login_from
from app.flows.limits.networks import hit_networks, network_of
from app.flows.ports import RateLimit, Session, Sessions
from app.telemetry.context import bind_login
from app.telemetry.events import Observer, ignore, sign_in_step

from .client_refusals import ClientRefusals
from .destination import Destination
from .scope_requests import Permissions

log = logging.getLogger(__name__)

LOGIN_BUDGET = 9.0
"""Seconds for resolution, discovery and PAR together; we answer within ten."""

LOGINS_AT_ONCE = 100
"""Logins of one process that may wait for slow hosts at once (requirement 9.6): the
rest of the process stays free to answer."""

PROMPTS = frozenset({"create", "login", "consent", "select_account"})
"""OAuth prompts that a login may ask for; not `none`, which shows no page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStarted:
    """A pushed authorization request; the browser goes to `url`."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    secret: str = field(repr=False)
    """For the cookie of this flow only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLogin:
    """POST /auth/login."""

    client: OAuthClient
    limits: RateLimit
    sessions: Sessions
    permissions: Permissions
    redirect_uri: str
    read_identifier: Callable[[str], Identifier]
    signup_hosts: Collection[str]
    concurrency: ConcurrencyLimit
    refusals: ClientRefusals
    observe: Observer = ignore

    def __call__(
        self,
        destination: Destination,
        *,
        address: str,
        replaces: str | None = None,
        secret: str | None = None,
        ui_locales: str = "",
    ) -> LoginStarted:
        """Push an authorization request (PAR) for `destination.identifier`.

        `address` is the client's, for the rate limit.
        `secret` is the one in an app's link; without it the flow gets a new one.
        `ui_locales` are the person's languages, for the pages of the host.
        `replaces` is the secret of this browser's session. If that is of the same
        person, its granted scope is asked for again, so that a login does not take
        permissions away (requirement 8.10).

        Raises:
            TooManyRequests: the limit of this address or host is reached, or too many
                logins wait in this process.
            PromptRefused: an unknown prompt, or `create` outside SIGNUP_HOSTS.
            ScopeRefused: the scope is malformed or exceeds SCOPE_MAX.
            IdentifierInvalid: with a `suggestion` if there is one.
            AtprotoError: resolution, discovery or PAR failed, or the host cannot prove
                the account anew for an app that waits for that.
        """
        secret = secret or secrets.token_urlsafe(32)
        bind_login(secret)
        with sign_in_step(self.observe, "start"):
            hit_networks(self.limits, "address", network_of(address))
            identifier = self.read_identifier(destination.identifier)
            self._check_prompt(destination.prompt, identifier)
            asked = self.permissions.parse(destination.scope)
            replaced = self._session_of(identifier, replaces)
            destination = replace(
                destination, scope=asked, upgrades=replaced.sid if replaced else ""
            )
            with (
                self.concurrency.hold(),
                self.refusals.watched(),
                login_from(network_of(address)),
            ):
                authorization = self.client.authorize(
                    identifier,
                    scope=self._scope(destination, replaced),
                    redirect_uri=self.redirect_uri,
                    deadline=Deadline.after(LOGIN_BUDGET),
                    prompt=destination.prompt or None,
                    ui_locales=ui_locales or None,
                    app_state=destination.pack(),
                    browser_secret=secret,
                )
            if destination.has_to_prove and authorization.prompt != "login":
                raise ServerInvalid(
                    host_of(authorization.issuer), "does not take prompt=login"
                )
        log.info("login started: %s at %s", identifier.kind, authorization.issuer)
        return LoginStarted(
            url=authorization.url, state=authorization.state, secret=secret
        )

    def _scope(self, destination: Destination, replaced: Session | None) -> str:
        """Return the scope to push; a login that proves an account asks no more."""
        if destination.leaving:
            return ATPROTO
        return self.permissions.to_ask(destination.scope, _granted_to(replaced))

    def _session_of(self, identifier: Identifier, secret: str | None) -> Session | None:
        """Return this browser's session if it belongs to the identifier."""
        session = self.sessions.by_secret(secret) if secret else None
        if session is None or identifier.value not in {session.did, session.handle}:
            return None
        return session

    def _check_prompt(self, prompt: str, identifier: Identifier) -> None:
        if prompt and prompt not in PROMPTS:
            raise PromptRefused(prompt)
        if prompt == "create" and identifier.value not in self.signup_hosts:
            raise PromptRefused(prompt)


def _granted_to(session: Session | None) -> str | None:
    """Return the scope that is granted now, or was granted at the sign-in."""
    return (session.scope or session.granted_scope) if session else None
