"""SCOPE, SCOPE_MAX, sign-up hosts, name servers, usernames and rate limits."""

from __future__ import annotations

import pytest

from app.config import Address
from tests.config.reading import LABORATORY, PRODUCTION, read, refusal


@pytest.mark.parametrize("scope", ["atproto", "atproto repo:app.bsky.feed.post"])
def test_a_scope_with_atproto_is_asked_for(scope):
    assert read(SCOPE=scope).scope == scope


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ("repo:app.bsky.feed.post", "lacks `atproto`"),
        ("Atproto", "lacks `atproto`"),
        ("atproto  repo:x.y.z", "single spaces"),
        ('atproto "quoted"', "single spaces"),
        ("atproto back\\slash", "single spaces"),
        ("atproto\tblob:*/*", "single spaces"),
        ("atproto atproto", "twice"),
        ("atproto openid", "openid"),
    ],
)
def test_a_scope_outside_the_grammar_is_refused(scope, why):
    (line,) = refusal(SCOPE=scope)

    assert line.startswith("LATCHKEY_SCOPE: ")
    assert why in line


def test_transitional_scope_is_warned_about():
    (warning,) = read(SCOPE="atproto transition:generic").warnings

    assert "transition:generic" in warning  # requirement 8.6


def test_scope_max_defaults_to_scope():
    settings = read(SCOPE="atproto account:email")

    assert settings.scope_max == settings.declared_scope == "atproto account:email"


@pytest.mark.parametrize(
    "most",
    [
        "atproto repo:app.relay.track",
        "repo:app.relay.list repo:app.relay.track?action=create&action=update atproto",
        "atproto repo?collection=app.relay.track&collection=app.relay.list",
    ],
)
def test_scope_max_covers_scope_by_what_it_allows(most):
    """Requirement 8.9: scopes are compared by what they allow, not by spelling."""
    asked = "atproto repo:app.relay.track?action=create"

    settings = read(SCOPE=asked, SCOPE_MAX=most)

    assert settings.scope_max == most
    assert set(settings.declared_scope.split()) == {*most.split(), *asked.split()}


def test_scope_beyond_scope_max_is_refused():
    (line,) = refusal(
        SCOPE="atproto repo:app.relay.track account:email",
        SCOPE_MAX="atproto repo:app.relay.track?action=create",
    )

    assert line.startswith("LATCHKEY_SCOPE_MAX: lacks ")
    assert "account:email" in line
    assert "repo:app.relay.track?action=delete&action=update" in line


def test_scope_word_that_is_no_permission_is_warned_about():
    (warning,) = read(SCOPE_MAX="atproto repo:app.relay.track?actions=create").warnings

    assert "repo:app.relay.track?actions=create is no permission" in warning


def test_handle_suffix_completes_bare_names():
    assert read().handle_suffix == ".bsky.social"
    assert read(HANDLE_SUFFIX="Platform.org").handle_suffix == ".platform.org"
    assert read(HANDLE_SUFFIX="none").handle_suffix is None


def test_signup_hosts_may_be_several_or_none():
    settings = read(SIGNUP_HOSTS="https://bsky.social,https://eurosky.social/")

    assert settings.signup_hosts == ("https://bsky.social", "https://eurosky.social")
    assert read(SIGNUP_HOSTS="none").signup_hosts == ()


@pytest.mark.parametrize("name", ["SIGNUP_HOSTS", "PLC_URL"])
@pytest.mark.parametrize(
    "origin", ["http://pds.platform.org", "https://pds.platform.org:8443"]
)
def test_http_and_ports_are_refused_outside_a_lab_network(name, origin):
    (line,) = refusal(PRODUCTION, **{name: origin})

    assert line.endswith("must be https on the default port outside a LAB_NETWORK")
    assert origin in str(read(LABORATORY, **{name: origin}))


def test_name_servers_are_addresses_with_or_without_a_port():
    settings = read(DNS_NAMESERVERS="9.9.9.9,127.0.0.1:5353,[::1]:5353,2620:fe::fe")

    assert settings.dns_nameservers == (
        Address("9.9.9.9", 53),
        Address("127.0.0.1", 5353),
        Address("::1", 5353),
        Address("2620:fe::fe", 53),
    )


@pytest.mark.parametrize(
    "address", ["dns.platform.org", "127.0.0.1:0", "9.9.9", "[::1"]
)
def test_a_name_server_without_an_address_is_refused(address):
    (line,) = refusal(DNS_NAMESERVERS=address)

    assert line.startswith("LATCHKEY_DNS_NAMESERVERS: ")


def test_reserved_usernames_are_folded_to_lower_case():
    assert read(RESERVED_USERNAMES="Staff,press-team").reserved_usernames == (
        "staff",
        "press-team",
    )


def test_reserved_username_outside_the_grammar_is_refused():
    (line,) = refusal(RESERVED_USERNAMES="the staff")

    assert "cannot be a username" in line


@pytest.mark.parametrize("rate", ["30/minute", "100 per 5 minutes", "1/second"])
def test_a_rate_is_an_amount_in_a_time(rate):
    assert read(RATE_LIMIT_LOGIN_PER_HOST=rate).rate_limit_login_per_host == rate


@pytest.mark.parametrize("rate", ["30", "many", "0/minute", "30/fortnight"])
def test_malformed_rate_is_refused(rate):
    (line,) = refusal(RATE_LIMIT_LOGIN_PER_ADDRESS=rate)

    assert line.startswith("LATCHKEY_RATE_LIMIT_LOGIN_PER_ADDRESS: ")


def test_native_confirmation_is_on_by_default_and_off_warns():
    assert read().native_confirmation

    settings = read(NATIVE_CONFIRMATION="off")

    assert not settings.native_confirmation
    (warning,) = settings.warnings
    assert warning.startswith("LATCHKEY_NATIVE_CONFIRMATION: off lets the sender")
