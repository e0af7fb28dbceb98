"""Keys to test with, the same for the same name; RSA keys are read from a file.

Making an RSA key takes 70 ms, and reading one with a check of its numbers takes 50 ms.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from app.atproto.crypto.keys import OWN_RSA_FORM, SigningKey

if TYPE_CHECKING:
    from app.atproto.crypto.keys import Algorithm

_PEMS = re.findall(
    r"-----BEGIN.+?-----END[^\n]+\n",
    Path(__file__).with_name("rsa_keys.pem").read_text(),
    re.DOTALL,
)
RSA = dict(zip(("first", "id", "stranger", "short"), _PEMS, strict=True))
"""PEM texts of RSA keys: `short` has 1024 bits, the others have 2048."""


def rsa_key(name: str = "first") -> rsa.RSAPrivateKey:
    """Return an RSA key of the file."""
    key = load_pem_private_key(
        RSA[name].encode(), password=None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def signing_key(alg: Algorithm, name: str) -> SigningKey:
    """Return a key as the service keeps it; its kid is its thumbprint."""
    if alg != "RS256":
        return SigningKey.generate(alg)
    jwk: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_key(name), as_dict=True)
    jwk |= {"kid": None, "alg": "RS256"}
    return SigningKey.restore({member: jwk[member] for member in OWN_RSA_FORM})
