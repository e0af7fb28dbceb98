"""Requests that other sites cause, forged names, security headers (requirements
9.8, 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.web.security.access import MARK
from tests.fakes.browser import AtHost, Browser
from tests.fakes.page import Page
from tests.service import HOME, Service

if TYPE_CHECKING:
    from tests.fakes.network import Answer

ALICE = "alice.skyhost.social"
PAGES = ["/auth/login", "/auth/logout", "/auth/account", "/auth/signup", "/nowhere"]
DOCUMENTS = [
    "/oauth-client-metadata.json",
    "/auth/client-metadata.json",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
]


def posting_routes(service: Service) -> list[str]:
    """Every rule that takes a form.

    Calls on a PDS are for sibling hosts as well (`test_xrpc.py`), native logins for
    programs alone (`test_native_login.py`); forward auth takes any method that a proxy
    holds, and changes nothing.
    """
    views = service.app.view_functions
    return sorted(
        rule.rule
        for rule in service.app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and getattr(views[rule.endpoint], MARK) == "form"
    )


def getting_routes(service: Service) -> list[str]:
    rules = service.app.url_map.iter_rules()
    plain = {r.rule for r in rules if "GET" in (r.methods or ()) and not r.arguments}
    return sorted(plain)


def test_the_application_takes_posts_where_we_think(standing: Service) -> None:
    """So that the tests below cover what there is."""
    assert set(posting_routes(standing)) >= {
        "/auth/login",
        "/auth/signup",
        "/auth/native/confirm",
    }


STRANGERS = [
    {"origin": "https://evil.cafe", "site": "cross-site"},
    {"origin": "https://app.platform.cafe", "site": "same-site"},
    {"origin": "null", "site": "cross-site"},
    {"origin": "null", "site": "same-site"},
    {"origin": "null", "site": "none"},
    {"origin": f"{HOME}:8443", "site": "same-site"},
    {"origin": "http://auth.platform.cafe", "site": "cross-site"},
    {"origin": "https://evil.cafe", "site": "same-origin"},
    {"origin": f"{HOME}.evil.cafe", "site": "cross-site"},
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
def test_form_post_from_another_site_is_refused_at_every_route(
    standing: Service, signed_in: Browser, stranger: dict[str, str]
) -> None:
    """Requirement 9.8: a sibling host's too, on every route that takes a POST."""
    standing.world.network.forget()

    for route in posting_routes(standing):
        page = signed_in.posts(route, {"identifier": ALICE}, **stranger)
        assert isinstance(page, Page)
        assert (page.status, page.error) == (403, "cross_site"), route
    assert standing.world.network.sent() == []
    assert signed_in.visits("/auth/session").status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.cafe", "null", "https://app.platform.cafe", ""]
)
def test_an_old_browser_is_judged_by_its_origin(standing: Service, origin: str) -> None:
    """Requirement 9.8: without Sec-Fetch-Site nothing but our own origin will do."""
    browser = standing.browser(fetch_metadata=False)

    for route in posting_routes(standing):
        answer = browser.requests(
            "POST",
            standing.home + route,
            headers={
                "Origin": origin,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        assert answer.status == 403, route


def test_a_post_that_says_nothing_about_its_origin_is_refused(
    standing: Service,
) -> None:
    """Requirement 9.8: fail closed."""
    browser = standing.browser(fetch_metadata=False)

    for route in posting_routes(standing):
        assert browser.requests("POST", standing.home + route).status == 403, route


def test_signing_out_by_a_link_of_another_site_asks_first(browser: Browser) -> None:
    """An image or a link elsewhere does not end a session."""
    browser.signs_in(ALICE, username="alice")

    page = browser.visits("/auth/logout", site="cross-site")

    assert page.status == 200
    assert any(form.action == "/auth/logout" for form in page.forms)
    assert browser.visits("/auth/session").status == 200


def test_signing_out_by_hand_needs_no_question(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    browser.visits("/auth/logout", site="none")

    assert browser.visits("/auth/session").status == 401


# --- forged names ---------------------------------------------------------------------


def all_of(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace") + str(answer.headers)


@pytest.mark.parametrize(
    "host", ["evil.cafe", "127.0.0.1", "localhost:8000", "evil.cafe:443"]
)
@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded"])
def test_a_forged_name_is_reflected_nowhere(
    standing: Service, host: str, header: str
) -> None:
    """Requirements 3.5, 3.31: absolute URLs come from settings; slash redirects
    included.
    """
    browser = standing.browser()
    value = f"host={host}" if header == "Forwarded" else host
    odd = ["/auth//login", "//auth/login", "/auth/login/", "/auth", "/auth/login//"]

    for path in [*getting_routes(standing), *odd]:
        answer = browser.requests("GET", standing.home + path, headers={header: value})
        assert "evil.cafe" not in all_of(answer), path
        assert "localhost" not in all_of(answer), path


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("host", ["evil.cafe", "127.0.0.1", "www.auth.platform.cafe"])
def test_documents_are_the_same_under_any_name(
    standing: Service, path: str, host: str
) -> None:
    """Requirement 3.5: byte for byte."""
    assert standing.get(path, Host=host).body == standing.get(path).body


def test_a_login_under_a_forged_name_keeps_our_own(
    standing: Service, visitor: Browser
) -> None:
    """Requirements 3.5, 3.31: client_id and redirect_uri do not move with the Host
    header.
    """
    answer = visitor.requests(
        "POST",
        f"{HOME}/auth/login",
        site="same-origin",
        body=f"identifier={ALICE}".encode(),
        headers={
            "Host": "127.0.0.1",
            "Origin": HOME,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )

    assert answer.status == 303
    pushed = standing.world.network.sent(path="/oauth/par")[-1].form
    assert pushed["client_id"] == f"{HOME}/oauth-client-metadata.json"
    assert pushed["redirect_uri"] == f"{HOME}/auth/callback"


# --- headers --------------------------------------------------------------------------


def test_every_response_has_the_security_headers(
    standing: Service, signed_in: Browser, visitor: Browser
) -> None:
    """Pages, errors, redirects and documents alike."""
    for browser in (signed_in, visitor):
        for path in [
            *getting_routes(standing),
            "/nowhere",
            "/auth/login?return_to=//x",
        ]:
            if path == "/auth/logout":
                continue
            answer = browser.requests("GET", HOME + path)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["X-Frame-Options"] == "DENY", path
            assert answer.headers["Strict-Transport-Security"], path
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
            assert answer.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
            assert "'none'" in answer.headers["Content-Security-Policy"], path


@pytest.mark.parametrize("query", ["", "?state=unknown&code=x", "?state=a&state=b"])
def test_callback_page_sends_no_referrer(visitor: Browser, query: str) -> None:
    """Requirement 6.20: its URL has a code, and no page is shown under it."""
    url = f"{HOME}/auth/callback{query}"
    answer = visitor.requests("GET", url, site="cross-site")

    assert answer.status == 303
    assert answer.headers["Location"] == "/auth/result"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert visitor.visits("/auth/result").error


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_nothing_that_is_not_ours(signed_in: Browser, path: str) -> None:
    """Strict policy, no inline script or style, no frame, nothing from elsewhere."""
    page = signed_in.visits(path, site="cross-site")

    policy = page.policy
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert page.headers["Cache-Control"] == "no-store"
    for tag, attributes in page.tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href") if tag != "a" else ():
            assert (attributes.get(name) or "/").startswith("/"), (tag, attributes)
        assert tag != "script" or attributes.get("src")


def test_forms_may_lead_to_any_host_but_not_by_a_frame(visitor: Browser) -> None:
    """Chromium applies form-action to the redirect to the person's own host."""
    page = visitor.opens_login()

    assert page.lets_forms_lead_to("https://as.skyhost.social/oauth/authorize")
    assert not page.lets_forms_lead_to("http://as.skyhost.social/")
    assert isinstance(page.types(ALICE), AtHost)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_public_documents_may_be_kept_and_read_by_anybody(
    standing: Service, path: str
) -> None:
    answer = standing.get(path)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in answer.headers
    etag = answer.headers["ETag"]
    assert standing.get(path, **{"If-None-Match": etag}).status == 304


def test_static_files_are_ours_and_kept_long(visitor: Browser) -> None:
    page = visitor.opens_login()
    files = [
        a.get("src") or a.get("href") for t, a in page.tags if t in {"script", "link"}
    ]

    assert files
    for path in files:
        answer = visitor.requests("GET", f"{HOME}{path}")
        assert answer.status == 200, path
        assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_api_answers_are_not_read_by_other_sites(signed_in: Browser) -> None:
    answer = signed_in.requests(
        "GET", f"{HOME}/auth/session", headers={"Origin": "https://evil.cafe"}
    )

    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
