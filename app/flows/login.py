"""Begin a login: from what a person typed to where the browser goes.

The browser gets a secret of its own; without it nobody can finish this login
(requirement 9.12).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from app.atproto.client import OAuthClient
from app.atproto.http.client import Deadline
from app.atproto.syntax.identifier import Identifier

from .concurrency import ConcurrencyLimit
from .destination import Destination
from .errors import PromptRefused
from .networks import network_of
from .ports import RateLimit, Session, Sessions
from .scope_requests import Permissions

log = logging.getLogger(__name__)

LOGIN_BUDGET = 9.0
"""Seconds for all of resolving, discovery and PAR: an answer comes within ten."""

LOGINS_AT_ONCE = 100
"""Logins of one process that may wait for slow hosts at once (requirement 9.6): the
rest of the process stays free to answer."""

PROMPTS = frozenset({"create", "login", "consent", "select_account"})
"""What may be asked of the person's host; never `none`, which a form cannot need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStarted:
    """A login that waits at the person's host."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    secret: str = field(repr=False)
    """For the cookie of this flow, and nowhere else."""


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

    def start(
        self,
        destination: Destination,
        *,
        address: str,
        replaces: str | None = None,
        secret: str | None = None,
    ) -> LoginStarted:
        """Push an authorization request for what was typed.

        `address` is whose limit counts it.
        `secret` is the one in the link of an app; every other flow gets its own.
        `replaces` is the secret of the session that this browser has. When it is that
        of the person who is named, what it was granted is asked for again, so that
        nobody has less afterwards (8.10).

        Raises:
            TooManyRequests: this address, or the host in question, has had enough, or
                too many logins wait already.
            PromptRefused: not a prompt of ours, or `create` without a sign-up host.
            ScopeRefused: its scope is more than a service may ask for.
            IdentifierInvalid: with a `suggestion` where there is one.
            AtprotoError: in one of its other kinds, from the network.
        """
        self.limits.hit("address", network_of(address))
        identifier = self.read_identifier(destination.identifier)
        self._check_prompt(destination.prompt, identifier)
        asked = self.permissions.parse(destination.scope)
        held = self._session_of(identifier, replaces)
        destination = replace(
            destination, scope=asked, upgrades=held.sid if held else ""
        )
        secret = secret or secrets.token_urlsafe(32)
        with self.concurrency.hold():
            authorization = self.client.authorize(
                identifier,
                scope=self.permissions.to_ask(asked, _granted_to(held)),
                redirect_uri=self.redirect_uri,
                deadline=Deadline.after(LOGIN_BUDGET),
                prompt=destination.prompt or None,
                app_state=destination.pack(),
                browser_secret=secret,
            )
        log.info("login began: %s at %s", identifier.kind, authorization.issuer)
        return LoginStarted(
            url=authorization.url, state=authorization.state, secret=secret
        )

    def _session_of(self, identifier: Identifier, secret: str | None) -> Session | None:
        """Return this browser's session if it is that of the person who is named."""
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
    """Return what a session's host grants, or granted before it was over."""
    return (session.scope or session.granted_scope) if session else None
