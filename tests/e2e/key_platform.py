"""A platform of its own, whose operator works with its keys while people are there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import requests
from sqlalchemy import text

from tests.e2e.laboratory import Laboratory
from tests.e2e.visitor import Visitor
from tests.lab.network import KEYS, Account, Network
from tests.lab.processes import session
from tests.lab.service import ROOT, SCOPE_MAX, start_in_production

GET_SESSION = "/auth/xrpc/com.atproto.server.getSession"
NOTICED = 10.0
"""Seconds within which every process notices a change of the rings."""

AGE = """
    UPDATE signing_keys SET created_at = created_at - :seconds,
        activated_at = activated_at - :seconds, retired_at = retired_at - :seconds
"""
END_ACCESS = "UPDATE oauth_sessions SET expires_at = 1 WHERE did = :did"
KID = "SELECT client_kid FROM oauth_sessions WHERE did = :did"
SETTINGS = {"LATCHKEY_SCOPE": SCOPE_MAX, "LATCHKEY_KEY_ROTATION": "90d"}


@dataclass
class Member:
    """A person who is signed in, in a browser of their own."""

    account: Account
    visitor: Visitor

    @property
    def token(self) -> str:
        """The platform token that the browser holds."""
        return self.visitor.token or ""

    def renews(self) -> str:
        """Visit the sign-in page, as a service's redirect does; return the token."""
        self.visitor.open_login()
        assert self.visitor.path != "/auth/login", "asked to sign in again"
        return self.token


@dataclass
class KeyPlatform:
    """The service at KEYS, its operator's commands, and a clock for its keys."""

    prod_like: Laboratory
    database_url: str | None
    lab: Laboratory

    @classmethod
    def start(cls, prod_like: Laboratory, database_url: str | None) -> KeyPlatform:
        """Start the service."""
        lab = _started(prod_like, database_url, SETTINGS)
        return cls(prod_like, database_url, lab)

    @property
    def network(self) -> Network:
        return self.lab.network

    def restart(self, changes: Mapping[str, str]) -> None:
        """Start the service again with other settings, on the same database."""
        kept = ("LATCHKEY_SECRET_KEY_FILE",)
        former = {name: self.lab.service.environment[name] for name in kept}
        self.lab.vault.database.close()
        self.lab.service.program.stop()
        self.lab = _started(
            self.prod_like, self.database_url, {**SETTINGS, **former, **changes}
        )

    def command(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Run a command of the operator's, and return its JSON lines."""
        completed = self.begin(*words)
        output, said = completed.communicate(timeout=60)
        assert completed.returncode == code, output + said
        return [json.loads(line) for line in output.splitlines()]

    def sweep(self, times: int = 1) -> None:
        """Run the timer's command, several at the same time where `times` says so."""
        sweeps = [self.begin("sweep") for _ in range(times)]
        said = [sweep.communicate(timeout=60) for sweep in sweeps]
        assert [sweep.returncode for sweep in sweeps] == [0] * times, said

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command, in a process beside the service."""
        json_of = [] if words == ("sweep",) else ["--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words, *json_of],
            env=dict(self.lab.service.environment),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def keys(self, ring: str) -> dict[str, str]:
        """Return the status of each key of a ring."""
        lines = self.command("keys", "list")
        return {one["kid"]: one["status"] for one in lines if one["ring"] == ring}

    def signing(self, ring: str) -> str:
        """Return the key that signs."""
        (kid,) = [kid for kid, status in self.keys(ring).items() if status == "active"]
        return kid

    def age(self, seconds: float) -> None:
        """Let the keys be older: what the rings see when time goes by."""
        self.write(AGE, seconds=int(seconds))

    def end_access(self, member: Member) -> None:
        """Let the service take the access token for one that has run out."""
        self.write(END_ACCESS, did=member.account.did)

    def bound_to(self, member: Member) -> str:
        """Return the client key to which the member's session is bound."""
        with self.lab.vault.database.read() as connection:
            found = connection.execute(text(KID), {"did": member.account.did})
            return str(found.scalar_one())

    def write(self, statement: str, **values: object) -> None:
        """Change rows behind the service's back."""
        with self.lab.vault.database.write() as connection:
            connection.execute(text(statement), values)

    def forget_us(self) -> None:
        """Let ten minutes pass at the host: it fetches our metadata again."""
        with self.network.processes.without("pds"):
            pass

    def calls(self, token: str) -> requests.Response:
        """Call a member's PDS through the service."""
        return self.ask(GET_SESSION, token)

    def verifies(self, token: str) -> bool:
        """Ask forward auth, as a proxy does."""
        return self.ask("/auth/verify", token).status_code == 200

    def ask(self, path: str, token: str) -> requests.Response:
        with session(self.network.ca) as http:
            return http.get(
                self.lab.service.url + path,
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
                allow_redirects=False,
            )

    @contextmanager
    def member(self) -> Iterator[Member]:
        """Let a newcomer sign in, and keep their browser open."""
        account = self.lab.new_account("k")
        with self.lab.visitor() as visitor:
            visitor.become(account, account.handle.partition(".")[0])
            yield Member(account, visitor)


def kid_of(token: str) -> str:
    """Return the id of the key that signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


def _started(
    prod_like: Laboratory, database_url: str | None, settings: Mapping[str, str]
) -> Laboratory:
    service = start_in_production(
        prod_like.network,
        host=KEYS,
        workers=2,
        database_url=database_url,
        more=settings,
    )
    return prod_like.beside(service)
