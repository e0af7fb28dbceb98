"""Services that verify platform tokens offline, with the packages that cache the JWKS.

Their clocks for that cache are moved by hand; the tokens are judged by the real time.
"""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import jwt

from tests.lab.network import LAB, NODE, Network


class Verifier(Protocol):
    """A service of the platform."""

    def verify(self, token: str) -> str | None:
        """Return the DID of a token, or None when it is refused."""

    def later(self, seconds: float) -> None:
        """Let the copy of the JWKS grow older."""


@dataclass
class NodeVerifier:
    """npm `jose`: createRemoteJWKSet with its defaults."""

    process: subprocess.Popen[str]
    ahead: float = 0.0

    def verify(self, token: str) -> str | None:
        """Return the DID of a token, or None when it is refused."""
        assert self.process.stdin
        assert self.process.stdout
        asked = json.dumps({"token": token, "ahead": self.ahead})
        self.process.stdin.write(asked + "\n")
        self.process.stdin.flush()
        answer: dict[str, str] = json.loads(self.process.stdout.readline())
        return answer.get("sub")

    def later(self, seconds: float) -> None:
        """Let the copy of the JWKS grow older."""
        self.ahead += seconds


@dataclass
class PythonVerifier:
    """PyJWT: PyJWKClient with its defaults."""

    issuer: str
    ca: str
    client: jwt.PyJWKClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = jwt.PyJWKClient(
            f"{self.issuer}/.well-known/jwks.json",
            ssl_context=ssl.create_default_context(cafile=self.ca),
        )

    def verify(self, token: str) -> str | None:
        """Return the DID of a token, or None when it is refused."""
        try:
            key = self.client.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=self.issuer,
            )
        except jwt.PyJWTError:
            return None
        return str(claims["sub"])

    def later(self, seconds: float) -> None:
        """Let the copy of the JWKS grow older."""
        cache = self.client.jwk_set_cache
        assert cache is not None
        if cache.jwk_set_with_timestamp is not None:
            cache.jwk_set_with_timestamp.timestamp -= seconds
        if self.client._last_successful_fetch is not None:
            self.client._last_successful_fetch -= seconds


@contextmanager
def verifiers(network: Network, issuer: str) -> Iterator[list[Verifier]]:
    """Start one service of each kind, and stop them in the end."""
    with subprocess.Popen(
        [NODE, LAB / "verifier.mjs"],
        env={"VERIFIER_ISSUER": issuer, "NODE_EXTRA_CA_CERTS": str(network.ca)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield [NodeVerifier(process), PythonVerifier(issuer, str(network.ca))]
        process.terminate()
