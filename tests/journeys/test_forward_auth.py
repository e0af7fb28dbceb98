"""/auth/verify: what a proxy in front of another service is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.browser import Browser, query_of
from tests.fakes.network import Answer
from tests.fakes.world import World
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
ROSIE = "rosies.garden"
FORUM = "https://forum.platform.cafe/t/42?page=2&sort=new"
NAMES = ["User", "Did", "Handle", "Session", "Groups"]
BY_URL = {"X-Original-URL": FORUM}
BY_PARTS = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "forum.platform.cafe",
    "X-Forwarded-Uri": "/t/42?page=2&sort=new",
}


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return cookie.value


def asks(
    service: Service, token: str | None, path: str = "/auth/verify", **headers: str
) -> Answer:
    """Ask as a proxy does: with the cookie of the request that it holds."""
    if token is not None:
        headers["Cookie"] = f"theirs=1; platform_token={token}"
    return service.get(path, **{"Accept": "text/html", **headers})


def told(answer: Answer) -> dict[str, str | None]:
    return {name: answer.headers.get(f"X-Auth-Request-{name}") for name in NAMES}


# --- who it is ------------------------------------------------------------------------


def test_a_person_is_named_in_headers_by_cookie_and_by_bearer(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    [(sid,)] = service.rows("SELECT sid FROM sessions")

    by_cookie = asks(service, token)
    by_bearer = service.get("/auth/verify", Authorization=f"Bearer {token}")

    assert by_cookie.status == by_bearer.status == 200
    assert by_cookie.body == b""
    assert "Set-Cookie" not in by_cookie.headers
    assert told(by_cookie) == told(by_bearer)
    assert told(by_cookie) == {
        "User": "alice",
        "Did": world.alice.did,
        "Handle": ALICE,
        "Session": sid,
        "Groups": "",
    }


def test_a_person_without_a_handle_has_an_empty_one(
    service: Service, world: World
) -> None:
    """There all the same: what a client sent under that name never passes."""
    browser = signs_in(service, service.browser(), ROSIE, username="rosie")
    world.home(ROSIE).did = None
    world.clock.advance(3600)
    browser.signs_in(world.rosie.did, prompt="login")

    answer = asks(service, token_of(browser))

    assert answer.status == 200
    assert told(answer)["Handle"] == ""


def test_verify_headers_contain_no_line_breaks(
    alice: Browser, service: Service
) -> None:
    """Not even if the database were made to say so."""
    service.rows("UPDATE users SET username = ?", "alice\r\nX-Admin: yes\u2028")
    alice.visits("/auth/login")

    answer = asks(service, token_of(alice))

    assert answer.status == 200
    assert "X-Admin" not in answer.headers
    assert told(answer)["User"] == "alice%0D%0AX-Admin:%20yes%E2%80%A8"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_envoy_asks_with_the_method_and_the_path_that_it_holds(
    signed_in: Browser, standing: Service, method: str
) -> None:
    token = token_of(signed_in)
    outsider = standing.browser(fetch_metadata=False)
    url = f"{HOME}/auth/verify/t/42/likes?page=2"

    known = outsider.requests(method, url, headers={"Authorization": f"Bearer {token}"})
    unknown = outsider.requests(method, url)

    assert (known.status, unknown.status) == (200, 401)
    assert told(known)["User"] == "rosie"


# --- not signed in --------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "é" * 40, "x" * 9_000])
def test_verify_without_token_returns_401_with_challenge(
    standing: Service, token: str | None
) -> None:
    answer = asks(standing, token)

    assert answer.status == 401
    assert answer.json()["error"] == "not_signed_in"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert told(answer) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("headers", [BY_URL, BY_PARTS], ids=["nginx", "caddy"])
def test_a_browser_is_led_to_login_and_back(
    service: Service, headers: dict[str, str]
) -> None:
    answer = asks(service, None, "/auth/verify?redirect=1", **headers)

    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.startswith(f"{HOME}/auth/login?")
    assert query_of(location) == {"return_to": FORUM}
    browser = service.browser()
    assert browser.visits(location).types(ALICE).approves().chooses("alice").url == (
        FORUM
    )


def test_a_refusal_says_where_to_sign_in_for_proxies_that_pass_on_no_redirect(
    service: Service,
) -> None:
    answer = asks(service, None, **BY_URL)

    assert answer.status == 401
    assert query_of(answer.headers["Location"]) == {"return_to": FORUM}


@pytest.mark.parametrize(
    "original",
    [
        "https://evil.example/",
        "https://forum.platform.cafe.evil.example/",
        "https://forum.platform.cafe@evil.example/",
        "https://evil.example\\.forum.platform.cafe/",
        "http://forum.platform.cafe/",
        "https://forum.platform.cafe:8443/",
        "//evil.example/",
        "/t/42",
        "javascript:alert(1)",
        "https://forum.platform.cafe/" + "x" * 3_000,
    ],
)
def test_no_proxy_header_makes_an_open_redirect(
    standing: Service, original: str
) -> None:
    """Requirement 9.9."""
    answer = asks(
        standing, None, "/auth/verify?redirect=1", **{"X-Original-URL": original}
    )

    assert answer.status == 302
    assert answer.headers["Location"] == f"{HOME}/auth/login"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example, forum.platform.cafe"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Uri", "@evil.example/"),
        ("X-Forwarded-Uri", ".evil.example/"),
        ("Host", "evil.example"),
    ],
)
def test_no_part_of_an_address_makes_an_open_redirect(
    standing: Service, name: str, value: str
) -> None:
    answer = asks(standing, None, "/auth/verify?redirect=1", **BY_PARTS | {name: value})

    assert answer.headers["Location"].startswith(f"{HOME}/auth/login")
    assert "evil" not in answer.headers["Location"]


# --- what ends ------------------------------------------------------------------------


def test_verify_after_sign_out_is_refused_within_ten_seconds(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    assert asks(service, token).status == 200
    alice.signs_out()

    world.clock.advance(10)

    assert asks(service, token).status == 401


def test_a_disabled_user_is_refused_within_ten_seconds(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    assert asks(service, token).status == 200
    service.rows("UPDATE users SET disabled_at = 1")

    world.clock.advance(10)

    answer = asks(service, token, Accept="*/*")
    assert (answer.status, answer.json()["error"]) == (403, "account_disabled")
    page = asks(service, token)
    assert (page.status, 'data-error="account_disabled"' in page.body.decode()) == (
        403,
        True,
    )


def test_a_token_is_refused_at_its_expiry_and_not_later(
    alice: Browser, service: Service, world: World
) -> None:
    """However lately it was looked at."""
    token = token_of(alice)
    world.clock.advance(24 * 3600 - 2)
    assert asks(service, token).status == 200

    world.clock.advance(2)

    assert asks(service, token).status == 401


def test_a_token_that_was_seen_just_now_costs_no_look_at_the_database(
    alice: Browser, service: Service
) -> None:
    token = token_of(alice)
    asks(service, token)
    service.rows("ALTER TABLE sessions RENAME TO gone")

    assert asks(service, token).status == 200
    assert asks(service, token + "x").status == 401


def test_verify_of_an_unknown_token_during_an_outage_returns_503(
    alice: Browser, service: Service
) -> None:
    service.rows("ALTER TABLE sessions RENAME TO gone")

    answer = asks(service, token_of(alice))

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "10"


def test_verify_during_an_outage_passes_sessions_of_the_last_minute(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    assert asks(service, token).status == 200
    service.rows("ALTER TABLE sessions RENAME TO gone")

    world.clock.advance(59)
    assert asks(service, token).status == 200
    world.clock.advance(1)
    assert asks(service, token).status == 503


def test_verify_during_an_outage_refuses_a_session_that_was_seen_ended(
    alice: Browser, service: Service, world: World
) -> None:
    """A refusal is remembered: the outage does not bring the session back."""
    token = token_of(alice)
    assert asks(service, token).status == 200
    alice.signs_out()
    world.clock.advance(6)
    assert asks(service, token).status == 401
    service.rows("ALTER TABLE sessions RENAME TO gone")

    assert asks(service, token).status == 503


def test_verify_during_an_outage_passes_a_known_cookie_behind_an_unknown_one(
    alice: Browser, service: Service
) -> None:
    known = token_of(alice)
    assert asks(service, known).status == 200
    other = signs_in(service, service.browser(), "bob.skyhost.social", username="bob")
    service.rows("ALTER TABLE sessions RENAME TO gone")

    cookies = f"platform_token={token_of(other)}; platform_token={known}"

    assert asks(service, None, Cookie=cookies).status == 200


# --- what proxies and browsers do -----------------------------------------------------

ELSEWHERE = "Bearer glsa_AbCdEf0123456789_1a2b3c4d"
BACKGROUND = {
    "fetch": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"},
    "same-origin fetch": {"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty"},
    "image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "script": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    "event source": {"Sec-Fetch-Mode": "cors", "Accept": "text/event-stream"},
    "websocket": {"Sec-Fetch-Mode": "websocket", "Upgrade": "websocket"},
    "old XHR": {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html"},
    "JSON": {"Accept": "application/json"},
    "anything": {"Accept": "*/*"},
}
NAVIGATION = {
    "navigation": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    "frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "old browser": {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
}
PREFLIGHT = {
    "X-Forwarded-Method": "OPTIONS",
    "Origin": "https://app.platform.cafe",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
    **BY_PARTS,
}


@pytest.mark.parametrize("kind", BACKGROUND)
def test_verify_redirect_of_a_background_request_returns_401(
    standing: Service, kind: str
) -> None:
    headers = {"Accept": "*/*", **BY_PARTS, **BACKGROUND[kind]}
    answer = standing.get("/auth/verify?redirect=1", **headers)

    assert answer.status == 401
    assert query_of(answer.headers["Location"]) == {"return_to": FORUM}


@pytest.mark.parametrize("kind", NAVIGATION)
def test_verify_redirect_of_a_navigation_returns_302(
    standing: Service, kind: str
) -> None:
    headers = {"Accept": "*/*", **BY_PARTS, **NAVIGATION[kind]}

    assert standing.get("/auth/verify?redirect=1", **headers).status == 302


@pytest.mark.parametrize("upgraded", [True, False])
def test_verify_of_a_websocket_upgrade_answers_as_for_a_request(
    signed_in: Browser, standing: Service, *, upgraded: bool
) -> None:
    upgrade = {
        "Connection": "keep-alive, Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    token = token_of(signed_in) if upgraded else None

    answer = asks(standing, token, **upgrade)

    assert answer.status == (200 if upgraded else 401)


@pytest.mark.parametrize("bearer", [ELSEWHERE, "Bearer x", "Bearer a.b.c", "Bearer"])
def test_verify_with_a_foreign_bearer_falls_back_to_the_cookie(
    signed_in: Browser, standing: Service, bearer: str
) -> None:
    answer = asks(standing, token_of(signed_in), Authorization=bearer)

    assert (answer.status, told(answer)["User"]) == (200, "rosie")
    assert standing.get("/auth/verify", Authorization=bearer).status == 401


def test_session_with_a_foreign_bearer_does_not_fall_back_to_the_cookie(
    signed_in: Browser, standing: Service
) -> None:
    """At /auth/verify alone: elsewhere the caller of an API chose its token."""
    answer = asks(
        standing, token_of(signed_in), "/auth/session", Authorization=ELSEWHERE
    )

    assert answer.status == 401


@pytest.mark.parametrize("path", ["/auth/verify", "/auth/session"])
@pytest.mark.parametrize("stale", ["x", "a.b.c", "", "\u00e9"])
def test_stale_cookie_before_the_valid_one_does_not_hide_it(
    signed_in: Browser, standing: Service, path: str, stale: str
) -> None:
    pair = f"platform_token={stale}; platform_token={token_of(signed_in)}"

    assert standing.get(path, Cookie=pair).status == 200


def test_verify_tries_no_more_than_four_cookies_of_one_name(
    signed_in: Browser, standing: Service
) -> None:
    many = "platform_token=a.b.c; " * 4 + f"platform_token={token_of(signed_in)}"

    assert standing.get("/auth/verify", Cookie=many).status == 401


@pytest.mark.parametrize("path", ["/auth/verify", "/auth/verify?redirect=1"])
def test_verify_of_a_preflight_returns_401_by_default(
    standing: Service, path: str
) -> None:
    answer = standing.get(path, **PREFLIGHT)

    assert answer.status == 401
    assert "Location" not in answer.headers


def test_verify_of_a_preflight_passes_without_a_name_when_it_is_set_to(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(forward_auth_preflight="pass")
    plain = {k: v for k, v in PREFLIGHT.items() if not k.startswith("Access-Control")}

    answer = service.get("/auth/verify?redirect=1", **PREFLIGHT)

    assert answer.status == 200
    assert told(answer) == dict.fromkeys(NAMES, "")
    assert service.get("/auth/verify", **plain).status == 401
    posting = PREFLIGHT | {"X-Forwarded-Method": "POST"}
    assert service.get("/auth/verify", **posting).status == 401
    assert service.get("/auth/verify").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "forum.platform.cafe:443"},
        {"X-Forwarded-Proto": "https, http"},
        {"X-Forwarded-Host": "forum.platform.cafe, 10.0.0.1"},
        {"X-Original-URL": "https://forum.platform.cafe:443/t/42?page=2&sort=new"},
    ],
    ids=str,
)
def test_verify_reads_the_ways_in_which_proxies_spell_an_address(
    service: Service, headers: dict[str, str]
) -> None:
    answer = asks(service, None, "/auth/verify?redirect=1", **BY_PARTS | headers)

    assert query_of(answer.headers["Location"]) == {"return_to": FORUM}


def test_verify_of_a_raw_utf_8_path_leads_back_to_the_escaped_path(
    service: Service,
) -> None:
    raw = "/caf\u00e9 1?q=\u00fc".encode().decode("latin-1")

    answer = asks(
        service, None, "/auth/verify?redirect=1", **BY_PARTS | {"X-Forwarded-Uri": raw}
    )

    escaped = "https://forum.platform.cafe/caf%C3%A9%201?q=%C3%BC"
    assert query_of(answer.headers["Location"]) == {"return_to": escaped}
