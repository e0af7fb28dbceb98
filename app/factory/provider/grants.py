"""The use cases of grants: what people let apps have, and what ends it."""

from __future__ import annotations

from app.config import Settings
from app.factory.container import Parts
from app.flows.provider.grants.ending import ManageGrants
from app.flows.provider.grants.records import GrantLifetimes


def lifetimes_of(settings: Settings) -> GrantLifetimes:
    """Return how long grants live that outlive their sessions."""
    return GrantLifetimes(longest=settings.grant_lifetime, idle=settings.grant_idle)


def manage_grants(parts: Parts) -> ManageGrants:
    """Return the use case of the command `grants`."""
    return ManageGrants(
        grants=parts.stores.app_grants,
        audit=parts.stores.audit,
        together=parts.stores.database.together,
        clock=parts.outside.clock,
    )
