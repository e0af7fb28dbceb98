"""RETURN_HOSTS and LANDING_URL: where a finished login may lead."""

from __future__ import annotations

import pytest

from tests.config.reading import PRODUCTION, read, refusal


def test_public_host_and_cookie_domain_are_allowed_return_hosts():
    settings = read(PRODUCTION, COOKIE_DOMAIN="platform.internal")

    assert settings.allowed_return_hosts == {
        "auth.platform.internal",
        "platform.internal",
    }


def test_return_hosts_are_listed_with_commas():
    settings = read(PRODUCTION, RETURN_HOSTS="app.platform.org, PLAY.platform.org")

    assert settings.return_hosts == ("app.platform.org", "play.platform.org")
    assert "play.platform.org" in settings.allowed_return_hosts


@pytest.mark.parametrize(
    "host",
    [
        "https://app.platform.org",
        "*.platform.org",
        "app.platform.org/path",
        "app.platform.org:8443",
        "app platform.org",
        "app.platform.org.",
        "b\u00fccher.org",
    ],
)
def test_return_hosts_with_more_than_a_host_are_refused(host):
    (line,) = refusal(PRODUCTION, RETURN_HOSTS=host)

    assert line.startswith("LATCHKEY_RETURN_HOSTS: ")


def test_an_empty_entry_in_a_list_is_refused():
    (line,) = refusal(PRODUCTION, RETURN_HOSTS="app.platform.org,,b.platform.org")

    assert line == "LATCHKEY_RETURN_HOSTS: has an empty entry between its commas"


@pytest.mark.parametrize(
    "url",
    ["/auth/account", "/", "https://app.platform.internal/home?x=1"],
)
def test_landing_url_is_a_local_path_or_an_allowed_host(url):
    settings = read(PRODUCTION, COOKIE_DOMAIN="platform.internal", LANDING_URL=url)

    assert settings.landing_url == url


@pytest.mark.parametrize(
    "url",
    [
        "//evil.org",
        "/\\evil.org",
        "account",
        "javascript:alert(1)",
        "https://user@app.platform.internal/",
        "https://evil.org/",
        "https://app.platform.internal.evil.org/",
        "http://app.platform.internal/",
    ],
)
def test_landing_url_elsewhere_is_refused(url):
    (line,) = refusal(PRODUCTION, COOKIE_DOMAIN="platform.internal", LANDING_URL=url)

    assert line.startswith("LATCHKEY_LANDING_URL: ")
