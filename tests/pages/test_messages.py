"""The words of every failure (UX.md rule 9, requirement 10.2)."""

import re

import pytest

from app.failures.messages import LONGEST_FACT, message_for
from app.failures.texts import MESSAGES, REFERRED

JARGON = re.compile(
    r"\b(PDS|DPoP|PAR|JSON|HTTP|issuer|state|token|nonce|scope|metadata|exception"
    r"|error|forbidden|denied|unauthorized)\b",
    re.IGNORECASE,
)
FOR_PROGRAMS = {
    ("invalid_request", "json"),
    ("invalid_request", "app_name"),
    ("invalid_request", "code_challenge"),
    ("wrong_verifier", ""),
}
"""Messages that only programmers read."""
every_row = pytest.mark.parametrize(("code", "variant"), MESSAGES)


def test_a_variant_narrows_a_code_that_exists():
    assert {code for code, variant in MESSAGES if variant} <= {
        code for code, variant in MESSAGES if not variant
    }


@every_row
def test_message_without_facts_is_complete_sentences(code, variant):
    message = message_for(code, variant=variant)

    assert message.title[0].isupper()
    assert message.title[-1] not in ".!"
    assert message.text[0].isupper()
    assert message.text.endswith(".")
    assert not re.search(r"[{}]|  ", message.title + message.text)


@every_row
def test_message_has_no_protocol_terms(code, variant):
    if (code, variant) in FOR_PROGRAMS:
        return
    message = message_for(code, variant=variant)

    assert not JARGON.search(message.title + " " + message.text)


@every_row
def test_every_failure_offers_a_next_step(code, variant):
    step = message_for(code, variant=variant).next_step

    assert step.label
    assert step.href in {"/auth/login", "/auth/signup", "/auth/account"}


@every_row
def test_message_that_asks_for_the_reference_is_shown_with_it(code, variant):
    if "give the reference" in message_for(code, variant=variant).text:
        assert code in REFERRED


def test_access_denied_has_no_error_style():
    assert message_for("access_denied").tone == "neutral"
    assert message_for("handle_not_found").tone == "error"


def test_unknown_code_raises_key_error():
    with pytest.raises(KeyError):
        message_for("no_such_code")


def test_message_contains_its_facts():
    message = message_for("account_mismatch", handle="a.example", host="pds.example")

    assert "as a.example" in message.text
    assert "at pds.example" in message.text


def test_a_host_that_opens_a_sentence_keeps_its_small_letters():
    assert message_for(
        "server_invalid", host="pds.example", variant="unfinished"
    ).title == ("pds.example could not finish the sign-in")
    assert message_for("server_invalid", variant="unfinished").title.startswith(
        "The server"
    )


def test_fact_with_braces_is_not_formatted():
    message = message_for("handle_not_found", handle="{host}{0.__class__}")

    assert message.title == "Nobody has the handle {host}{0.__class__}"


def test_fact_loses_control_and_bidi_characters():
    message = message_for(
        "handle_not_found", handle="\u202ea\u200bb\r\nc\x00.example\u2066"
    )

    assert message.title == "Nobody has the handle abc.example"


def test_fact_of_control_characters_alone_is_unknown():
    assert message_for("handle_not_found", handle="\u202e \n").title == (
        "Nobody has the handle this handle"
    )


def test_long_fact_is_cut():
    message = message_for("host_unreachable", host="x" * 10_000)

    assert "x" * LONGEST_FACT + "…" in message.title
    assert len(message.title) < LONGEST_FACT + 50


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (0.2, "1 second"),
        (1, "1 second"),
        (1.1, "2 seconds"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (600, "10 minutes"),
    ],
)
def test_wait_is_worded_and_rounded_up(seconds, words):
    message = message_for("too_many_requests", retry_after=seconds)

    assert message.title == f"Please wait {words}"


def test_next_step_to_login_keeps_return_to():
    step = message_for(
        "login_expired", return_to="https://a.example/x?y=1&z=ü"
    ).next_step

    assert (
        step.href
        == "/auth/login?return_to=https%3A%2F%2Fa.example%2Fx%3Fy%3D1%26z%3D%C3%BC"
    )


def test_next_step_to_login_keeps_scope():
    step = message_for("login_expired", return_to="/x", scope="blob:*/*").next_step

    assert step.href == "/auth/login?return_to=%2Fx&scope=blob%3A%2A%2F%2A"


def test_next_step_elsewhere_has_no_return_to():
    step = message_for("username_taken", return_to="https://a.example/").next_step

    assert step.href == "/auth/signup"
