"""Apps that people are signed in to, put there without the visit of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.flows.provider.grants.records import Consent, Grant
from app.stores.people.sessions import SqlSessions
from app.stores.provider.consents import SqlConsents
from app.stores.provider.grants import SqlGrants
from tests.journeys.people.commands import runs
from tests.service import database_of

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.service import Service

OFFLINE = "openid offline_access"


def registers(service: Service, client_id: str, *, name: str = "The App") -> None:
    """Register a client."""
    arguments = ("--redirect-uri", "https://app.example.org/cb", "--allow", "everyone")
    scope = ("--scope", "openid profile groups offline_access")
    added = runs(
        service, "clients", "add", client_id, "--name", name, *arguments, *scope
    )
    assert added.exit_code == 0, added.output


def lets_in(
    service: Service, browser: Browser, client_id: str, *, scope: str = "openid profile"
) -> str:
    """Give a client consent and grant of a browser's person; return the grant's id."""
    database, now = database_of(service.app), service.world.clock()
    sid = browser.visits("/auth/session").json["session_id"]
    session = SqlSessions(database, service.world.clock).get(sid)
    assert session is not None
    before = service.rows("SELECT grant_id FROM provider_grants")
    grant_id = f"grant-{client_id}-{len(before)}"
    grant = Grant(
        grant_id=grant_id,
        client_id=client_id,
        did=session.did,
        scope=scope,
        session_id=sid,
        auth_time=session.created_at,
        created_at=now,
        used_at=now,
        expires_at=session.expires_at,
    )
    SqlGrants(database).add(grant, most=20)
    SqlConsents(database).give(
        Consent(did=session.did, client_id=client_id, scope=scope, given_at=now)
    )
    return grant_id


def living(service: Service) -> set[str]:
    """Return the ids of the grants that live."""
    grants = SqlGrants(database_of(service.app))
    listed = grants.list(now=service.world.clock())
    return {one.grant.grant_id for one in listed}


def allowed(service: Service) -> set[tuple[str, str]]:
    """Return DID and client_id of the consents."""
    return set(service.rows("SELECT did, client_id FROM provider_consents"))
