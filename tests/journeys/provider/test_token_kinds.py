"""No token passes for another: each kind fails at every door but its own (P17)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from app.factory.web import create_app
from latchkey_verify import NotSignedIn, Verifier
from tests.fakes.app import App as NativeApp
from tests.fakes.app import confirms
from tests.fakes.world import World
from tests.journeys.provider.back_channel import CB, VERIFIER, App, basic
from tests.printed import listening
from tests.service import Service, close, outside_of
from tests.signed import signs_in
from tests.test_readme_verification import python_example, signed_in_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fakes.browser import Browser

KINDS = ("platform", "id", "access", "refresh", "feed", "native", "code")

OWN = {
    "verify": {"platform"},
    "verify by cookie": {"platform"},
    "session": {"platform"},
    "xrpc": {"platform"},
    "users": {"platform"},
    "readme": {"platform"},
    "package": {"platform"},
    "userinfo": {"access"},
    "introspect": {"access", "refresh"},
    "revoke": {"access", "refresh"},
    "refresh": {"refresh"},
    "exchange": {"code"},
    "native refresh": {"native"},
}
"""Which kinds open a door."""


USING_UP = {"revoke", "refresh"}
"""Doors after which a token is another one, or none."""


class Doors:
    """One service, an app with tokens, and every place that takes some token."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.platform = signed_in_token(service)
        native = NativeApp(service).starts("alice.skyhost.social", app_name="Sketch")
        confirms(service.browser(), native)
        self.native = native.asks().json()["refresh_token"]
        native.acknowledges()
        self.app = App.added(service)
        self.readme = python_example(service)
        self.package = Verifier(service.home, fetch=self._fetches)

    def _fetches(self, url: str, *_: Any, **__: Any) -> bytes:
        return self.service.get(url.removeprefix(self.service.home)).body

    def token(self, kind: str) -> str:
        """Return a token that nothing has used yet."""
        if kind in {"platform", "native"}:
            return str(getattr(self, kind))
        if kind == "feed":
            return self._fetches("/auth/revocations").decode()
        if kind == "code":
            return self.app.code()
        return str(self.app.signs_in()[f"{kind}_token"])

    def opens(self, door: str, token: str) -> bool:
        """Tell whether a door opens for a token."""
        doors: Mapping[str, Callable[[str], bool]] = {
            "verify": lambda t: self._bearer("/auth/verify", t),
            "verify by cookie": lambda t: self._gets(
                "/auth/verify", Cookie=f"platform_token={t}"
            ),
            "session": lambda t: self._bearer("/auth/session", t),
            "xrpc": lambda t: self._gets_code("/auth/xrpc/com.example.x", t) != 401,
            "users": lambda t: self._bearer("/auth/users/alice", t),
            "readme": lambda t: self.readme(t) is not None,
            "package": self._by_package,
            "userinfo": lambda t: self.app.userinfo(t).status == 200,
            "introspect": lambda t: self.app.introspects(t)["active"],
            "revoke": self._revokes,
            "refresh": lambda t: self.app.refreshes(t).status == 200,
            "exchange": lambda t: self.app.redeems(t).status == 200,
            "native refresh": self._refreshes_native,
        }
        return doors[door](token)

    def _bearer(self, path: str, token: str) -> bool:
        return self._gets(path, Authorization=f"Bearer {token}")

    def _gets(self, path: str, **headers: str) -> bool:
        return self.service.get(path, **headers).status == 200

    def _gets_code(self, path: str, token: str) -> int:
        return self.service.get(path, Authorization=f"Bearer {token}").status

    def _by_package(self, token: str) -> bool:
        try:
            self.package.verify(token)
        except NotSignedIn:
            return False
        return True

    def _revokes(self, token: str) -> bool:
        """Tell whether the revocation of a token ended anything."""
        tables = ("provider_tokens", "provider_grants", "sessions", "provider_codes")
        before = [self._living(table) for table in tables]
        assert self.app.revokes(token).status == 200
        return [self._living(table) for table in tables] != before

    def _living(self, table: str) -> Any:
        alive = {"sessions": "ended_at IS NULL", "provider_codes": "used_at IS NULL"}
        condition = alive.get(table, "1 = 1")
        return self.service.rows(
            f"SELECT COUNT(*) FROM {table} WHERE {condition}"  # noqa: S608 - our names
        )

    def _refreshes_native(self, token: str) -> bool:
        browser = self.service.browser(fetch_metadata=False)
        answer = browser.requests(
            "POST",
            f"{self.service.home}/auth/native/refresh",
            body=json.dumps({"refresh_token": token}).encode(),
            headers={"Content-Type": "application/json"},
        )
        return answer.status == 200


@pytest.fixture
def doors(open_service: Callable[..., Service], world: World) -> Iterator[Doors]:
    world.clock.advance(time.time() - world.clock())
    with listening(
        open_service, rate_limit_failed_tokens_per_address="1000/minute"
    ) as service:
        yield Doors(service)


def test_each_kind_of_token_opens_its_own_doors_alone(doors: Doors) -> None:
    opened: dict[str, set[str]] = {}
    tokens = {kind: doors.token(kind) for kind in KINDS}
    for door in OWN:
        if door in USING_UP:
            tokens |= {kind: doors.token(kind) for kind in ("refresh", "access")}
        opened[door] = {kind for kind in KINDS if doors.opens(door, tokens[kind])}

    assert opened == OWN


def test_id_token_and_feed_are_told_apart_by_more_than_their_audience(
    doors: Doors,
) -> None:
    """No header names a type that another door takes (RFC 8725 section 3.11)."""

    types = {
        kind: jwt.get_unverified_header(doors.token(kind)).get("typ")
        for kind in ("platform", "id", "feed")
    }

    assert types == {"platform": "JWT", "id": None, "feed": "revocations+jwt"}


def test_client_whose_id_becomes_the_token_audience_gets_no_id_token(
    browser: Browser, service: Service, world: World
) -> None:
    """P18: services compare `aud` with TOKEN_AUDIENCE, which an operator may change."""
    signs_in(service, browser, "alice.skyhost.social", username="alice")
    app = App.added(service)
    settings = service.settings.model_copy(update={"token_audience": "App"})
    other = create_app(settings, outside=outside_of(world, settings))
    body = {"grant_type": "authorization_code", "code": app.code(), "redirect_uri": CB}

    answer = other.test_client().post(
        "/oauth/token",
        data={**body, "code_verifier": VERIFIER},
        headers={"Authorization": basic("app", str(app.secret))},
    )

    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
    close(other)
