"""Key rings and issuers to test with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.atproto.syntax.grammar import Did, Handle
from app.tokens.issuer import TokenIssuer
from app.tokens.keys import KeyRing
from app.tokens.verifier import TokenVerifier
from tests.fakes.keys import signing_key

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = "https://auth.platform.test"
AUDIENCE = "https://platform.test"
SECRET = bytes(range(32))
ALICE = Did("did:plc:aliceaaaaaaaaaaaaaaaaaaa")


def key(alg: Algorithm = "RS256", name: str = "first") -> SigningKey:
    return signing_key(alg, name)


def ring_of(signing: SigningKey, *others: SigningKey) -> KeyRing:
    return KeyRing.of(signing, (signing, *others))


def issuer_of(ring: KeyRing, clock: Callable[[], float], **changes: Any) -> TokenIssuer:
    fields = {"issuer": ISSUER, "audience": AUDIENCE, "lifetime": 86_400, **changes}
    return TokenIssuer(ring=lambda: ring, clock=clock, **fields)


def verifier_of(
    ring: KeyRing, clock: Callable[[], float], **changes: Any
) -> TokenVerifier:
    fields = {"issuer": ISSUER, "audience": AUDIENCE, **changes}
    return TokenVerifier(ring=lambda: ring, clock=clock, **fields)


def issue(issuer: TokenIssuer, **changes: Any) -> str:
    fields = {
        "did": ALICE,
        "sid": "sid-1",
        "handle": Handle("alice.test"),
        "username": "alice",
        **changes,
    }
    return issuer.issue(**fields).text
