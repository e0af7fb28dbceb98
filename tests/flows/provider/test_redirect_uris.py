"""Redirect URIs: what can be registered, and what a request may name."""

from __future__ import annotations

import pytest

from app.flows.provider.redirect_uris import LONGEST, RedirectRules, base_of

RULES = RedirectRules(own_origin="https://auth.platform.cafe", is_development=False)
AT_HOME = RedirectRules(own_origin="http://127.0.0.1:8000", is_development=True)
CB = "https://app.example.org/cb"


@pytest.mark.parametrize(
    "uri",
    [CB, f"{CB}?a=b%2e", "https://app.example.org", "https://[2001:db8::1]:8443/cb"],
)
@pytest.mark.parametrize("is_public", [True, False])
def test_check_accepts_https(uri: str, is_public: bool) -> None:
    RULES.check(uri, is_public=is_public)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/cb",
        "http://[::1]:9000/cb",
        "http://localhost:1/cb",
        "com.example.app:/cb",
        "com.example.app://cb",
    ],
)
def test_check_accepts_an_app_on_a_desk_for_public_clients_alone(uri: str) -> None:
    RULES.check(uri, is_public=True)
    with pytest.raises(ValueError, match="public clients"):
        RULES.check(uri, is_public=False)


def test_check_accepts_http_loopback_with_a_secret_in_development() -> None:
    AT_HOME.check("http://127.0.0.1:4180/oauth2/callback", is_public=False)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/cb",
        "http://app.example.org/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1.example.org/cb",
        f"{CB}#part",
        f"{CB}#",
        "https://a@app.example.org/cb",
        "https://a:b@app.example.org/cb",
        "https://*.example.org/cb",
        f"{CB}/*",
        "https://app.example.org/a/../cb",
        "https://app.example.org/a/%2e%2E",
        "https://app.example.org/./cb",
        "https://app.example.org\\@evil.example/cb",
        "https://app%2eexample.org/cb",
        "https://app.example.org./cb",
        "https://app.example.org:0/cb",
        "https://app.example.org:65536/cb",
        "https://app.example.org:/cb",
        "https:app.example.org",
        "https:///cb",
        "https://äpp.example.org/cb",
        f"{CB} x",
        f"{CB}\n",
        f'{CB}"',
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript.x:alert",
        "java\tscript.x:/",
        "myapp:/cb",
        "urn:ietf:wg:oauth:2.0:oob",
        "https://auth.platform.cafe/cb",
        "https://AUTH.platform.cafe:443/auth/logout",
        "https://a.example/" + "x" * LONGEST,
    ],
)
def test_check_refuses(uri: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        RULES.check(uri, is_public=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_check_refuses_our_own_port_on_loopback(host: str) -> None:
    with pytest.raises(ValueError, match="itself"):
        AT_HOME.check(f"http://{host}:8000/cb", is_public=True)


# --- the URI of a request -------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        "https://APP.example.org/cb",
        f"{CB}/",
        "https://app.example.org:443/cb",
        "https://app.example.org/c%62",
        "https://app.example.org/%2e/cb",
        "https://a@app.example.org/cb",
        f"{CB}?",
        f"{CB}?x=1",
        f"{CB}#",
        "HTTPS://app.example.org/cb",
        "http://app.example.org/cb",
        "",
    ],
)
@pytest.mark.parametrize("is_public", [True, False])
def test_matches_compares_byte_for_byte(asked: str, is_public: bool) -> None:
    assert RULES.matches(CB, CB, is_public=is_public)
    assert not RULES.matches(CB, asked, is_public=is_public)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_matches_leaves_the_port_of_loopback_free_for_public_clients(
    host: str,
) -> None:
    registered, asked = f"http://{host}/cb?a=b", f"http://{host}:51234/cb?a=b"

    assert RULES.matches(registered, asked, is_public=True)
    assert RULES.matches(asked, registered, is_public=True)
    assert not RULES.matches(registered, asked, is_public=False)


@pytest.mark.parametrize(
    "asked",
    [
        "http://localhost:5/cb",
        "https://127.0.0.1:5/cb",
        "http://127.0.0.1:5/cb/",
        "http://127.0.0.1:5/c",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:05/cb",
        "http://a@127.0.0.1:5/cb",
        "http://127.0.0.1:5@evil.example/cb",
        "http://127.0.0.1:5/cb#x",
    ],
)
def test_matches_keeps_all_but_the_port_of_loopback(asked: str) -> None:
    assert not RULES.matches("http://127.0.0.1/cb", asked, is_public=True)


def test_matches_never_leads_to_our_own_port() -> None:
    registered = "http://127.0.0.1/auth/logout"

    assert AT_HOME.matches(registered, "http://127.0.0.1:9/auth/logout", is_public=True)
    assert not AT_HOME.matches(
        registered, "http://127.0.0.1:8000/auth/logout", is_public=True
    )


@pytest.mark.parametrize("url", ["app", "https://a/?b", "ftp://a", "https://-/"])
def test_base_of_refuses(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        base_of(url)


def test_base_of_cuts_the_last_slash() -> None:
    assert base_of("https://app.example.org/x/") == "https://app.example.org/x"
