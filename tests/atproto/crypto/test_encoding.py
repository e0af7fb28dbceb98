"""SHA-256 and base64url, by the examples of their standards."""

from __future__ import annotations

from app.atproto.crypto.encoding import base64url, sha256_base64url, sha256_hex


def test_sha256_hex_of_abc_is_that_of_fips_180() -> None:
    assert sha256_hex("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_base64url_has_no_padding_and_url_characters() -> None:
    assert base64url(b"\xfb\xef\xff\x00") == "--__AA"


def test_sha256_base64url_is_the_challenge_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert sha256_base64url(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
