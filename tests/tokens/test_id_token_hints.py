"""id_token_hint: an id_token that we signed for this client (P12, P17)."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from app.tokens.id_token_hints import IdTokenHints
from tests.tokens.rings import ALICE, AUDIENCE, ISSUER, issue, issuer_of, key, ring_of

RS = key("RS256")
CLAIMS = {"iss": ISSUER, "aud": "app", "sub": ALICE, "iat": 1, "exp": 2}
READ = IdTokenHints(ring=lambda: ring_of(RS), issuer=ISSUER)


def signed(headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return an id_token; pyjwt leaves a `typ` of None out of the header."""
    given = {"typ": None, "kid": RS.kid, **(headers or {})}
    return RS.sign(CLAIMS | changes, headers=given)


def test_expired_id_token_of_the_client_names_its_subject() -> None:
    assert READ(signed(), client_id="app") == ALICE


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "e30.e30.e30",
        "ä.b.c",
        "x" * 9_000,
        signed(aud="other"),
        signed(aud=["app"]),
        signed(aud=None),
        signed(iss="https://evil.example"),
        signed({"typ": "JWT"}),
        signed({"typ": "logout+jwt"}),
        # Of another form, or for another client, and of a key that is not known.
        signed({"kid": "other", "typ": "JWT"}),
        signed({"kid": "other"}, aud="other"),
        signed({"kid": "other"}, iss="https://evil.example"),
        signed({"kid": None}),
        signed({"kid": "other"}) + "=",
        key("RS256", "stranger").sign(CLAIMS, headers={"typ": None, "kid": RS.kid}),
        signed()[:-4] + "AAAA",
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(
        ValueError, match=r"form|base64url|header|key id|signature|no id|another"
    ):
        READ(token, client_id="app")


def test_id_token_of_a_key_that_has_left_the_ring_names_no_person() -> None:
    for token in (signed({"kid": "other"}), signed({"kid": "other"})[:-4] + "AAAA"):
        assert READ(token, client_id="app") is None


def test_platform_token_is_no_id_token(clock) -> None:
    token = issue(issuer_of(ring_of(RS), clock))

    with pytest.raises(ValueError, match="no id_token"):
        READ(token, client_id=AUDIENCE)


def test_payload_that_is_no_object_is_refused() -> None:
    private = jwt.PyJWK(RS.private_jwk()).key
    headers = {"kid": RS.kid, "typ": None}
    token = jwt.PyJWS().encode(b"[]", private, algorithm="RS256", headers=headers)

    with pytest.raises(ValueError, match="no id_token"):
        READ(token, client_id="app")
