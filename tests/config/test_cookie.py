"""COOKIE_NAME and COOKIE_DOMAIN of the platform cookie."""

from __future__ import annotations

import pytest

from tests.config.reading import PRODUCTION, read, refusal


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://auth.platform.internal", "platform.internal"),
        ("https://auth.platform.internal", ".Platform.internal"),
        ("https://auth.platform.internal", "auth.platform.internal"),
        ("https://auth.eu.platform.org", "platform.org"),
        ("https://auth.platform.co.uk", "platform.co.uk"),
        ("https://auth.someone.github.io", "someone.github.io"),
    ],
)
def test_cookie_domain_that_is_a_parent_of_our_host_is_accepted(url, domain):
    settings = read(PRODUCTION, PUBLIC_URL=url, COOKIE_DOMAIN=domain)

    assert settings.cookie_domain == domain.lower().removeprefix(".")


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://auth.platform.internal", "internal"),
        ("https://auth.platform.org", "org"),
        ("https://auth.platform.co.uk", "co.uk"),
        ("https://someone.github.io", "github.io"),
        ("https://auth.shop.myshopify.com", "myshopify.com"),
        ("https://auth.platform.xn--p1ai", "xn--p1ai"),
    ],
)
def test_cookie_domain_that_is_a_public_suffix_is_refused(url, domain):
    (line,) = refusal(PRODUCTION, PUBLIC_URL=url, COOKIE_DOMAIN=domain)

    assert line.startswith(f"LATCHKEY_COOKIE_DOMAIN: {domain} is a public suffix")


@pytest.mark.parametrize(
    "domain", ["other.internal", "form.internal", "login.auth.platform.internal"]
)
def test_cookie_domain_that_is_no_parent_of_our_host_is_refused(domain):
    (line,) = refusal(PRODUCTION, COOKIE_DOMAIN=domain)

    assert f"{domain} is no parent of auth.platform.internal" in line


@pytest.mark.parametrize("domain", ["127.0.0.1", "0.0.1", "platform.internal"])
def test_cookie_domain_in_loopback_development_is_refused(domain):
    (line,) = refusal(COOKIE_DOMAIN=domain)

    assert line.startswith("LATCHKEY_COOKIE_DOMAIN: ")


@pytest.mark.parametrize("name", ["platform token", "a;b", "a=b", "n\u00e4me"])
def test_malformed_cookie_name_is_refused(name):
    (line,) = refusal(COOKIE_NAME=name)

    assert "is no cookie name" in line


def test_host_cookie_name_with_cookie_domain_is_refused():
    (line,) = refusal(
        PRODUCTION, COOKIE_NAME="__Host-token", COOKIE_DOMAIN="platform.internal"
    )

    assert line == ("LATCHKEY_COOKIE_NAME: a __Host- cookie cannot have COOKIE_DOMAIN")


def test_cookie_name_defaults_to_a_host_cookie_without_a_parent_domain():
    alone = read(PRODUCTION)
    shared = read(PRODUCTION, COOKIE_DOMAIN="platform.internal")

    assert alone.cookie_name == "__Host-platform_token"
    assert alone.former_cookie_name == "platform_token"
    assert shared.cookie_name == read().cookie_name == "platform_token"
    assert shared.former_cookie_name is None
    assert read(PRODUCTION, COOKIE_NAME="platform_token").former_cookie_name is None


@pytest.mark.parametrize("name", ["__Host-token", "__Secure-token"])
def test_cookie_name_with_a_prefix_without_https_is_refused(name):
    assert read(PRODUCTION, COOKIE_NAME=name).cookie_name == name
    (line,) = refusal(COOKIE_NAME=name)
    assert "over https only" in line
