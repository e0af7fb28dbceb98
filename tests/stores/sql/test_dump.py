"""A whole round of stores leaves none of its secrets in clear (requirement 7.23)."""

from __future__ import annotations

from sqlalchemy import MetaData, select

from app.atproto.crypto.encoding import sha256_hex
from app.flows.ports import StoredKey
from app.stores.keys import SqlSigningKeys
from app.stores.logins.auth_requests import SqlStateStore
from app.stores.logins.native_logins import SqlNativeLogins
from app.stores.people.audit import SqlAudit
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.people.sessions import SqlSessions
from app.stores.people.users import SqlUsers
from tests.stores.samples import (
    auth_request,
    key,
    native_login,
    oauth_session,
    session,
    user,
)

CANARIES = [
    "canary-state",
    "canary-code-verifier",
    "canary-as-nonce",
    "canary-app-state",
    "canary-access-token",
    "canary-refresh-token",
    "canary-pds-nonce",
    "canary-session-secret",
    "canary-open-secret",
    "canary-identifier",
    "canary-request-uri",
    "canary-native-state",
]


def fill(database, cipher, clock):
    """Let every store that keeps a secret keep one."""
    states = SqlStateStore(database, cipher, clock)
    states.put(auth_request())
    states.put(auth_request("canary-state-taken"))
    states.take("canary-state-taken")
    SqlSessionStore(database, cipher).put(oauth_session())
    SqlUsers(database).add(user(), skeleton="allce")
    SqlSessions(database, clock).add(session(), secret="canary-session-secret")
    logins = SqlNativeLogins(database, cipher)
    logins.add(native_login(), open_secret="canary-open-secret")
    SqlAudit(database).record("signed_in", now=clock())
    for ring, alg in (("platform", "RS256"), ("client", "ES256")):
        stored = StoredKey(
            kid=key(alg).kid,
            ring=ring,
            alg=alg,
            status="active",
            key=key(alg),
            created_at=clock(),
        )
        SqlSigningKeys(database, cipher).change(ring, lambda _, one=stored: [one])


def dump(database):
    """Return every row of every table as text."""
    with database.read() as connection:
        schema = MetaData()
        schema.reflect(connection)
        rows = [connection.execute(select(t)).all() for t in schema.sorted_tables]
    return repr(rows)


def private_parts():
    jwks = [key(name="dpop"), key("RS256"), key("ES256")]
    return [
        value
        for jwk in (k.private_jwk() for k in jwks)
        for name, value in jwk.items()
        if name in {"d", "p", "q", "dp", "dq", "qi"}
    ]


def test_a_dump_of_all_tables_holds_no_secret(database, cipher, clock):
    fill(database, cipher, clock)

    text = dump(database)

    assert sha256_hex("canary-state") in text
    assert sha256_hex("canary-session-secret") in text
    assert [c for c in (*CANARIES, *private_parts()) if c in text] == []


def test_the_files_of_sqlite_hold_no_secret(sqlite_database, cipher, clock, tmp_path):
    fill(sqlite_database, cipher, clock)

    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert sha256_hex("canary-state").encode() in raw
    found = [c for c in (*CANARIES, *private_parts()) if c.encode() in raw]
    assert found == []
