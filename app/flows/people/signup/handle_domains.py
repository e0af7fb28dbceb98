"""`*.example.org` in SIGNUP_ALLOW and in policies: the handles below a domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.atproto.syntax.grammar import Handle, parse_handle

BELOW: Final = "*."


def parse_domain(entry: str) -> str:
    """Return the domain of an entry, in lower case.

    Raises:
        IdentifierInvalid: with a label before it, it is no handle.
    """
    return parse_handle(f"a.{entry.removeprefix(BELOW)}").removeprefix("a.")


def is_below(handle: Handle, domains: Iterable[str]) -> bool:
    """Tell whether a handle is below a domain, at any depth, and not one itself."""
    return any(handle.endswith(f".{domain}") for domain in domains)
