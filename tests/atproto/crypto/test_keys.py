"""Keys: their public form, their names, their signatures (requirements 3.17, 3.18,
RFC 7638).
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.atproto.crypto.keys import Algorithm, ClientKeys, SigningKey
from app.atproto.errors import KeyUnavailable
from tests.fakes.keys import rsa_key

ALGORITHMS: list[Algorithm] = ["ES256", "RS256", "EdDSA"]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
KEYS = {alg: SigningKey.generate(alg) for alg in ALGORITHMS}
"""One of each kind for the tests that need no new one: RSA keys are slow to make."""


def b64(number: int, width: int = 32) -> str:
    """A number as a JWK has it, in so many bytes."""
    raw = number.to_bytes(width, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem(native: Any, format_: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    encoded: bytes = native.private_bytes(Encoding.PEM, format_, NoEncryption())
    return encoded


# --- what a key looks like from outside -----------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_public_jwk_holds_no_private_member(alg: Algorithm) -> None:
    """Requirement 3.17."""
    for jwk in (KEYS[alg].public_jwk(), KEYS[alg].bare_jwk()):
        assert not PRIVATE_MEMBERS & set(jwk)


def test_a_published_key_says_what_it_is_for() -> None:
    """Requirement 3.17: kid, alg and use; `key_ops` makes servers drop it."""
    key = KEYS["ES256"]

    jwk = key.public_jwk()

    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (jwk["kty"], jwk["crv"]) == ("EC", "P-256")
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (key.kid, "ES256", "sig")
    assert "use" not in key.public_jwk(use_sig=False)


def test_the_key_in_a_proof_is_bare() -> None:
    """Requirement 5.2."""
    assert set(KEYS["ES256"].bare_jwk()) == {"kty", "crv", "x", "y"}


def test_changing_an_exported_jwk_changes_no_key() -> None:
    key = SigningKey.generate("ES256")
    key.bare_jwk()["x"] = "another"
    key.public_jwk()["kid"] = "another"

    assert len(unb64(key.bare_jwk()["x"])) == 32
    assert key.public_jwk()["kid"] == key.kid


def test_no_secret_is_shown_by_printing_a_key() -> None:
    for key in KEYS.values():
        secret = key.private_jwk()["d"]
        assert secret not in repr(key)
        assert secret not in str(key)


def test_coordinates_have_their_full_width_in_thousands_of_keys() -> None:
    """RFC 7518 §6.2.1.2: leading zero bytes stay, or strict servers refuse proofs."""
    curve = ec.SECP256R1()
    short = 0
    for scalar in range(1, 3001):
        native = ec.derive_private_key(scalar, curve)
        numbers = native.public_key().public_numbers()
        jwk = _key_of(native).bare_jwk()
        assert jwk == {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x),
            "y": b64(numbers.y),
        }
        short += min(numbers.x, numbers.y) < 1 << 248

    assert short > 10, "no key of these had a leading zero byte: nothing was tried"


def test_a_private_scalar_has_its_full_width_too() -> None:
    assert _key_of(ec.derive_private_key(1, ec.SECP256R1())).private_jwk()["d"] == b64(
        1
    )


def test_coordinates_that_others_cut_short_are_widened() -> None:
    """Keys exported by faulty libraries can be imported, and go out right."""
    native, jwk = _key_with_a_short_x()
    jwk["x"] = b64(native.public_key().public_numbers().x, 31)

    assert SigningKey.from_jwk(jwk).bare_jwk()["x"] == b64(
        native.public_key().public_numbers().x
    )


def _key_of(native: ec.EllipticCurvePrivateKey) -> SigningKey:
    numbers = native.public_key().public_numbers()
    return SigningKey.from_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x),
            "y": b64(numbers.y),
            "d": b64(native.private_numbers().private_value),
        }
    )


def _key_with_a_short_x() -> tuple[ec.EllipticCurvePrivateKey, dict[str, Any]]:
    for scalar in range(1, 5000):
        native = ec.derive_private_key(scalar, ec.SECP256R1())
        if native.public_key().public_numbers().x < 1 << 248:
            return native, _key_of(native).private_jwk()
    raise AssertionError("no key with a leading zero byte")


# --- names ----------------------------------------------------------------------


RFC_7638_KEY = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aP"
    "FFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl9"
    "3lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
    "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3"
    "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "d": "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRwe"
    "UkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nH"
    "NKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3S"
    "k5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2W"
    "Bii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q",
    "kid": "2011-04-29",
}
"""The key of RFC 7638 §3.1; its private half stands in RFC 7517, appendix A.2."""


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    key = SigningKey.from_jwk(RFC_7638_KEY)

    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert key.kid == "2011-04-29"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_kid_is_the_thumbprint_unless_another_is_given(alg: Algorithm) -> None:
    assert KEYS[alg].kid == KEYS[alg].thumbprint
    named = SigningKey.from_jwk({**KEYS[alg].private_jwk(), "kid": "2026-11"})

    assert named.kid == "2026-11"
    assert named.thumbprint == KEYS[alg].thumbprint


def test_a_thumbprint_hashes_the_required_members_and_nothing_else() -> None:
    """RFC 7638 §3.3: in lexical order, without white space."""
    bare = KEYS["ES256"].bare_jwk()
    text = f'{{"crv":"P-256","kty":"EC","x":"{bare["x"]}","y":"{bare["y"]}"}}'

    assert unb64(KEYS["ES256"].thumbprint) == sha256(text.encode()).digest()


# --- reading keys ---------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_key_survives_being_stored(alg: Algorithm) -> None:
    stored = json.loads(json.dumps(KEYS[alg].private_jwk()))

    assert SigningKey.from_jwk(stored) == KEYS[alg]


@pytest.mark.parametrize(
    ("native", "alg"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa_key(), "RS256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
def test_a_key_is_read_from_pem(native: Any, alg: str) -> None:
    key = SigningKey.from_pem(pem(native), kid="mine")

    assert (key.alg, key.kid) == (alg, "mine")
    assert SigningKey.from_pem(pem(native)).kid == key.thumbprint


def test_an_old_form_of_pem_is_read_too() -> None:
    native = ec.generate_private_key(ec.SECP256R1())
    old = pem(native, PrivateFormat.TraditionalOpenSSL)

    assert SigningKey.from_pem(old) == SigningKey.from_pem(pem(native))


def test_two_keys_are_equal_when_kid_and_thumbprint_are() -> None:
    key, other = SigningKey.generate("ES256"), SigningKey.generate("ES256")

    assert key == SigningKey.from_jwk(key.private_jwk())
    assert key != other
    assert key != SigningKey.from_jwk({**other.private_jwk(), "kid": key.kid})
    assert len({key, SigningKey.from_jwk(key.private_jwk()), other}) == 2


EC = KEYS["ES256"].private_jwk()
OTHER_EC = SigningKey.generate("ES256").private_jwk()
OKP = KEYS["EdDSA"].private_jwk()


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "EC"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "AKP", "alg": "ML-DSA-44"},
        KEYS["ES256"].public_jwk(),
        KEYS["RS256"].public_jwk(),
        {**EC, "x": OTHER_EC["x"], "y": OTHER_EC["y"]},
        {**EC, "y": OTHER_EC["y"]},
        {**EC, "d": "AA"},
        {**EC, "d": 7},
        {**EC, "x": "!"},
        {**EC, "crv": "P-521"},
        {**EC, "crv": "X"},
        {**EC, "use": "enc"},
        {**EC, "alg": "ES384"},
        {**EC, "alg": "none"},
        {**EC, "kid": ""},
        {**EC, "kid": 7},
        {**OKP, "alg": "ES256"},
        {**OKP, "crv": "X25519"},
        {**OKP, "d": "AA"},
        {**EC, "key_ops": ["verify"]},
        {**EC, "key_ops": 7},
    ],
)
def test_invalid_signing_key_is_refused_without_quoting_it(
    jwk: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"\A[^{}]{1,90}\Z") as refusal:
        SigningKey.from_jwk(jwk)

    assert str(jwk.get("d", "---")) not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_key_is_the_same_with_what_others_write_around_it() -> None:
    adorned = {**EC, "use": "sig", "key_ops": ["sign"]}
    bare = {name: EC[name] for name in ("kty", "crv", "x", "y", "d")}

    assert SigningKey.from_jwk(adorned) == KEYS["ES256"]
    assert SigningKey.from_jwk(bare) == KEYS["ES256"]


def test_wrong_public_half_of_an_ed25519_key_is_ignored() -> None:
    """What goes out is derived from the private key, not repeated from the JWK."""
    other = SigningKey.generate("EdDSA").private_jwk()

    key = SigningKey.from_jwk({**OKP, "x": other["x"], "kid": "k"})

    assert key.bare_jwk()["x"] == OKP["x"]


@pytest.mark.parametrize(
    "native",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa_key("short"),
    ],
    ids=["P-384", "secp256k1", "RSA-1024"],
)
def test_other_curves_and_short_keys_are_refused(native: Any) -> None:
    with pytest.raises(ValueError, match="P-256"):
        SigningKey.from_pem(pem(native))


def test_what_is_no_private_pem_is_refused() -> None:
    native = ec.generate_private_key(ec.SECP256R1())
    encrypted = native.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    public = native.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )

    for text in (b"", b"not a key", encrypted, public):
        with pytest.raises(ValueError, match="PEM"):
            SigningKey.from_pem(text)


# --- signing --------------------------------------------------------------------


def _public_key(jwk: dict[str, Any]) -> Any:
    """Build a public key by hand, so that the checker is not the maker."""
    if jwk["kty"] == "EC":
        x, y = (int.from_bytes(unb64(jwk[name])) for name in "xy")
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    if jwk["kty"] == "RSA":
        e, n = (int.from_bytes(unb64(jwk[name])) for name in "en")
        return rsa.RSAPublicNumbers(e, n).public_key()
    return ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_verifies_with_the_published_key(alg: Algorithm) -> None:
    key = KEYS[alg]

    token = key.sign({"sub": "a person"}, headers={"kid": key.kid})

    assert jwt.get_unverified_header(token) == {
        "alg": alg,
        "kid": key.kid,
        "typ": "JWT",
    }
    public = _public_key(key.public_jwk())
    assert jwt.decode(token, public, algorithms=[alg]) == {"sub": "a person"}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-8] + "AAAAAAAA", public, algorithms=[alg])


def test_an_ecdsa_signature_is_two_numbers_and_not_der() -> None:
    """Requirement 5.2: r || s, 64 bytes."""
    key = KEYS["ES256"]

    signed, _, signature = key.sign({"a": 1}).rpartition(".")

    raw = unb64(signature)
    assert len(raw) == 64
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    _public_key(key.bare_jwk()).verify(
        encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256())
    )


def test_signing_changes_neither_claims_nor_headers() -> None:
    claims, headers = {"a": 1}, {"typ": "dpop+jwt"}

    KEYS["ES256"].sign(claims, headers=headers)

    assert (claims, headers) == ({"a": 1}, {"typ": "dpop+jwt"})


# --- the client's keys ----------------------------------------------------------


def test_the_newest_key_is_for_new_sessions_and_old_ones_keep_theirs() -> None:
    """Requirement 3.18."""
    new, old = SigningKey.generate("ES256"), SigningKey.generate("ES256")

    keys = ClientKeys([new, old])

    assert keys.primary() is new
    assert keys.get(old.kid) is old
    assert keys.public_jwks() == {"keys": [new.public_jwk(), old.public_jwk()]}


def test_missing_client_key_raises_key_unavailable() -> None:
    """Requirement 7.4: signing with another one would end the session at its host."""
    keys = ClientKeys([SigningKey.generate("ES256")])

    with pytest.raises(KeyUnavailable) as gone:
        keys.get("another")

    assert gone.value.kid == "another"


def test_announced_key_is_published_and_begins_no_session() -> None:
    """Requirement 3.11: servers keep our keys for ten minutes."""
    current, coming = SigningKey.generate("ES256"), SigningKey.generate("ES256")

    keys = ClientKeys([current], announced=[coming])

    assert keys.public_jwks()["keys"] == [coming.public_jwk(), current.public_jwk()]
    assert keys.primary() is current


def test_announced_key_signs_for_a_session_that_another_node_began_with_it() -> None:
    """Requirement 7.4: a key that counts as gone ends the session."""
    current, coming = SigningKey.generate("ES256"), SigningKey.generate("ES256")

    keys = ClientKeys([current], announced=[coming])

    assert keys.get(coming.kid) is coming


def test_nothing_private_is_published() -> None:
    """Requirement 9.23."""
    keys = ClientKeys([SigningKey.generate("ES256")])

    for jwk in keys.public_jwks()["keys"]:
        assert not PRIVATE_MEMBERS & set(jwk)


def test_client_keys_are_for_es256_each_with_a_kid_of_its_own() -> None:
    """Requirements 3.15, 3.17."""
    key = SigningKey.generate("ES256")
    namesake = SigningKey.generate("ES256", kid=key.kid)

    for wrong in ([], [key, namesake], [key, key], [key, KEYS["RS256"]]):
        with pytest.raises(ValueError, match="client keys"):
            ClientKeys(wrong)
    with pytest.raises(ValueError, match="client keys"):
        ClientKeys([key], announced=[namesake])


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_restore_reads_a_key_as_it_was_written(alg):
    key = SigningKey.generate(alg)
    restored = SigningKey.restore(json.loads(json.dumps(key.private_jwk())))

    assert restored == key
    assert restored.public_jwk() == key.public_jwk()
    jwt.decode(restored.sign({"a": 1}), jwt.PyJWK(key.public_jwk()), algorithms=[alg])
