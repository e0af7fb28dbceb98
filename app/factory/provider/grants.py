"""The use cases of grants: what people let apps have, and what ends it."""

from __future__ import annotations

from app.config import Settings
from app.flows.provider.grants.records import GrantLifetimes


def lifetimes_of(settings: Settings) -> GrantLifetimes:
    """Return how long grants live that outlive their sessions."""
    return GrantLifetimes(longest=settings.grant_lifetime, idle=settings.grant_idle)
