"""A page of the platform that calls its visitor's PDS through the service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from app.flows.xrpc.allow_list import XrpcAllowList
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fakes.browser import Browser
    from tests.fakes.network import Answer, Sent
    from tests.fakes.world import World
    from tests.service import Service

ALICE = "alice.skyhost.social"
PDS = "pds.skyhost.social"
SIBLING = "https://music.platform.cafe"
TRACK = "app.relay.track"
FEED = "app.relay.getFeed"
APPVIEW = "did:web:api.relay.cafe#relay_appview"
ALLOW = (
    f"repo:{TRACK} repo:app.relay.note?action=create blob:image/* "
    "rpc:com.atproto.server.getSession rpc:app.relay.getPlain "
    "rpc:app.relay.doThing rpc:com.atproto.sync.getBlob "
    f"rpc:{FEED}?aud=did:web:api.relay.cafe%23relay_appview"
)
SCOPE = f"atproto repo:{TRACK} blob:*/*"

GET_SESSION = "com.atproto.server.getSession"
CREATE = "com.atproto.repo.createRecord"
PUT = "com.atproto.repo.putRecord"
DELETE = "com.atproto.repo.deleteRecord"
APPLY = "com.atproto.repo.applyWrites"
UPLOAD = "com.atproto.repo.uploadBlob"


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who is signed in, and the page of the platform that they look at."""

    service: Service
    browser: Browser

    @property
    def world(self) -> World:
        return self.browser.world

    @property
    def did(self) -> str:
        return self.world.alice.did

    @property
    def token(self) -> str:
        cookie = self.browser.jar.get("platform_token")
        assert cookie is not None
        return cookie.value

    def gets(self, nsid: str, headers: Mapping[str, str] | None = None, **query: str):
        return self.calls("GET", nsid, headers=headers, query=query)

    def posts(self, nsid: str, document: object, **headers: str) -> Answer:
        body = (
            document if isinstance(document, bytes) else json.dumps(document).encode()
        )
        given = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.calls("POST", nsid, body=body, headers=given)

    def calls(
        self,
        method: str,
        nsid: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        origin: str | None = SIBLING,
        site: str = "same-site",
    ) -> Answer:
        """Call as `fetch(url, {credentials: "include"})` does from a page."""
        named = {} if origin is None else {"Origin": origin}
        asked = f"?{urlencode(query)}" if query else ""
        return self.browser.requests(
            method,
            f"{self.service.home}/auth/xrpc/{nsid}{asked}",
            site=site,
            body=body,
            headers={**named, **(headers or {})},
            accept="*/*",
        )

    def with_bearer(self, nsid: str, token: str | None = None) -> Answer:
        """Call as a program does: a token, no cookie, no browser."""
        given = {"Authorization": f"Bearer {token or self.token}"}
        return self.service.get(f"/auth/xrpc/{nsid}", **given)

    def at_pds(self) -> list[Sent]:
        """Return the calls that have reached the PDS, not the challenges before."""
        return [one for one in self.world.network.sent() if "/xrpc/" in one.path]


def record_of(did: str, **changes: Any) -> dict[str, Any]:
    record = {"$type": TRACK, "title": "Blue"}
    return {"repo": did, "collection": TRACK, "record": record, **changes}


def opened(open_service: Callable[..., Service], **changes: Any) -> Caller:
    """Open a service that makes calls, and sign Alice in."""
    allow = changes.pop("allow", ALLOW)
    settings = {"scope": SCOPE, "xrpc_allow": XrpcAllowList.parse(allow), **changes}
    service = open_service(**settings)
    browser = service.browser()
    signs_in(service, browser, ALICE, username="alice")
    caller = Caller(service, browser)
    caller.gets(GET_SESSION)  # the PDS has named its nonce
    service.world.network.forget()
    return caller
