"""What people allowed apps, one row for each account and client; and their apps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text

from app.atproto.syntax.grammar import Did
from app.flows.provider.grants.ports import Consents
from app.flows.provider.grants.records import App, Consent
from app.stores.provider.clients import registration_of
from app.stores.provider.living import IS_OPEN, TABLE
from app.stores.sql.database import Database
from app.stores.sql.quick import Executor, MappedRow
from app.stores.sql.records import columns_of, fetching, insert_into, row_of

COLUMNS = columns_of(Consent)
GET = fetching(
    COLUMNS,
    """
    SELECT {columns} FROM provider_consents
    WHERE did = :did AND client_id = :client_id
    """,
)
GIVE = text(f"""
    {insert_into("provider_consents", COLUMNS)}
    ON CONFLICT (did, client_id) DO UPDATE SET scope = excluded.scope
""")
WITHDRAW = fetching(
    ("client_id",),
    """
    DELETE FROM provider_consents
    WHERE did = :did
      AND (client_id = :client_id OR CAST(:client_id AS TEXT) IS NULL)
    RETURNING {columns}
    """,
)
APP: Final = ("client_id", "registration", "scope", "since", "used_at")
ALLOWED = fetching(
    (*APP[:3], "given_at AS since", "NULL AS used_at"),
    """
    SELECT {columns} FROM provider_consents JOIN provider_clients USING (client_id)
    WHERE did = :did
    """,
)
SIGNED_IN = fetching(
    (*APP[:3], f"{TABLE}.created_at AS since", "used_at"),
    f"""
    SELECT {{columns}} FROM {TABLE} JOIN provider_clients USING (client_id)
    WHERE did = :did AND {IS_OPEN}
    """,  # noqa: S608 - our names
)


class SqlConsents(Consents):
    """Consents in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, did: Did, client_id: str) -> Consent | None:
        with self._database.quick_read() as connection:
            return _get(connection, did, client_id)

    def give(self, consent: Consent) -> None:
        with self._database.quick_write() as connection:
            former = _get(connection, consent.did, consent.client_id)
            words = (former.scope if former else "").split()
            words += [word for word in consent.scope.split() if word not in words]
            row = {**row_of(consent), "scope": " ".join(words)}
            connection.execute(GIVE, row)

    def withdraw(self, did: Did, *, client_id: str | None = None) -> Sequence[str]:
        wanted = {"did": did, "client_id": client_id}
        with self._database.quick_write() as connection:
            found: list[str] = connection.execute(WITHDRAW, wanted).scalars().all()
            return found

    def apps(self, did: Did, *, now: float) -> Sequence[App]:
        wanted: dict[str, Any] = {"did": did, "now": int(now)}
        found: dict[str, App] = {}
        with self._database.quick_read() as connection:
            rows = connection.execute(ALLOWED, wanted).mappings().all()
            rows += connection.execute(SIGNED_IN, wanted).mappings().all()
        for row in rows:
            app = _app(row)
            earlier = found.get(app.client_id)
            found[app.client_id] = app if earlier is None else earlier.joined(app)
        return sorted(found.values(), key=_by_name)


def _get(connection: Executor, did: Did, client_id: str) -> Consent | None:
    wanted = {"did": did, "client_id": client_id}
    row = connection.execute(GET, wanted).mappings().one_or_none()
    return None if row is None else Consent(**row)


def _by_name(app: App) -> tuple[str, str]:
    return app.registration.name, app.client_id


def _app(row: MappedRow) -> App:
    return App(
        client_id=row["client_id"],
        registration=registration_of(row),
        scope=row["scope"],
        since=row["since"],
        used_at=row["used_at"],
    )
