from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.stores.encrypted_rows import SqlEncryptedRows
from app.stores.encryption import Cipher
from app.stores.keys import SqlSigningKeys
from app.stores.people.oauth_sessions import SqlSessionStore
from tests.stores.samples import ALICE, oauth_session
from tests.stores.sql.test_dump import fill

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
SCHEMA = Path(__file__).parents[2] / "schema.sql"


@pytest.fixture
def old():
    return Cipher(OLD)


@pytest.fixture
def both():
    """SECRET_KEY is new; the former one still decrypts."""
    return Cipher(NEW, [OLD])


@pytest.fixture
def rows(database, both):
    return SqlEncryptedRows(database, both)


def grants(number, database, cipher):
    store = SqlSessionStore(database, cipher)
    for index in range(number):
        store.put(oauth_session(session_id=f"grant-{index:03}"))
    return store


def reseal_all(rows, *, limit=100):
    for table in rows.tables():
        last = ()
        while last is not None:
            last = rows.reseal(table, last or None, limit).last


def test_tables_are_all_that_have_secrets(rows):
    found = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\);", *_schema())

    assert set(rows.tables()) == {
        name for name, body in found if re.search(r"^\s+secrets ", body, re.MULTILINE)
    }


def _schema():
    return SCHEMA.read_text(), re.DOTALL


def test_count_tells_the_rows_of_each_table_under_each_key(database, rows, old, both):
    grants(2, database, old)
    SqlSessionStore(database, both).put(oauth_session(session_id="new"))

    assert rows.count() == {
        old.fingerprints[0]: {"oauth_sessions": 2},
        both.fingerprints[0]: {"oauth_sessions": 1},
    }


def test_reseal_of_every_table_leaves_every_secret_readable_under_the_new_key(
    database, rows, old, clock
):
    fill(database, old, clock)

    reseal_all(rows)

    new = Cipher(NEW)
    counts = rows.count()
    assert set(counts) == {new.fingerprints[0]}
    assert set(counts[new.fingerprints[0]]) == set(rows.tables())
    grant = SqlSessionStore(database, new).get(ALICE, "grant-1")
    assert grant == oauth_session()
    for ring in ("platform", "client"):
        assert SqlSigningKeys(database, new).list(ring)[0].key.private_jwk()


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_reseal_in_steps_misses_no_row(database, rows, old, limit):
    grants(7, database, old)
    SqlSessionStore(database, old).put(oauth_session(did="did:plc:bob"))

    reseal_all(rows, limit=limit)

    assert set(rows.count()) == {Cipher(NEW).fingerprints[0]}


def test_reseal_that_is_interrupted_goes_on_with_the_rest(database, rows, old):
    grants(5, database, old)
    rows.reseal("oauth_sessions", None, 2)

    again = rows.reseal("oauth_sessions", None, 100)

    assert again.resealed == 3


def test_reseal_leaves_rows_that_no_key_decrypts(database, rows, old):
    grants(2, database, old)
    SqlSessionStore(database, Cipher(OTHER)).put(oauth_session(session_id="grant-000"))

    batch = rows.reseal("oauth_sessions", None, 100)

    assert (batch.resealed, batch.unreadable) == (1, 1)
    assert SqlSessionStore(database, Cipher(OTHER)).get(ALICE, "grant-000")


def test_reseal_keeps_what_the_service_wrote_meanwhile(database, old, both):
    """Compare-and-set: a refresh token that is written back would be a used one."""

    class BusyCipher(Cipher):
        """A refresh is stored between our reading and our writing."""

        def decrypt(self, encrypted, *, aad):
            SqlSessionStore(database, both).put(oauth_session(refresh_token="newer"))
            return super().decrypt(encrypted, aad=aad)

    SqlSessionStore(database, old).put(oauth_session())

    busy = SqlEncryptedRows(database, BusyCipher(NEW, [OLD]))
    batch = busy.reseal("oauth_sessions", None, 100)

    assert batch.resealed == 0
    stored = SqlSessionStore(database, both).get(ALICE, "grant-1")
    assert stored.refresh_token == "newer"


def test_reseal_brings_no_row_back_that_was_deleted_meanwhile(database, old, both):
    class BusyCipher(Cipher):
        def decrypt(self, encrypted, *, aad):
            SqlSessionStore(database, both).delete(ALICE, "grant-1")
            return super().decrypt(encrypted, aad=aad)

    SqlSessionStore(database, old).put(oauth_session())

    busy = SqlEncryptedRows(database, BusyCipher(NEW, [OLD]))

    assert busy.reseal("oauth_sessions", None, 100).resealed == 0
    assert SqlSessionStore(database, both).get(ALICE, "grant-1") is None


def test_reseal_leaves_the_lease_of_a_running_refresh_alone(database, rows, old, clock):
    store = grants(1, database, old)
    now = clock()
    store.lease(ALICE, "grant-000", holder="me", until=now + 60, now=now)

    reseal_all(rows)

    renewed = oauth_session(session_id="grant-000", refresh_token="renewed")
    assert SqlSessionStore(database, Cipher(NEW, [OLD])).replace(renewed, holder="me")


def test_missing_keys_are_named_by_their_fingerprint(database, rows, old):
    grants(1, database, old)
    assert rows.missing_keys() == []

    without = SqlEncryptedRows(database, Cipher(NEW))

    assert without.missing_keys() == [old.fingerprints[0]]


def test_fingerprints_name_the_current_key_first_and_reveal_no_key():
    cipher = Cipher(NEW, [OLD, OTHER])

    assert cipher.fingerprints == [
        Cipher(key).fingerprints[0] for key in (NEW, OLD, OTHER)
    ]
    assert NEW.hex()[:8] not in cipher.fingerprints
