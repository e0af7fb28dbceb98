"""The grammar of handles, DIDs and origins (requirements 1.4 to 1.10, 1.27, 2.3)."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.atproto.errors import DidMethodUnsupported, IdentifierInvalid
from app.atproto.syntax.grammar import (
    RESERVED_TLDS,
    Did,
    did_web_origin,
    host_of,
    is_handle,
    is_handle_resolvable,
    parse_did,
    parse_handle,
    parse_origin,
    parse_server_url,
)
from tests.atproto import vectors

PLC = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


# --- handles --------------------------------------------------------------------


@pytest.mark.parametrize("text", vectors.lines("syntax/handle_syntax_valid.txt"))
def test_parse_handle_accepts_every_valid_interop_handle(text: str) -> None:
    assert parse_handle(text) == text.lower()


@pytest.mark.parametrize("text", vectors.lines("syntax/handle_syntax_invalid.txt"))
def test_parse_handle_refuses_every_invalid_interop_handle(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_handle(text)


@pytest.mark.parametrize(
    "text",
    [
        "a.example\n",  # `$` in a pattern would accept this one
        "a.example\r",
        "\na.example",
        "a.ex\u017fmple",  # long s: equal to s when case is ignored
        "a.\u212aelvin.com",  # the Kelvin sign: the same with k
        "a.exam\uff50le",
        "a.\u0665.com",  # a digit, and not ours
        "a..example",
        "",
        "a" * 64 + ".com",
        ".".join(["a" * 61] * 4) + ".abcdefg",  # 254 characters
    ],
)
def test_parse_handle_refuses_text_that_resembles_a_handle(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_handle(text)


def test_a_handle_has_253_characters_at_most() -> None:
    longest = ".".join(["a" * 61] * 4) + ".abcde"
    assert len(longest) == 253

    assert parse_handle(longest) == longest
    assert not is_handle(longest + "f")


LABELS = st.from_regex(r"\A[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?\Z")
TLDS = st.from_regex(r"\A[a-zA-Z]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?\Z")
HANDLES = st.builds(
    lambda labels, tld: ".".join([*labels, tld]),
    st.lists(LABELS, min_size=1, max_size=5),
    TLDS,
)


@given(HANDLES)
def test_parse_handle_of_its_result_returns_it(text: str) -> None:
    once = parse_handle(text)

    assert parse_handle(once) == once
    assert once == text.lower()


@given(st.text())
@example("a.b\n")
def test_an_accepted_handle_is_lower_case_ascii_of_known_shape(text: str) -> None:
    if not is_handle(text):
        return
    handle = parse_handle(text)

    assert set(handle) <= set(string.ascii_lowercase + string.digits + "-.")
    assert len(handle.split(".")) >= 2
    assert len(handle) <= 253
    for label in handle.split("."):
        assert 0 < len(label) <= 63
        assert label.strip("-") == label


@pytest.mark.parametrize("tld", sorted(RESERVED_TLDS))
def test_handle_with_reserved_tld_is_not_resolvable(tld: str) -> None:
    """Requirement 1.5: with any switch."""
    handle = parse_handle(f"laptop.{tld}")

    assert not is_handle_resolvable(handle)
    assert not is_handle_resolvable(handle, allow_test=True)


def test_handle_invalid_is_not_resolvable() -> None:
    """Requirement 1.6."""
    assert not is_handle_resolvable(parse_handle("handle.invalid"))


def test_test_tld_is_resolvable_in_development_only() -> None:
    handle = parse_handle("alice.test")

    assert not is_handle_resolvable(handle)
    assert is_handle_resolvable(handle, allow_test=True)


@pytest.mark.parametrize("text", ["test.com", "local.app", "example.com", "a.exampleo"])
def test_a_reserved_word_is_only_reserved_at_the_end(text: str) -> None:
    assert is_handle_resolvable(parse_handle(text))


# --- DIDs -----------------------------------------------------------------------


@pytest.mark.parametrize("text", vectors.lines("syntax/did_syntax_valid.txt"))
def test_parse_did_accepts_every_valid_interop_did(text: str) -> None:
    """Most are of methods that are not resolved (requirement 1.8)."""
    method = text.split(":")[1]
    if method in {"plc", "web"}:
        assert parse_did(text, allow_localhost=True) == text
        return

    with pytest.raises(DidMethodUnsupported) as refusal:
        parse_did(text)

    assert refusal.value.method == method


@pytest.mark.parametrize("text", vectors.lines("syntax/did_syntax_invalid.txt"))
def test_parse_did_refuses_every_invalid_interop_did(text: str) -> None:
    with pytest.raises(IdentifierInvalid) as refusal:
        parse_did(text)

    assert not isinstance(refusal.value, DidMethodUnsupported)


@pytest.mark.parametrize(
    "text", [PLC, "did:web:example.com", "did:web:Sub.Example.COM", "did:web:a.b.c.io"]
)
def test_a_did_is_kept_byte_for_byte(text: str) -> None:
    assert parse_did(text) == text


@pytest.mark.parametrize("method", ["key", "ethr", "example", "webvh"])
def test_did_of_other_method_raises_did_method_unsupported(method: str) -> None:
    with pytest.raises(DidMethodUnsupported) as refusal:
        parse_did(f"did:{method}:zQ3sh")

    assert refusal.value.method == method


@pytest.mark.parametrize(
    "text",
    [
        PLC.upper(),
        "did:plc:" + PLC[8:].upper(),
        PLC[:-1],  # 23 characters
        PLC + "a",
        PLC[:-1] + "1",  # not base32
        PLC + "\n",
        "did:plc:",
        PLC + "/path",
        PLC + "#fragment",
        PLC + "?query",
    ],
)
def test_parse_did_refuses_impossible_did_plc(text: str) -> None:
    """Requirement 1.9."""
    with pytest.raises(IdentifierInvalid):
        parse_did(text)


@pytest.mark.parametrize(
    "text",
    [
        "did:web:a.com:user",
        "did:web:a.com%3A8443",
        "did:web:a.com%2Fuser",
        "did:web:localhost",
        "did:web:localhost%3A80",
        "did:web:a",
        "did:web:a.local",
        "did:web:a.test",
        "did:web:handle.invalid",
        "did:web:127.0.0.1",
        "did:web:a_b.com",
        "did:web:a.com.",
        "did:web:-a.com",
    ],
)
def test_did_web_of_private_host_path_or_port_is_refused(text: str) -> None:
    """Requirement 1.10."""
    with pytest.raises(IdentifierInvalid):
        parse_did(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("did:web:localhost", "http://localhost"),
        ("did:web:localhost%3A8080", "http://localhost:8080"),
        ("did:web:localhost%3a80", "http://localhost"),
    ],
)
def test_development_accepts_did_web_localhost(text: str, origin: str) -> None:
    assert did_web_origin(parse_did(text, allow_localhost=True)) == origin


def test_a_port_out_of_range_is_no_did_web_in_development_either() -> None:
    with pytest.raises(IdentifierInvalid):
        parse_did("did:web:localhost%3A65536", allow_localhost=True)


def test_development_may_have_a_did_web_under_test() -> None:
    assert parse_did("did:web:a.test", allow_test=True) == "did:web:a.test"


def test_a_did_web_is_served_by_its_host_over_https() -> None:
    assert did_web_origin(Did("did:web:Alice.Example.com")) == (
        "https://alice.example.com"
    )


# --- origins --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://pds.example.com", "https://pds.example.com"),
        ("https://pds.example.com/", "https://pds.example.com"),
        ("HTTPS://PDS.Example.com", "https://pds.example.com"),
        ("https://pds.example.com:443", "https://pds.example.com"),
        ("https://pds.example.com:8443/", "https://pds.example.com:8443"),
        ("https://xn--bcher-kva.tld", "https://xn--bcher-kva.tld"),
    ],
)
def test_an_origin_is_normalised(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


HOSTILE = [
    "http://pds.example.com",
    "https://u@pds.example.com",
    "https://u:p@pds.example.com",
    "https://pds.example.com\\@evil.com",
    "https://evil.com\\.pds.example.com",
    "https:pds.example.com",
    "https:///pds.example.com",
    "//pds.example.com",
    "pds.example.com",
    "javascript://pds.example.com",
    "data:text/html,x",
    "ftp://pds.example.com",
    "https://127.0.0.1",
    "https://2130706433",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://localhost",
    "https://pds",
    "https://pds.example.com:",
    "https://pds.example.com:0",
    "https://pds.example.com:65536",
    "https://pds.example.com:99999",
    "https://pds.example.com:+443",
    "https://pds.example.com:4\u0664",
    " https://pds.example.com",
    "https://pds.example.com ",
    "https://pds.example.com\n",
    "https://pds.exa\tmple.com",
    "https://pds%2eexample.com",
    "https://b\u00fccher.example.com",
    "https://pds.example.com\u3002evil.com",
    "https://pds_.example.com",
    "https://.example.com",
    "https://pds.example.com.",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_parse_origin_refuses_hostile_urls(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_origin(text)
    with pytest.raises(IdentifierInvalid):
        parse_server_url(text)


@pytest.mark.parametrize(
    "rest", ["/x", "//", "/?", "?", "?a=b", "#", "#a", "/.well-known", "/%2e", "/\n"]
)
def test_path_after_origin_is_refused_and_cut_off_typed_url(rest: str) -> None:
    """Requirements 1.27, 2.11."""
    with pytest.raises(IdentifierInvalid):
        parse_origin("https://pds.example.com" + rest)

    assert parse_server_url("https://pds.example.com" + rest) == (
        "https://pds.example.com"
    )


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://localhost:2583", "http://localhost:2583"),
        ("http://localhost:80/", "http://localhost"),
        ("http://127.0.0.1:2583", "http://127.0.0.1:2583"),
        ("http://[::1]:2583", "http://[::1]:2583"),
        ("https://pds.test", "https://pds.test"),
        ("http://pds", "http://pds"),
    ],
)
def test_development_accepts_hosts_without_public_names(text: str, origin: str) -> None:
    """Requirement 2.14: behind the switch alone."""
    assert parse_origin(text, allow_http=True) == origin


@pytest.mark.parametrize(
    "text", ["http://[::1", "http://[x]", "http://[1:2]", "http://-a", "http://u@h"]
)
def test_development_refuses_broken_urls(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_origin(text, allow_http=True)


@given(st.from_regex(r"\A[Hh]ttps://[A-Za-z0-9.\[\]:@\\/-]{1,30}\Z"))
def test_an_accepted_origin_is_its_own_origin(text: str) -> None:
    try:
        origin = parse_origin(text)
    except IdentifierInvalid:
        return

    assert parse_origin(origin) == origin
    assert is_handle(host_of(origin))
    assert origin.startswith("https://")
    assert origin.count("/") == 2
