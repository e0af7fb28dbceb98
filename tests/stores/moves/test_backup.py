"""Backups: whole, consistent, private, bounded in number; restored or refused."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from sqlalchemy import text

from app.flows.errors import StorageFailed
from app.flows.storage.errors import MoveRefused
from app.stores.encryption import Cipher
from app.stores.moves.backup_folders import BackupFolders
from app.stores.moves.tables import SqlStorage
from app.stores.people.oauth_sessions import SqlSessionStore
from app.stores.sql.database import open_database
from app.stores.sql.versions import CURRENT
from tests.stores.conftest import SECRET_KEY
from tests.stores.releases import create_first_release, rows
from tests.stores.samples import ALICE, oauth_session
from tests.stores.sql.test_dump import CANARIES, fill

AUDITED = text("SELECT detail FROM audit_events WHERE event = :event")


def without_audit(database):
    return {
        name: found
        for name, found in rows(database).items()
        if name not in {"audit_events", "runs"}
    }


def sorted_rows(found):
    return {name: sorted(map(str, each)) for name, each in found.items()}


def audited(database, event):
    with database.read() as connection:
        found = connection.execute(AUDITED, {"event": event}).scalars().all()
    return [json.loads(each) for each in found]


def test_restored_backup_has_every_row_and_every_secret(
    filled, back_up, restore, directory, empty, cipher
):
    made = back_up(filled, directory)

    restored = restore(empty, made.path)

    assert restored.rows == made.rows > 1203
    assert sorted_rows(without_audit(empty)) == sorted_rows(without_audit(filled))
    assert empty.schema_version() == CURRENT
    session = SqlSessionStore(empty, cipher).get(ALICE, "grant-1")
    assert session == oauth_session()


@pytest.mark.process
def test_backup_of_sqlite_is_restored_into_postgresql(
    sqlite_database, postgres_url, back_up, restore, directory, cipher, clock
):
    fill(sqlite_database, cipher, clock)
    made = back_up(sqlite_database, directory)
    target = open_database(postgres_url)

    restore(target, made.path)

    assert sorted_rows(without_audit(target)) == sorted_rows(
        without_audit(sqlite_database)
    )
    target.close()


def test_backup_and_restore_are_audited_with_operator_and_reason(
    filled, back_up, restore, directory, empty
):
    made = back_up(filled, directory)
    restore(empty, made.path)

    [event] = audited(filled, "backup_made")
    assert event == {
        "path": str(made.path),
        "rows": made.rows,
        "operator": "root",
        "reason": "a drill",
    }
    [event] = audited(empty, "backup_restored")
    assert event["reason"] == "a drill"


def test_backup_is_for_its_owner_alone(filled, back_up, directory):
    made = back_up(filled, directory)

    assert made.path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in made.path.iterdir()} == {0o600}


def test_backup_holds_no_secret_in_clear_and_no_secret_key(filled, back_up, directory):
    made = back_up(filled, directory)

    raw = b"".join(
        gzip.decompress(file.read_bytes())
        if file.suffix == ".gz"
        else file.read_bytes()
        for file in made.path.iterdir()
    )
    encodings = [
        SECRET_KEY,
        SECRET_KEY.hex().encode(),
        base64.b64encode(SECRET_KEY).rstrip(b"="),
        base64.urlsafe_b64encode(SECRET_KEY).rstrip(b"="),
    ]
    assert b"alice.test" in raw
    assert [one for one in (*encodings, *map(str.encode, CANARIES)) if one in raw] == []


def test_backup_is_of_one_moment_while_others_write(filled, directory, cipher, clock):
    """A session and its grant are written between two tables of the backup."""
    storage = SqlStorage(filled, cipher)
    grants = SqlSessionStore(filled, cipher)
    with (
        BackupFolders().create(directory, now=clock()) as new,
        storage.snapshot() as tables,
    ):
        before = {name: tables.count(name) for name in tables.names}
        grants.put(oauth_session(session_id="later"))
        for name in tables.names:
            assert new.write(name, [list(tables.rows(name))]) == before[name]
        new.finish(schema=tables.schema, release="0.2.0")

    assert grants.get(ALICE, "later") is not None


def test_manifest_names_release_schema_time_counts_and_checksums(
    filled, back_up, directory
):
    made = back_up(filled, directory)

    manifest = json.loads((made.path / "manifest.json").read_text())

    assert manifest["release"] == "0.2.0"
    assert manifest["schema"] == CURRENT
    assert manifest["made_at"].endswith("+00:00")
    assert manifest["tables"]["cache_entries"]["rows"] == 1203
    assert len(manifest["tables"]["users"]["sha256"]) == 64


def test_only_the_newest_backups_stay(filled, back_up, directory, clock):
    (directory / "latchkey-of-another-toolZ").mkdir()
    made = []
    for _ in range(4):
        made.append(back_up(filled, directory, keep=2))
        clock.advance(60)

    assert [each.deleted for each in made[:2]] == [[], []]
    assert made[3].deleted == [made[1].path]
    kept = sorted(path.name for path in directory.glob("latchkey-*"))
    assert kept == [made[2].path.name, made[3].path.name, "latchkey-of-another-toolZ"]


def test_interrupted_backup_leaves_nothing_and_may_run_again(
    filled, back_up, directory, cipher, clock
):
    def interrupt() -> None:
        with BackupFolders().create(directory, now=clock()) as new:
            new.write("users", [[{"did": "x"}]])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()

    assert list(directory.glob("latchkey-*")) == []
    assert back_up(filled, directory).rows


def test_remains_of_a_killed_backup_are_deleted_by_the_next(filled, back_up, directory):
    dead = directory / "latchkey-20200101T000000Z.partial"
    dead.mkdir()

    back_up(filled, directory)

    assert not dead.exists()


def test_second_backup_into_a_directory_is_refused(filled, back_up, directory, clock):
    with (
        BackupFolders().create(directory, now=clock() - 60),
        pytest.raises(MoveRefused, match="another backup"),
    ):
        back_up(filled, directory)


def test_missing_directory_is_refused_and_not_made(filled, back_up, directory):
    with pytest.raises(MoveRefused, match="is no directory"):
        back_up(filled, directory / "unmounted")

    assert not (directory / "unmounted").exists()


def test_backup_of_an_empty_database_is_refused(empty, back_up, directory):
    empty.make()

    with pytest.raises(MoveRefused, match="no tables"):
        back_up(empty, directory)

    assert list(directory.glob("latchkey-*")) == []


def test_restore_into_a_database_with_tables_is_refused(
    filled, back_up, restore, directory
):
    made = back_up(filled, directory)
    before = sorted_rows(rows(filled))

    with pytest.raises(StorageFailed, match="not empty"):
        restore(filled, made.path)

    assert sorted_rows(rows(filled)) == before


def test_restore_under_another_secret_key_is_refused_and_keeps_nothing(
    filled, back_up, restore, directory, empty
):
    made = back_up(filled, directory)

    with pytest.raises(MoveRefused, match="LATCHKEY_SECRET_KEY"):
        restore(empty, made.path, under=Cipher(bytes(32)))

    assert empty.schema_version() is None
    assert restore(empty, made.path).rows == made.rows


def test_restore_with_the_key_among_the_fallbacks_passes(
    filled, back_up, restore, directory, empty
):
    made = back_up(filled, directory)

    assert restore(empty, made.path, under=Cipher(bytes(32), [SECRET_KEY])).rows


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest", "none"])
def test_damaged_backup_is_refused(
    sqlite_database, back_up, restore, directory, empty, damage
):
    made = back_up(sqlite_database, directory)
    file = made.path / "users.jsonl.gz"
    if damage == "changed":
        file.write_bytes(gzip.compress(b'{"did": "did:plc:mallory"}\n'))
    elif damage == "missing":
        file.unlink()
    elif damage == "manifest":
        (made.path / "manifest.json").write_text("{}")
    else:
        (made.path / "manifest.json").unlink()

    with pytest.raises(MoveRefused):
        restore(empty, made.path)

    assert not empty.path.exists()


def test_restore_of_the_directory_names_the_newest_backup(
    sqlite_database, back_up, restore, directory, empty
):
    made = back_up(sqlite_database, directory)

    with pytest.raises(MoveRefused, match=made.path.name):
        restore(empty, directory)


def test_restore_of_a_newer_release_is_refused(
    sqlite_database, back_up, restore, directory, empty
):
    made = back_up(sqlite_database, directory)
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"{CURRENT}"', '"9.0.0"'))

    with pytest.raises(StorageFailed, match="does not know"):
        restore(empty, made.path)


def test_backup_of_release_0_1_0_is_restored_and_migrated(
    database_url, back_up, restore, directory, empty
):
    old = open_database(database_url)
    old.make()
    create_first_release(old)
    with old.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (did, username, skeleton, handle_checked_at, created_at)"
            " VALUES ('did:plc:a', 'a', 'a', 1, 1)"
        )

    made = back_up(old, directory)
    restore(empty, made.path)

    assert made.schema == "0.1.0"
    assert empty.schema_version() == CURRENT
    assert [each["username"] for each in rows(empty)["users"]] == ["a"]
    old.close()
