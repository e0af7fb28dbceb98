"""Settings about people: who may sign up, how long names are held and events kept."""

from __future__ import annotations

import pytest

from app.flows.people.admission import SignupRule
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
