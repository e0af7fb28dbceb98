"""Relay: a program that uses the client library alone, in a laboratory.

It is a loopback client (requirement 3.26) with a database for its sessions and nonces.
Any number of its processes sit down at the same `Desk`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Browser

from app.atproto import (
    HTTP,
    Deadline,
    DnsTxtLookup,
    LiveSession,
    MemoryStateStore,
    NetworkPolicy,
    OAuthClient,
    OAuthSession,
    Response,
    SafeHTTP,
    build_loopback_client,
    open_client,
    parse_identifier,
)
from app.stores.cache import SqlCache
from app.stores.encryption import Cipher
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql.database import Database, open_database
from tests.e2e import host
from tests.lab.network import Account, Network

TRACK = "app.relay.track"
GET_SESSION = "/xrpc/com.atproto.server.getSession"
SCOPE = f"atproto repo:{TRACK} blob:*/*"
CALLBACK = "http://127.0.0.1/callback"
WAYS_BACK = re.compile(r"http://127\.0\.0\.1/callback\?")
LAB = NetworkPolicy.lab()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where a process sits down: what it needs to know, ready to be pickled."""

    database_url: str
    plc_url: str
    nameserver: tuple[str, int]
    ca: Path | None

    @classmethod
    def at(cls, network: Network, database_url: str) -> Desk:
        """Return a desk in a network, with the tables made."""
        database = open_database(database_url)
        database.apply_schema()
        database.close()
        return cls(
            database_url=database_url,
            plc_url=network.plc_url,
            nameserver=("127.0.0.1", network.dns.port),
            ca=network.ca,
        )


class Relay:
    """One process of the program."""

    def __init__(
        self, desk: Desk, *, store: type[SqlSessionStore] = SqlSessionStore
    ) -> None:
        self.database: Database = open_database(desk.database_url)
        self.sessions: Any = store(self.database, Cipher(bytes(range(32))))
        self.http = Recorder(
            SafeHTTP(
                policy=LAB,
                user_agent="relay/1 (+https://relay.app)",
                ca_bundle=str(desk.ca) if desk.ca else None,
            )
        )
        self.client: OAuthClient = open_client(
            metadata=build_loopback_client(redirect_uris=[CALLBACK], scope=SCOPE),
            states=MemoryStateStore(time.time),
            sessions=self.sessions,
            http=self.http,
            clock=time.time,
            txt=DnsTxtLookup([desk.nameserver]),
            cache=SqlCache(self.database, time.time),
            policy=LAB,
            plc_url=desk.plc_url,
        )

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def sign_in(self, browser: Browser, account: Account) -> OAuthSession:
        """Go through the host's pages in a fresh browser profile."""
        authorization = self.client.authorize(
            parse_identifier(account.handle, allow_test=True),
            scope=SCOPE,
            redirect_uri=CALLBACK,
            deadline=Deadline.after(20),
        )
        query = urlsplit(approved(browser, authorization.url, account)).query
        return self.client.callback(
            parse_qsl(query), browser_secrets=None, deadline=Deadline.after(20)
        ).session

    def live(self, session: OAuthSession) -> LiveSession:
        """Return the session, ready for calls."""
        return self.client.restore(session.did, session.session_id)

    def whoami(self, session: OAuthSession, *, within: float = 20.0) -> str:
        """Call the PDS; return the DID that it knows us by."""
        answer = self.live(session).request(
            "GET",
            GET_SESSION,
            deadline=Deadline.after(within),
        )
        document = answer.json_object()
        return str(document.get("did", document))

    def stored(self, session: OAuthSession) -> OAuthSession | None:
        """Return the session as it is stored now."""
        stored: OAuthSession | None = self.sessions.get(session.did, session.session_id)
        return stored


class Recorder:
    """The door, with a list of who was asked what and answered how."""

    def __init__(self, door: HTTP) -> None:
        self._door = door
        self.log: list[tuple[str, int]] = []

    def request(self, method: str, url: str, **how: object) -> Response:
        """Send by the door."""
        ask: Callable[..., Response] = self._door.request
        answer = ask(method, url, **how)
        self.log.append((urlsplit(url).path, answer.status))
        return answer


def approved(browser: Browser, url: str, account: Account) -> str:
    """Sign in and say yes at the host; return where the browser is sent.

    Nothing listens there: what the browser asks for is all that a login needs.
    """
    context = browser.new_context(locale="en-US")
    context.set_default_timeout(60_000)
    page = context.new_page()
    try:
        page.goto(url)
        host.sign_in(page, account)
        with page.expect_request(WAYS_BACK) as asked:
            host.authorize(page)
        return asked.value.url
    finally:
        context.close()
