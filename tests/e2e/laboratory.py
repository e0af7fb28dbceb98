"""One network with the service in it, and the people who visit it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser

from tests.e2e.crowd import Person
from tests.e2e.vault import Vault
from tests.e2e.visitor import Visitor
from tests.lab.network import Account, Network
from tests.lab.processes import session
from tests.lab.service import Service

PATIENCE = 40.0
"""Seconds for an answer: more than PostgreSQL is away in any test."""


@dataclass
class Laboratory:
    """Everything a test needs, and the secrets that may be found nowhere afterwards."""

    name: str
    network: Network
    service: Service
    vault: Vault
    browser: Browser
    secrets: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    """Those that are part of a path, and worth nothing alone: a proxy may log them."""

    @property
    def client_authenticates(self) -> bool:
        """Whether the service is a confidential client here."""
        return self.network.ca is not None

    def new_account(self, prefix: str = "a") -> Account:
        """Create an account under an unused name."""
        account = self.network.create_account(f"{prefix}{secrets.token_hex(4)}")
        self.secrets.add(account.password)
        return account

    @contextmanager
    def visitor(self, **options: Any) -> Iterator[Visitor]:
        """Open a fresh browser profile; what it saw joins the secrets."""
        context = self.browser.new_context(locale="en-US", **options)
        context.set_default_timeout(60_000)
        visitor = Visitor(
            context, context.new_page(), self.service.url, self.network.pds_url
        )
        try:
            yield visitor
        finally:
            self.secrets.update(visitor.secrets())
            context.close()

    def beside(self, service: Service) -> Laboratory:
        """Return a laboratory of another service in the same network."""
        vault = Vault.of(service)
        return Laboratory("nodes", self.network, service, vault, self.browser)

    def ask(self, path: str, **options: Any) -> requests.Response:
        """Ask the service as a program does, and follow no redirect."""
        method = options.pop("method", "GET")
        options = {"timeout": PATIENCE, "allow_redirects": False, **options}
        with session(self.network.ca) as http:
            return http.request(method, self.service.url + path, **options)

    @contextmanager
    def person(self) -> Iterator[Person]:
        """Let a newcomer sign in, and keep their browser open."""
        account = self.new_account("n")
        with self.visitor() as visitor:
            visitor.become(account, account.handle.partition(".")[0])
            yield Person(account, visitor, visitor.cookies())

    def leaks(self) -> list[str]:
        """Return where a secret stands that should not: log files and database."""
        self.secrets.update(self.vault.secrets())
        logs = self.network.directory.glob("logs/*.log")
        texts = [(p.name, p.read_text(errors="replace")) for p in self._own(logs)]
        ours = [(name, text) for name, text in texts if name != "nginx.log"]
        return [
            *find(self.secrets, [*texts, *self.vault.contents()]),
            *find(self.paths, [*ours, *self.vault.contents()]),
        ]

    def _own(self, logs: Iterator[Path]) -> Iterator[Path]:
        """Leave out what the host and the directory wrote about themselves."""
        return (log for log in logs if log.stem not in {"pds", "plc"})


def find(secrets: set[str], texts: list[tuple[str, str]]) -> list[str]:
    """Return which secret stands in which text, without repeating the secret."""
    return [
        f"{secret[:4]}... ({len(secret)} characters) is in {name}"
        for name, text in texts
        for secret in sorted(secrets)
        if secret in text
    ]
