"""What the factory gives to the views: use cases, site facts and public documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from app.flows import UseCases
from app.flows.readiness import Readiness
from app.telemetry.events import Observer, ignore
from app.tokens.keys import KeyRing

from .brand import Brand
from .languages.catalogues import Catalogues
from .return_to import ReturnPolicy

EXTENSION = "latchkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What machines read; none of it needs the database (requirement 3.12)."""

    client_metadata: Callable[[str], Mapping[str, Any]]
    """From the path of the document to the document."""
    platform_keys: Callable[[], KeyRing]
    """The ring that is published now: the same object until a key changes."""
    readiness: Readiness
    is_doctor: Callable[[str], bool]
    """Tells whether a header was signed by the command `doctor` a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupHost:
    """A host that is offered to people without an account."""

    url: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Facts about this deployment, from its settings and never from a request."""

    public_url: str
    version: str
    platform_name: str
    is_secure: bool
    cookie_name: str
    former_cookie_name: str | None
    """A name under which browsers may still send the platform token, or None."""
    cookie_prefix: str
    cookie_domain: str | None
    token_lifetime: int
    token_algorithm: str
    has_provider: bool
    """Whether apps sign people in through us (PROVIDER)."""
    username_hold: int
    """Seconds for which the username of a deleted account is held."""
    landing_url: str
    handle_suffix: str | None
    has_typeahead: bool
    """Whether accounts are suggested while one types (TYPEAHEAD_URL)."""
    signup_hosts: tuple[SignupHost, ...]
    asks_about_apps: bool
    """Whether the person is asked before an app is let in (NATIVE_CONFIRMATION)."""
    passes_preflights: bool
    """Whether /auth/verify passes CORS preflights (FORWARD_AUTH_PREFLIGHT)."""
    catalogues: Catalogues
    brand: Brand
    returns: ReturnPolicy
    clock: Callable[[], float]

    @property
    def example_handle(self) -> str:
        """The handle that pages show as an example, the same on each of them."""
        return f"alice{self.handle_suffix or '.example.com'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a view may reach."""

    flows: UseCases
    site: Site
    documents: Documents
    observe: Observer = ignore


def context() -> Context:
    """Return the context of the application that serves this request."""
    return cast("Context", current_app.extensions[EXTENSION])


def flows() -> UseCases:
    """Return the use cases."""
    return context().flows


def site() -> Site:
    """Return the facts about this deployment."""
    return context().site
