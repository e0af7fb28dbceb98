"""PUBLIC_URL: loopback development by default, else an https origin."""

from __future__ import annotations

import pytest

from app.config import VERSION
from tests.config.reading import LABORATORY, PRODUCTION, read, refusal


def test_nothing_set_is_loopback_development_on_port_8000():
    settings = read()

    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.is_loopback_development
    assert not settings.is_secure
    assert settings.is_plain_http_allowed
    assert settings.warnings == ()


def test_the_port_of_loopback_development_follows_bind():
    assert read(BIND="127.0.0.1:9001").public_url == "http://127.0.0.1:9001"


def test_default_public_url_follows_the_host_of_bind():
    assert read(BIND="[::1]:8000").public_url == "http://[::1]:8000"
    assert read(BIND="[::1]:80").public_url == "http://[::1]"
    assert read(BIND="0.0.0.0:8000").public_url == "http://127.0.0.1:8000"
    assert read(BIND="unix:/run/socket").public_url == "http://127.0.0.1:8000"


def test_the_default_port_of_http_is_not_written():
    assert read(BIND="127.0.0.1:80").public_url == "http://127.0.0.1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8123", "http://[::1]:8123"])
def test_an_explicit_loopback_url_is_loopback_development(url):
    settings = read(PUBLIC_URL=url)

    assert settings.public_url == url
    assert settings.is_loopback_development
    assert settings.host in {"127.0.0.1", "::1"}


def test_loopback_development_needs_no_secret_key():
    assert read().secret_key is None


def test_cookies_of_loopback_development_have_no_prefix():
    assert read().cookie_prefix == ""  # requirement 9.15
    assert read(PRODUCTION).cookie_prefix == "__Host-"


def test_public_bind_in_loopback_development_is_warned_about():
    (warning,) = read(BIND="0.0.0.0:8000").warnings

    assert warning.startswith("LATCHKEY_BIND: 0.0.0.0:8000 can be reached")


def test_production_serves_one_https_origin():
    settings = read(PRODUCTION)

    assert settings.public_url == "https://auth.platform.internal"
    assert settings.is_secure
    assert not settings.is_loopback_development
    assert not settings.is_plain_http_allowed
    assert settings.warnings == ()


def test_public_url_with_trailing_slash_is_accepted():
    settings = read(PRODUCTION, PUBLIC_URL="https://Auth.Platform.internal/")

    assert settings.public_url == "https://auth.platform.internal"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("auth.platform.internal", "not the URL of a server"),
        ("auth.platform.internal", "write https://auth.platform.internal"),
        ("https://auth.platform.internal/auth", "more than an origin"),
        ("https://auth.platform.internal?x=1", "more than an origin"),
        ("https://auth.platform.internal/#top", "more than an origin"),
        ("https://user@auth.platform.internal", "not the URL of a server"),
        ("https://user:word@auth.platform.internal", "not the URL of a server"),
        ("https://auth.platform.internal:8443", "must not have a port"),
        ("http://auth.platform.internal", "must be https"),
        ("http://localhost:8000", "must be https; only http://127.0.0.1:PORT"),
        ("https://localhost", "single word"),
        ("https://platform", "single word"),
        ("https://192.0.2.7", "is an address"),
        ("https://127.0.0.1", "is an address"),
        ("https://[2001:db8::1]", "is an address"),
        ("https://auth.platform.test", "servers refuse"),
        ("https://auth.platform.local", "servers refuse"),
        ("https://auth.platform.localhost", "servers refuse"),
        ("https://auth.platform.invalid", "servers refuse"),
        ("https://auth.platform.example", "servers refuse"),
        ("https://example.com", "servers refuse"),
        ("https://auth.example.org", "servers refuse"),
        ("https://auth.example.org", "example.com, example.net, example.org"),
        ("https://auth.example.org", ".localhost, .test"),
        ("https://x.googleusercontent.com", "servers refuse"),
        ("ftp://auth.platform.internal", "not the URL of a server"),
        ("https://auth.platform.internal\\@evil.org", "not the URL of a server"),
    ],
)
def test_public_url_that_servers_would_refuse_is_refused(url, why):
    (line,) = refusal(PRODUCTION, PUBLIC_URL=url)

    assert line.startswith("LATCHKEY_PUBLIC_URL: ")
    assert why in line


def test_lab_network_refuses_reserved_names_too():
    """Requirement 3.2: servers accept no client_id under .test, in any network."""
    (line,) = refusal(LABORATORY, PUBLIC_URL="https://auth.platform.test")

    assert "servers refuse" in line


def test_every_absolute_url_comes_from_the_public_url():
    settings = read(PRODUCTION)

    assert settings.client_id == (
        "https://auth.platform.internal/oauth-client-metadata.json"
    )
    assert settings.redirect_uri == "https://auth.platform.internal/auth/callback"
    assert settings.token_audience == "https://auth.platform.internal"
    assert settings.platform_name == "auth.platform.internal"


def test_the_client_id_is_one_of_the_two_documents_that_are_served():
    settings = read(PRODUCTION, CLIENT_METADATA_PATH="/auth/client-metadata.json")

    assert settings.client_id == (
        "https://auth.platform.internal/auth/client-metadata.json"
    )
    (line,) = refusal(PRODUCTION, CLIENT_METADATA_PATH="/client.json")
    assert "is not one of /oauth-client-metadata.json, /auth/client" in line


def test_user_agent_has_version_and_contact():
    assert read(PRODUCTION).user_agent == (
        f"Latchkey/{VERSION} (+https://auth.platform.internal)"
    )
    assert read().user_agent == f"Latchkey/{VERSION} (loopback development)"
