"""Settings about people: who may sign up, how long names are held and events kept."""

from __future__ import annotations

import pytest

from app.config import SettingsInvalid, is_host_of
from app.flows.people.signup.admission import SignupRule
from tests.config.reading import read, refusal

DAY = 86_400


def test_defaults_let_everyone_in_and_keep_names_and_events_for_90_days():
    settings = read()

    assert settings.signup_allow == SignupRule(everyone=True)
    assert settings.username_hold == settings.audit_lifetime == 90 * DAY


def test_signup_allow_is_a_list_of_dids_handles_domains_and_invited():
    settings = read(SIGNUP_ALLOW="*.example.org, @alice.example.com,invited")

    assert settings.signup_allow == SignupRule(
        invited=True,
        handles=frozenset({"alice.example.com"}),
        domains=("example.org",),
    )


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("SIGNUP_ALLOW", "alice.example.com", "is none of everyone"),
        ("SIGNUP_ALLOW", "everyone,invited", "'everyone' is none of"),
        ("AUDIT_LIFETIME", "1h", "must be at least 1d"),
        ("USERNAME_HOLD", "90", "is no duration"),
    ],
)
def test_wrong_setting_about_people_stops_the_start(name, text, reason):
    (line,) = refusal(**{name: text})

    assert line.startswith(f"LATCHKEY_{name}: ")
    assert reason in line


@pytest.mark.parametrize(
    "hosts",
    ["*.github.io", "*.com", "*.127.0.0.1", "https://pds.test", "*", "a.*.test"],
)
def test_trusted_hosts_below_which_strangers_are_are_refused(hosts: str) -> None:
    with pytest.raises(SettingsInvalid, match="EMAIL_TRUSTED_HOSTS"):
        read(EMAIL_TRUSTED_HOSTS=hosts)


def test_trusted_hosts_are_exact_or_below_a_domain() -> None:
    trusted = read(EMAIL_TRUSTED_HOSTS="PDS.test, *.hosts.test").email_trusted_hosts

    assert trusted == ("pds.test", "*.hosts.test")
    assert is_host_of("pds.test", trusted)
    assert is_host_of("a.b.hosts.test", trusted)
    for other in ("hosts.test", "a.pds.test", "evilhosts.test", "pds.test.evil.test"):
        assert not is_host_of(other, trusted)
    assert read().email_trusted_hosts == ()
