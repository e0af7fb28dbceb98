"""Checks of the service's URL and of the page's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native import NotALatchkeyServer, ServerUrlInvalid
from app.native.urls import LONGEST, parse_page_url, parse_server_url


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://auth.example.org", "https://auth.example.org"),
        ("https://auth.example.org/", "https://auth.example.org"),
        ("  https://AUTH.Example.org:443/ ", "https://auth.example.org"),
        ("HTTPS://auth.example.org.", "https://auth.example.org"),
        ("auth.example.org", "https://auth.example.org"),
        ("https://auth.example.org:8443", "https://auth.example.org:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://192.0.2.7", "https://192.0.2.7"),
    ],
)
def test_server_url_is_parsed_to_its_origin(text, origin):
    assert parse_server_url(text) == origin
    assert parse_server_url(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("", "https://", "https:///path", "https://:443", "ftp://auth.example.org"),
        *("http://auth.example.org", "http://localhost.example.org", "http://0.0.0.0"),
        *("http://192.168.0.7", "http://127.0.0.1.example.org", "http://[::2]"),
        "https://alice@auth.example.org",
        "https://alice:secret@auth.example.org",
        "https://auth.example.org@evil.example",
        "https://auth.example.org/auth/login",
        *("https://auth.example.org?x", "https://auth.example.org#x"),
        *("https://auth.example.org\\@evil.example", "https://auth.exa mple.org"),
        *("https://auth.example.org:99999", "https://auth.example.org:x"),
        *(
            "https://[::1",
            "https://\u0430uth.example.org",
            "https://auth\n.example.org",
        ),
        *("javascript://auth.example.org", "file:///etc/passwd"),
        "https://" + "a" * 3000,
    ],
)
def test_server_url_that_is_no_https_origin_raises(text):
    with pytest.raises(ServerUrlInvalid):
        parse_server_url(text)


@given(st.text(max_size=60))
def test_any_text_is_parsed_to_an_origin_or_raises(text):
    try:
        origin = parse_server_url(text)
    except ServerUrlInvalid:
        return

    assert parse_server_url(origin) == origin
    assert origin.startswith(("https://", "http://"))


@pytest.mark.parametrize(
    "url", ["https://auth.example.org/auth/native/open?login=x", "http://[::1]:8000/x"]
)
def test_page_url_of_https_or_loopback_is_accepted(url):
    assert parse_page_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "file:///etc/passwd",
        "http://example.org/",
        "mailto:a@b.c",
        "https://example.org/" + "a" * LONGEST,
    ],
)
def test_page_url_of_another_kind_raises(url):
    with pytest.raises(NotALatchkeyServer):
        parse_page_url(url)
