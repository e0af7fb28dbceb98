"""What people type and paste, and what we make of it (requirements 1.1 to 1.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.atproto.errors import DidMethodUnsupported, IdentifierInvalid
from app.atproto.syntax.grammar import Did, Handle, Origin
from app.atproto.syntax.identifier import (
    LONGEST_INPUT,
    DidIdentifier,
    HandleIdentifier,
    ServerIdentifier,
    parse_identifier,
)
from tests.atproto import vectors

PLC = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
ALICE = "alice.skyhost.social"

HANDLES = {
    "plain": ALICE,
    "an @ before it": f"@{ALICE}",
    "two": f"@@{ALICE}",
    "capitals": "Alice.SkyHost.Social",
    "white space around it": f"  \t{ALICE}\r\n",
    "no-break spaces around it": f"\u00a0{ALICE}\u202f",
    "direction marks, as profile pages have them": f"\u202a@{ALICE}\u202c",
    "isolates": f"\u2068{ALICE}\u2069",
    "right-to-left marks inside": "alice\u200f.skyhost\u200e.social",
    "zero-width space": f"\u200b{ALICE}\u200b",
    "zero-width joiners inside": "al\u200dice.sky\u200chost.social",
    "byte order mark": f"\ufeff{ALICE}",
    "soft hyphen": "ali\u00adce.skyhost.social",
    "word joiner": f"{ALICE}\u2060",
    "null and escape": f"\x00{ALICE}\x1b",
    "full-width @": f"\uff20{ALICE}",
    "small @": f"\ufe6b{ALICE}",
    "full-width letters": "\uff41lice.skyhost.social",
    "full-width full stops": "alice\uff0eskyhost\uff0esocial",
    "the full stop of a CJK keyboard": "alice\u3002skyhost\u3002social",
    "its half-width form": "alice\uff61skyhost\uff61social",
    "a sentence's full stop": f"{ALICE}.",
    "more of them": f"{ALICE}...",
    "a comma": f"{ALICE},",
    "quotation marks": f'"{ALICE}"',
    "typographic ones": f"\u201c@{ALICE}\u201d",
    "backticks": f"`{ALICE}`",
    "brackets": f"({ALICE}).",
    "angle brackets": f"<{ALICE}>",
    "a space after a dot, as phones write it": "alice. skyhost .social",
    "a space after the @": f"@ {ALICE}",
    "at-uri": f"at://{ALICE}",
    "at-uri with an @": f"at://@{ALICE}",
    "at-uri in capitals": f"AT://{ALICE}",
    "at-uri of a record": f"at://{ALICE}/app.bsky.feed.post/3jwdwj2ctlk26",
    "at-uri with a slash": f"at://{ALICE}/",
    "profile page": f"https://bsky.app/profile/{ALICE}",
    "profile page with a slash": f"https://bsky.app/profile/{ALICE}/",
    "a post of theirs": f"https://bsky.app/profile/{ALICE}/post/3jwdwj2ctlk26",
    "profile page with a query": f"https://bsky.app/profile/{ALICE}?ref_src=embed",
    "profile page, plain http": f"http://bsky.app/profile/{ALICE}",
    "profile page without a scheme": f"bsky.app/profile/{ALICE}",
    "profile page in capitals": "HTTPS://BSKY.APP/profile/Alice.Skyhost.Social",
    "profile page of another app": f"https://deer.social/profile/{ALICE}",
    "profile page on a port": f"https://localhost.app:8443/profile/{ALICE}",
    "profile page with an @": f"https://frontpage.fyi/profile/@{ALICE}",
    "a name after an @ in a path": f"https://tangled.org/@{ALICE}/repository",
    "a router in the fragment": f"https://app.net/#/profile/{ALICE}",
    "an escaped @": f"https://tangled.org/%40{ALICE}",
    "a trailing slash": f"{ALICE}/",
}


@pytest.mark.parametrize("text", HANDLES.values(), ids=HANDLES.keys())
def test_pasted_text_with_handle_is_read_as_handle(text: str) -> None:
    found = parse_identifier(text)

    assert found == HandleIdentifier(value=Handle(ALICE), completed=False)
    assert found.login_hint == ALICE


DIDS = {
    "plain": PLC,
    "an @ before it": f"@{PLC}",
    "white space around it": f" {PLC}\n",
    "direction marks": f"\u2066{PLC}\u2069",
    "full-width colons": PLC.replace(":", "\uff1a"),
    "at-uri": f"at://{PLC}",
    "at-uri of a record": f"at://{PLC}/app.bsky.feed.post/3jwdwj2ctlk26",
    "profile page": f"https://bsky.app/profile/{PLC}",
    "profile page without a scheme": f"bsky.app/profile/{PLC}/feed/x",
    "escaped in a profile page": f"https://bsky.app/profile/{PLC.replace(':', '%3A')}",
    "a record browser": f"https://pdsls.dev/at://{PLC}/app.bsky.actor.profile",
    "the directory's own page": f"https://plc.directory/{PLC}",
    "the same without a scheme": f"plc.directory/{PLC}",
    "a log": f"https://plc.directory/{PLC}/log/audit",
}


@pytest.mark.parametrize("text", DIDS.values(), ids=DIDS.keys())
def test_pasted_text_with_did_is_read_as_did(text: str) -> None:
    found = parse_identifier(text)

    assert found == DidIdentifier(value=Did(PLC))
    assert found.login_hint == PLC


def test_a_did_web_keeps_its_case() -> None:
    """Requirement 1.2: only handles are lower-cased."""
    assert parse_identifier("did:web:Alice.Example.COM").value == (
        "did:web:Alice.Example.COM"
    )


SERVERS = {
    "plain": "https://skyhost.social",
    "a slash": "https://skyhost.social/",
    "a path": "https://skyhost.social/account/login",
    "a query and a fragment": "https://skyhost.social/?a=b#c",
    "capitals": "HTTPS://SkyHost.Social",
    "the default port": "https://skyhost.social:443/",
    "white space": " https://skyhost.social ",
    "a path that is not ASCII": "https://skyhost.social/\u00fcber",
    "a person of another network": "https://skyhost.social/@alice",
    "a page that is no profile": "https://skyhost.social/profile/settings",
    "two @ in a path": "https://skyhost.social/@alice@other.social",
}


@pytest.mark.parametrize("text", SERVERS.values(), ids=SERVERS.keys())
def test_a_server_is_normalised_to_its_origin(text: str) -> None:
    """Requirement 2.11; there is no login_hint (requirement 2.10)."""
    found = parse_identifier(text)

    assert found == ServerIdentifier(value=Origin("https://skyhost.social"))
    assert found.login_hint is None


def test_server_with_another_port_keeps_it() -> None:
    assert parse_identifier("https://pds.skyhost.social:8443").value == (
        "https://pds.skyhost.social:8443"
    )


@pytest.mark.parametrize("text", ["alice", "@alice", "Alice", "alice.", "at://alice"])
def test_bare_word_is_completed_with_the_suffix(text: str) -> None:
    found = parse_identifier(text, handle_suffix=".skyhost.social")

    assert found == HandleIdentifier(value=Handle(ALICE), completed=True)


@pytest.mark.parametrize("suffix", [None, ""])
def test_bare_word_without_suffix_is_refused(
    suffix: str | None,
) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_identifier("alice", handle_suffix=suffix)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("alice@skyhost.social", ALICE),
        ("Alice@SkyHost.Social", ALICE),
        ("a@b.com", "a.b.com"),
        (" alice @ skyhost.social ", ALICE),
        ("alice\uff20skyhost.social", ALICE),
        ("alice@gmail.com", None),
        ("alice@Gmail.com", None),
        ("alice+news@skyhost.social", None),
        ("alice_b@skyhost.social", None),
        ("alice@localhost", None),
        ("alice@", None),
        ("alice@b@c.com", None),
        ("alice@skyhost.test", None),
    ],
)
def test_email_address_is_refused_with_suggested_handle(
    text: str, suggestion: str | None
) -> None:
    """Requirement 1.3: an error in the form, with a suggestion to confirm."""
    with pytest.raises(IdentifierInvalid) as refusal:
        parse_identifier(text)

    assert refusal.value.suggestion == suggestion
    assert refusal.value.kind == "email"


@pytest.mark.parametrize(
    "text", ["@alice@skyhost.social", " @Alice@Mastodon.example ", "at://@a@b.example"]
)
def test_fediverse_address_is_refused_as_one_without_a_suggestion(text: str) -> None:
    with pytest.raises(IdentifierInvalid) as refusal:
        parse_identifier(text)

    assert (refusal.value.kind, refusal.value.suggestion) == ("fediverse", None)


REFUSED = {
    "nothing": "",
    "blanks": " \t\u00a0\u200b ",
    "an @ alone": "@",
    "a dot": ".",
    "two words": "alice skyhost",
    "two words with a dot": "alice skyhost.social",
    "the marker of a missing handle": "handle.invalid",
    "a name of this network": "laptop.local",
    "an onion": "expyuzz4wqqyqhjn.onion",
    "a name for tests": "alice.test",
    "an address": "127.0.0.1",
    "an address of six": "::1",
    "a port": "skyhost.social:8443",
    "an underscore": "alice_b.skyhost.social",
    "an emoji": "\U0001f98b.skyhost.social",
    "an empty label": "alice..skyhost.social",
    "a DID in capitals": PLC.upper(),
    "a DID whose method is capital": PLC.replace("plc", "PLC"),
    "a DID cut short": PLC[:-3],
    "a DID URL": f"{PLC}#atproto",
    "a DID with a path": f"{PLC}/app.bsky.actor.profile",
    "a did:web with a path": "did:web:alice.skyhost.social:user",
    "a did:web on this machine": "did:web:localhost%3A8080",
    "a server without TLS": "http://skyhost.social",
    "a server at an address": "https://127.0.0.1/",
    "a server at an address of six": "https://[::1]/",
    "a server at a number": "https://2130706433/",
    "a server on this machine": "https://localhost/",
    "a server for examples": "https://pds.example/",
    "a server with user-info": "https://alice@skyhost.social",
    "a server with a backslash": "https://skyhost.social\\@evil.net",
    "a server without a host": "https://",
    "another scheme": "javascript:alert(1)",
    "yet another": "ftp://skyhost.social",
    "a page that names no account": "bsky.app/about",
    "markup": "<script>alert(1)</script>",
    "an empty at-uri": "at://",
    "a record without a name": "at:///app.bsky.feed.post/1",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_other_text_is_refused_without_suggestion(text: str) -> None:
    with pytest.raises(IdentifierInvalid) as refusal:
        parse_identifier(text)

    assert refusal.value.suggestion is None
    assert not isinstance(refusal.value, DidMethodUnsupported)


def test_an_unsupported_method_is_named() -> None:
    """Requirement 1.8: not the same as invalid."""
    with pytest.raises(DidMethodUnsupported) as refusal:
        parse_identifier("did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N")

    assert refusal.value.method == "key"


def test_identifier_over_the_limit_is_refused() -> None:
    with pytest.raises(IdentifierInvalid):
        parse_identifier(ALICE + " " * LONGEST_INPUT)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("http://localhost:2583", "server", "http://localhost:2583"),
        ("http://127.0.0.1:2583/", "server", "http://127.0.0.1:2583"),
        ("http://[::1]:2583/", "server", "http://[::1]:2583"),
        ("https://pds.test", "server", "https://pds.test"),
        ("alice.test", "handle", "alice.test"),
        ("alice@pds.test", None, "alice.pds.test"),
        ("did:web:localhost%3A8080", "did", "did:web:localhost%3A8080"),
        ("did:web:alice.test", "did", "did:web:alice.test"),
    ],
)
def test_test_network_accepts_test_names(
    text: str, kind: str | None, value: str
) -> None:
    """Requirements 1.5, 1.10, 2.14: behind the switches alone."""
    if kind is None:
        with pytest.raises(IdentifierInvalid) as refusal:
            parse_identifier(text, allow_http=True, allow_test=True)
        assert refusal.value.suggestion == value
        return

    found = parse_identifier(text, allow_http=True, allow_test=True)

    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize("text", vectors.lines("syntax/atidentifier_syntax_valid.txt"))
def test_every_valid_identifier_of_the_interop_suite_is_understood(text: str) -> None:
    """Its DIDs are of a method that is not resolved."""
    if text.startswith("did:method:"):
        with pytest.raises(DidMethodUnsupported):
            parse_identifier(text)
        return

    found = parse_identifier(text, allow_test=True)

    assert found.value == text.lower()


@pytest.mark.parametrize(
    "text", vectors.lines("syntax/atidentifier_syntax_invalid.txt")
)
def test_no_invalid_identifier_of_the_interop_suite_is_sent_on_as_it_is(
    text: str,
) -> None:
    """Some are repaired, which is more than the syntax asks for; none passes as is."""
    try:
        found = parse_identifier(text, handle_suffix=".skyhost.social")
    except IdentifierInvalid:
        return
    assert found.kind == "handle"
    assert found.value != text


@given(st.text(max_size=60))
def test_parse_of_any_text_returns_or_raises_identifier_invalid(text: str) -> None:
    try:
        found = parse_identifier(text)
    except IdentifierInvalid as refusal:
        again = refusal.suggestion
    else:
        again = found.value

    if again is not None:
        assert parse_identifier(again).value == again


ALPHABET = st.sampled_from([*"@:/.%#? ", "did:", "plc:", "web:", "at://", "a", "b.com"])


@given(st.lists(ALPHABET, max_size=12).map("".join))
def test_parse_of_identifier_like_text_returns_or_raises(text: str) -> None:
    try:
        found = parse_identifier(text, handle_suffix=None)
    except IdentifierInvalid:
        return

    assert parse_identifier(found.value, handle_suffix=None) == found


@pytest.mark.parametrize(
    ("entered", "handle"),
    [
        ("m\u00fcnchen.de", "xn--mnchen-3ya.de"),
        ("@M\u00dcNCHEN.de", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),  # decomposed
        ("stra\u00dfe.de", "xn--strae-oqa.de"),
        ("\u4f8b\u5b50\u3002\u516c\u53f8", "xn--fsqu00a.xn--55qx5d"),
        ("alice.\u0440\u0444", "alice.xn--p1ai"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("at://m\u00fcnchen.de/app.bsky.feed.post/1", "xn--mnchen-3ya.de"),
        ("https://bsky.app/profile/m\u00fcnchen.de", "xn--mnchen-3ya.de"),
        ("https://bsky.app/profile/m%C3%BCnchen.de", "xn--mnchen-3ya.de"),
        ("https://host.dev/@m%C3%BCnchen.de", "xn--mnchen-3ya.de"),
        ("m\u00fcller", "xn--mller-kva.bsky.social"),
    ],
)
def test_internationalised_handle_is_read_in_its_ascii_form(entered, handle):
    assert parse_identifier(entered).value == handle


@pytest.mark.parametrize(
    "entered",
    [
        "m\u00fcn chen.de",
        "\u2603\ufe0f.de",  # a symbol, which IDNA 2008 has not
        "\u0301a.de",
        "\u00fc" * 300 + ".de",
        "\u00fc" * 64 + ".de",
        "m\u00fcnchen.test",
        "m\u00fcnchen.localhost",
    ],
)
def test_name_without_ascii_form_or_with_reserved_domain_is_refused(entered):
    with pytest.raises(IdentifierInvalid):
        parse_identifier(entered)


def test_internationalised_email_address_gets_its_handle_suggested():
    with pytest.raises(IdentifierInvalid) as caught:
        parse_identifier("alice@m\u00fcnchen.de")

    assert caught.value.suggestion == "alice.xn--mnchen-3ya.de"
