"""Holds on usernames that were given up: no other account may have them for a while.

Each function is a statement inside the transaction that gives the name up or takes one.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.atproto.syntax.grammar import Did

HOLD = text("""
    INSERT INTO username_holds (skeleton, username, did, expires_at)
    VALUES (:skeleton, :username, :did, :expires_at)
    ON CONFLICT (skeleton) DO UPDATE SET
        username = excluded.username, did = excluded.did,
        expires_at = excluded.expires_at
""")
RELEASE = text("DELETE FROM username_holds WHERE skeleton = :skeleton AND did = :did")
IS_HELD = text("""
    SELECT count(*) FROM username_holds
    WHERE skeleton = :skeleton AND expires_at > :now AND (did IS NULL OR did <> :did)
""")


def hold(
    connection: Connection,
    *,
    skeleton: str,
    username: str,
    did: Did | None,
    until: float,
) -> None:
    """Put a hold on a name; only the account of `did` may have it meanwhile."""
    row = {"skeleton": skeleton, "username": username, "did": did}
    connection.execute(HOLD, {**row, "expires_at": int(until)})


def release(connection: Connection, did: Did, skeleton: str) -> None:
    """End the hold that an account has on a name."""
    connection.execute(RELEASE, {"skeleton": skeleton, "did": did})


def is_held(connection: Connection, did: Did, skeleton: str, *, now: float) -> bool:
    """Tell whether a name is held, and not for this account."""
    wanted = {"skeleton": skeleton, "did": did, "now": int(now)}
    return bool(connection.execute(IS_HELD, wanted).scalar())
