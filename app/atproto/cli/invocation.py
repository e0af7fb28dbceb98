"""One run of the command line: its options, and the library objects that it uses.

Sessions are in private files (mode 0600). A pending login is in memory only, because
this process receives its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from ..client import OAuthClient
from ..client_metadata.builders import ClientMetadata, build_loopback_client
from ..discovery.accounts import Discovery
from ..errors import IdentifierInvalid, SessionEnded
from ..http.types import Deadline
from ..open_client import open_client, open_discovery
from ..records import OAuthSession
from ..stores.files import FileSessionStore
from ..stores.memory import MemoryStateStore
from ..syntax.identifier import HandleIdentifier, Identifier, parse_identifier
from .outside import Network, NetworkOptions, Outside
from .screen import Screen

LOOPBACK = "http://127.0.0.1/callback"


class NotSignedIn(SessionEnded):
    """There is no session of this account."""

    def __init__(self, account: str | None) -> None:
        super().__init__("unknown")
        whose = f"as {account}" if account else "here"
        self.args = (f"Nobody is signed in {whose}",)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The options and library objects of a command."""

    options: SimpleNamespace
    outside: Outside
    screen: Screen

    @cached_property
    def network_options(self) -> NetworkOptions:
        """The network options."""
        given = self.options
        return NetworkOptions(
            lab_network=given.lab_network,
            plc_url=given.plc_url,
            ca_bundle=given.ca_bundle,
            nameservers=given.dns_nameservers,
            handle_suffix=given.handle_suffix,
        )

    @cached_property
    def network(self) -> Network:
        """HTTP and DNS."""
        return self.outside.network(self.network_options)

    @cached_property
    def sessions(self) -> FileSessionStore:
        """The sessions on this machine."""
        return FileSessionStore(Path(self.options.state_dir))

    @cached_property
    def discovery(self) -> Discovery:
        """Discovery without a client."""
        return open_discovery(
            http=self.network.http,
            clock=self.outside.clock,
            txt=self.network.txt,
            policy=self.network_options.policy,
            plc_url=self.network_options.plc_url,
        )

    def client(self, metadata: ClientMetadata | None = None) -> OAuthClient:
        """Return the OAuth client, with `metadata` for a sign-in.

        A session has the client id that it began with, so commands that only use
        sessions need no metadata.
        """
        return open_client(
            metadata=metadata or build_loopback_client(redirect_uris=[LOOPBACK]),
            states=MemoryStateStore(self.outside.clock),
            sessions=self.sessions,
            http=self.network.http,
            clock=self.outside.clock,
            txt=self.network.txt,
            policy=self.network_options.policy,
            plc_url=self.network_options.plc_url,
        )

    def deadline(self, seconds: float = 30.0) -> Deadline:
        """Return a deadline so many seconds from now."""
        return Deadline.after(seconds, self.outside.monotonic)

    def identify(self, typed: str) -> Identifier:
        """Parse a handle, a DID or a server; print how a bare word was completed."""
        policy = self.network_options.policy
        found = parse_identifier(
            typed,
            handle_suffix=self.network_options.handle_suffix,
            allow_http=policy.allow_http,
            allow_test=policy.allow_test_names,
        )
        if isinstance(found, HandleIdentifier) and found.completed:
            self.screen.say(f"Reading {typed} as {found.value}.")
        return found

    def session(self) -> OAuthSession:
        """Return the session of `--account`, or the one signed in last.

        Raises:
            NotSignedIn: there is none.
        """
        wanted = self.options.account
        name = wanted and self._name(wanted)
        for session in self.sessions.all():  # the newest comes first
            if name is None or name in {session.did, session.handle}:
                return session
        raise NotSignedIn(wanted)

    def _name(self, wanted: str) -> str:
        try:
            return self.identify(wanted).value
        except IdentifierInvalid:
            raise NotSignedIn(wanted) from None
