"""Lifetimes, algorithms and keys of the platform token."""

from __future__ import annotations

import base64
import secrets

import pytest

from tests.config.reading import read, refusal


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86400), ("1w", 604800)]
)
def test_a_duration_carries_its_unit(text, seconds):
    assert read(TOKEN_LIFETIME=text).token_lifetime == seconds


@pytest.mark.parametrize("text", ["24", "h", "1.5h", "-1h", "24 h", "1y", "24H"])
def test_a_duration_without_a_unit_is_refused(text):
    (line,) = refusal(TOKEN_LIFETIME=text)

    assert "write a number and a unit" in line


def test_token_lifetime_beyond_session_lifetime_is_refused():
    (line,) = refusal(TOKEN_LIFETIME="2d", SESSION_LIFETIME="1d")

    assert line.startswith("LATCHKEY_TOKEN_LIFETIME: must not be longer than SESSION")


@pytest.mark.parametrize(
    ("name", "text"), [("TOKEN_LIFETIME", "0h"), ("SESSION_LIFETIME", "401d")]
)
def test_lifetimes_have_bounds(name, text):
    (line,) = refusal(**{name: text})

    assert line.startswith(f"LATCHKEY_{name}: must be at ")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "eddsa"])
def test_token_algorithm_is_one_of_the_supported(algorithm):
    chosen = read(TOKEN_ALGORITHM=algorithm).token_algorithm

    assert chosen.lower() == algorithm.lower()
    assert chosen in {"RS256", "ES256", "EdDSA"}


@pytest.mark.parametrize("algorithm", ["none", "RS512", "HS512"])
def test_unknown_token_algorithm_is_refused(algorithm):
    (line,) = refusal(TOKEN_ALGORITHM=algorithm)

    assert "is not one of RS256, ES256, EdDSA, HS256" in line


def test_jwt_secret_is_32_bytes_in_base64url():
    raw = secrets.token_bytes(32)
    text = base64.urlsafe_b64encode(raw).decode()

    assert read(TOKEN_ALGORITHM="HS256", JWT_SECRET=text).jwt_secret == raw


def test_hs256_without_a_secret_is_refused():
    (line,) = refusal(TOKEN_ALGORITHM="HS256")

    assert line == "LATCHKEY_JWT_SECRET: is required with TOKEN_ALGORITHM=HS256"


@pytest.mark.parametrize(
    "secret",
    [
        "canary-too-short",
        "a" * 43,
        "changeme-changeme-changeme-changeme-change",
        "0" * 64,
    ],
)
def test_jwt_secret_that_is_not_32_random_bytes_is_refused_without_quoting_it(secret):
    (line,) = refusal(TOKEN_ALGORITHM="HS256", JWT_SECRET=secret)

    assert line.startswith("LATCHKEY_JWT_SECRET: ")
    assert secret not in line


def test_a_jwt_secret_without_hs256_is_refused():
    (line,) = refusal(JWT_SECRET=secrets.token_urlsafe(32))

    assert line.startswith("LATCHKEY_JWT_SECRET: has no use with TOKEN_ALGORITHM=RS256")


@pytest.mark.parametrize("name", ["SIGNING_KEY_PATH", "CLIENT_JWK_PATH"])
def test_key_path_that_cannot_be_read_is_refused(name, tmp_path):
    key = tmp_path / "key.pem"
    (line,) = refusal(**{name: str(key)})
    assert line == f"LATCHKEY_{name}: cannot read {key}: No such file or directory"

    key.write_text("a key")

    assert str(key) in str(read(**{name: str(key)}))
