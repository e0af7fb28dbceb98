"""Refresh tokens at rest: hashes, and a successor sealed under the token it replaced.

Stored are SHA-256 hashes of the chain's name, of the token that is good now and of the
secret that it replaced. The good one is also kept encrypted under that replaced secret,
of which the database has only the hash, so that a lost answer can be repeated.
"""

from __future__ import annotations

from typing import Any, Final

from app.atproto.crypto.encoding import sha256_hex
from app.flows.sessions.rotation import RefreshChain, chain_of
from app.stores.sql.quick import MappedRow

from .encryption import Cipher, aad_of

COLUMN: Final = "refresh_successor"

COLUMNS: Final = ("refresh_hash", "refresh_previous_hash", "refreshed_at", COLUMN)
"""Columns of a table of owners, beside the key of the owner."""


def rotation_row(
    table: str, successor: str, *, opener: str, now: float
) -> dict[str, Any]:
    """Return the values of a rotation: `opener` is the secret that is replaced."""
    opener_hash = sha256_hex(opener)
    cipher = Cipher(opener.encode())
    return {
        "chain": chain_hash(successor),
        "successor_hash": sha256_hex(successor),
        "opener_hash": opener_hash,
        "sealed": cipher.encrypt(successor, aad=_aad(table, opener_hash)),
        "now": int(now),
    }


def chain_in(row: MappedRow, *, owner: str) -> RefreshChain | None:
    """Return the chain in a row; None if its owner has no refresh token."""
    if row["refresh_hash"] is None:
        return None
    return RefreshChain(
        owner=row[owner],
        current=row["refresh_hash"],
        previous=row["refresh_previous_hash"] or "",
        rotated_at=row["refreshed_at"],
        successor=row[COLUMN],
    )


def successor_of(table: str, chain: RefreshChain, token: str) -> str:
    """Return what is stored encrypted under the token. Raises DecryptionFailed."""
    sealed, aad = chain.successor or "", _aad(table, chain.previous)
    return Cipher(token.encode()).decrypt(sealed, aad=aad).decode()


def chain_hash(token: str) -> str:
    """Return the hash of a token's chain, by which its owner is found."""
    return sha256_hex(chain_of(token) or "")


def _aad(table: str, opener_hash: str) -> str:
    return aad_of(table, opener_hash, column=COLUMN)
