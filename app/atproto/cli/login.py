"""The command `login`: by a browser and a loopback listener, or by a pasted address.

Prints the authorization URL, and neither code nor state (requirement 9.22). A pasted
address is not echoed.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..client import Completed, OAuthClient
from ..errors import CallbackMalformed, StateUnknown
from ..loopback.listener import LoopbackListener, read_pasted
from ..oauth.authorization import Authorization
from ..records import OAuthSession
from ..scopes.scope import ATPROTO, ScopeSet
from .account import describe, lines_of
from .client_id import LoopbackRedirect, development_client, published_client
from .failures import UsageError
from .invocation import Invocation
from .options import argument, command, option, timeout_option

MOST_PASTES: Final = 3
EPHEMERAL_PORTS: Final = range(49152, 65536)


def run(call: Invocation) -> None:
    """Sign in; store the session, and end older ones of the account."""
    options = call.options
    identifier = call.identify(options.identifier)
    if options.client_id:
        metadata, redirect = published_client(call, options.client_id, options.scope)
    else:
        metadata, redirect = development_client(options.scope)
    login = _Login(call=call, client=call.client(metadata), redirect=redirect)
    ways = login.by_paste if options.paste else login.by_listener
    session = ways(identifier).session
    _end_older(call, session)
    missing = ScopeSet.parse(session.scope).missing(options.scope)
    name = session.handle or session.did
    lines = [f"Signed in as {name}.", *lines_of(session)]
    if missing:
        lines.append(f"Not granted: {' '.join(missing)}")
    call.screen.show({**describe(session), "missing": list(missing)}, lines)


@dataclass(frozen=True, kw_only=True)
class _Login:
    call: Invocation
    client: OAuthClient
    redirect: LoopbackRedirect

    def by_listener(self, identifier: Any) -> Completed:
        redirect, screen = self.redirect, self.call.screen
        with LoopbackListener(
            host=redirect.host,
            port=redirect.port,
            path=redirect.path,
            program="the terminal",
        ) as listener:
            begun = self._begin(identifier, listener.redirect_uri)
            screen.say(f"To sign in, open this address:\n\n{begun.url}\n")
            if not self.call.options.no_browser and self.call.outside.browser(
                begun.url
            ):
                screen.say("Your browser should open it by itself.")
            screen.say("Waiting for the browser to come back (Ctrl-C stops).")
            return listener.receive(
                begun.state,
                self._judge,
                deadline=self.call.deadline(self.call.options.timeout),
            )

    def by_paste(self, identifier: Any) -> Completed:
        """Ask for the address after the redirect, at a port that is probably unused."""
        port = self.redirect.port or secrets.choice(EPHEMERAL_PORTS)
        redirect_uri = self.redirect.at(port)
        begun = self._begin(identifier, redirect_uri)
        self.call.screen.say(
            f"To sign in, open this address in any browser:\n\n{begun.url}\n\n"
            "It will end at a page that cannot be reached. Copy the address of that"
            f" page: it begins with {redirect_uri}"
        )
        return self._judge(self._pasted(begun, redirect_uri))

    def _begin(self, identifier: Any, redirect_uri: str) -> Authorization:
        return self.client.authorize(
            identifier,
            scope=self.call.options.scope,
            redirect_uri=redirect_uri,
            deadline=self.call.deadline(),
        )

    def _pasted(
        self, begun: Authorization, redirect_uri: str
    ) -> Sequence[tuple[str, str]]:
        for _ in range(MOST_PASTES):
            pasted = self.call.outside.ask("Paste it here (it stays invisible): ")
            if not pasted:
                break
            try:
                return read_pasted(pasted, redirect_uri=redirect_uri, state=begun.state)
            except (CallbackMalformed, StateUnknown) as error:
                self.call.screen.say(f"That is not it: {error}.")
        raise UsageError("the address of this sign-in was not pasted")

    def _judge(self, answer: Sequence[tuple[str, str]]) -> Completed:
        return self.client.callback(answer, deadline=self.call.deadline())


def _end_older(call: Invocation, session: OAuthSession) -> None:
    """End the sessions that the new one replaces, here and at the host."""
    client = call.client()
    for other in call.sessions.all():
        if other.did == session.did and other.session_id != session.session_id:
            client.revoke(other.did, other.session_id, deadline=call.deadline())


COMMANDS: Final = [
    command(
        "login",
        run,
        argument("identifier", metavar="HANDLE"),
        option("--scope", default=ATPROTO, help="the scope to request (atproto)"),
        option("--no-browser", is_flag=True, help="print the address, open no browser"),
        option(
            "--paste",
            is_flag=True,
            help="for a machine without a browser: open the address elsewhere, and"
            " paste the one where that browser ends",
        ),
        option(
            "--client-id",
            metavar="URL",
            help="published metadata of a native client, instead of the development id",
        ),
        timeout_option(300.0, "how long to wait for the browser"),
        summary="Sign in with a handle, a DID or a host",
    )
]
