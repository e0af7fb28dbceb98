"""Begin a login: from what a person typed to where the browser goes.

The browser gets a secret of its own; without it nobody can finish this login
(requirement 9.12).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from app.atproto.client import OAuthClient
from app.atproto.identifier import Identifier
from app.atproto.security import Deadline

from .destination import Destination
from .errors import PromptRefused
from .ports import RateLimit

log = logging.getLogger(__name__)

LOGIN_BUDGET = 9.0
"""Seconds for all of resolving, discovery and PAR: an answer comes within ten."""

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
    scope: str
    redirect_uri: str
    read_identifier: Callable[[str], Identifier]
    signup_hosts: Collection[str]

    def start(
        self, typed: str, *, return_to: str, address: str, prompt: str | None = None
    ) -> LoginStarted:
        """Push an authorization request for what was typed.

        Raises:
            TooManyRequests: this address, or the host in question, has had enough.
            PromptRefused: not a prompt of ours, or `create` without a sign-up host.
            IdentifierInvalid: with a `suggestion` where there is one.
            AtprotoError: in one of its other kinds, from the network.
        """
        self.limits.hit("address", address)
        identifier = self.read_identifier(typed)
        self._check_prompt(prompt, identifier)
        secret = secrets.token_urlsafe(32)
        destination = Destination(return_to=return_to, identifier=typed)
        authorization = self.client.authorize(
            identifier,
            scope=self.scope,
            redirect_uri=self.redirect_uri,
            deadline=Deadline.after(LOGIN_BUDGET),
            prompt=prompt,
            app_state=destination.pack(),
            binding=secret,
        )
        log.info("login began: %s at %s", identifier.kind, authorization.issuer)
        return LoginStarted(
            url=authorization.url, state=authorization.state, secret=secret
        )

    def _check_prompt(self, prompt: str | None, identifier: Identifier) -> None:
        if prompt is not None and prompt not in PROMPTS:
            raise PromptRefused(prompt)
        if prompt == "create" and identifier.value not in self.signup_hosts:
            raise PromptRefused(prompt)
