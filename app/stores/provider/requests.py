"""Waiting authorization requests, pushed or held, each taken once by one statement.

A request holds the state, the nonce and the hints of an app, so it is encrypted under
its secret, of which the database has only a hash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Final

from sqlalchemy import text

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.authorization.waiting import (
    GivenAnswer,
    Kind,
    Proof,
    WaitingRequest,
    WaitingRequests,
    pack,
    unpack,
)
from app.stores.encryption import Cipher, aad_of
from app.stores.sql.database import Database
from app.stores.sql.quick import MappedRow
from app.stores.sql.records import fetching, insert_into
from app.stores.sql.row_bounds import RowBound

TABLE: Final = "provider_requests"
COLUMNS = ("kind", "client_id", "parameters", "expires_at")
ADD = text(insert_into(TABLE, (*COLUMNS, "request_hash")))
IS_OPEN: Final = "used_at IS NULL AND expires_at > :now"
HELD = fetching(
    COLUMNS,
    f"""
    SELECT {{columns}} FROM provider_requests
    WHERE request_hash = :request_hash AND kind = 'held' AND {IS_OPEN}
    """,  # noqa: S608 - our names
)
TAKE = fetching(
    COLUMNS,
    f"""
    UPDATE provider_requests SET used_at = :now
    WHERE request_hash = :request_hash AND kind = :kind
      AND client_id = :client_id AND {IS_OPEN}
    RETURNING {{columns}}
    """,  # noqa: S608 - our names
)
NOTE_PROOF = text(f"""
    UPDATE provider_requests SET parameters = :parameters
    WHERE request_hash = :request_hash AND {IS_OPEN}
""")  # noqa: S608 - our names
NOTE_ANSWER = text("""
    UPDATE provider_requests SET answer = :answer WHERE request_hash = :request_hash
""")
ANSWER = fetching(
    ("answer",),
    """
    SELECT {columns} FROM provider_requests
    WHERE request_hash = :request_hash AND used_at > :since AND answer IS NOT NULL
    """,
)


class SqlWaitingRequests(WaitingRequests):
    """Waiting requests in a table that strangers write to, and that has a bound."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bound = RowBound("provider_requests")

    def add(self, waiting: WaitingRequest, *, secret: str) -> None:
        request_hash = sha256_hex(secret)
        row = {
            "kind": waiting.kind,
            "client_id": waiting.client_id,
            "parameters": _sealed(waiting, secret),
            "expires_at": int(waiting.expires_at),
            "request_hash": request_hash,
        }
        with self._database.quick_write(durable=False) as connection:
            connection.execute(ADD, row)
            self._bound.after_write(connection)

    def held(self, secret: str, *, now: float) -> WaitingRequest | None:
        wanted = {"request_hash": sha256_hex(secret), "now": int(now)}
        with self._database.quick_read() as connection:
            row = connection.execute(HELD, wanted).mappings().one_or_none()
        return _read(row, secret)

    def note_proof(self, secret: str, proof: Proof, *, now: float) -> None:
        """Store the last sign-in for a held request; no effect if none waits.

        Of two sign-ins at the same moment one is noted; the other is asked again.
        """
        held = self.held(secret, now=now)
        if held is None:
            return
        row = {
            "parameters": _sealed(replace(held, proof=proof), secret),
            "request_hash": sha256_hex(secret),
            "now": int(now),
        }
        with self._database.quick_write(durable=False) as connection:
            connection.execute(NOTE_PROOF, row)

    def take(
        self, secret: str, *, kind: Kind, client_id: str, now: float
    ) -> WaitingRequest | None:
        wanted = {
            "request_hash": sha256_hex(secret),
            "kind": kind,
            "client_id": client_id,
            "now": int(now),
        }
        with self._database.quick_write() as connection:
            row = connection.execute(TAKE, wanted).mappings().one_or_none()
        return _read(row, secret)

    def note_answer(self, secret: str, answer: GivenAnswer) -> None:
        request_hash = sha256_hex(secret)
        sealed = _cipher(secret).encrypt(
            json.dumps(asdict(answer)), aad=_answer_aad(request_hash)
        )
        with self._database.quick_write() as connection:
            row = {"answer": sealed, "request_hash": request_hash}
            connection.execute(NOTE_ANSWER, row)

    def answer(self, secret: str, *, since: float) -> GivenAnswer | None:
        request_hash = sha256_hex(secret)
        wanted = {"request_hash": request_hash, "since": int(since)}
        with self._database.quick_read() as connection:
            sealed = connection.execute(ANSWER, wanted).scalars().one_or_none()
        if sealed is None:
            return None
        opened = _cipher(secret).decrypt(sealed, aad=_answer_aad(request_hash))
        return GivenAnswer(**json.loads(opened))


def _sealed(waiting: WaitingRequest, secret: str) -> str:
    aad = aad_of(TABLE, sha256_hex(secret))
    return _cipher(secret).encrypt(pack(waiting), aad=aad)


def _answer_aad(request_hash: str) -> str:
    return aad_of(TABLE, f"{request_hash} answer")


def _read(row: MappedRow | None, secret: str) -> WaitingRequest | None:
    if row is None:
        return None
    aad = aad_of(TABLE, sha256_hex(secret))
    return unpack(
        row["kind"],
        row["client_id"],
        _cipher(secret).decrypt(row["parameters"], aad=aad).decode(),
        expires_at=row["expires_at"],
    )


def _cipher(secret: str) -> Cipher:
    return Cipher(secret.encode())
