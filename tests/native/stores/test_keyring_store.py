"""The store in a keyring, and the choice between keyring and file."""

from __future__ import annotations

from types import SimpleNamespace

import keyring as package
import pytest

from app.native import (
    AuthManager,
    FileStore,
    KeyringStore,
    KeyringUnusable,
    LoginSuperseded,
    SessionStoreFailed,
    open_store,
)
from app.native.stores.keyring_store import SERVICE, system_keyring


class FakeKeyring:
    """A backend of the keyring package; a locked one raises an error of its own."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        del self.entries[service, username]

    def _open(self) -> None:
        if self.is_locked:
            raise RuntimeError("the keyring is locked; the secret was hunter2")


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def file(tmp_path) -> FileStore:
    return FileStore(tmp_path / "session.json")


@pytest.fixture
def store(file, keyring) -> KeyringStore:
    return KeyringStore(file, keyring)


def write(store, text):
    store.exchange(lambda _old: text)


def test_write_stores_the_text_in_the_keyring_alone(store, file, keyring):
    write(store, "secret")

    assert store.read() == "secret"
    assert "secret" not in file.read()
    assert keyring.entries == {(SERVICE, str(file.path)): "secret"}


def test_two_directories_have_two_keyring_entries(tmp_path, keyring):
    one = KeyringStore(FileStore(tmp_path / "one" / "session.json"), keyring)
    two = KeyringStore(FileStore(tmp_path / "two" / "session.json"), keyring)
    write(one, "1")
    write(two, "2")

    assert (one.read(), two.read()) == ("1", "2")


@pytest.mark.parametrize("forget", ["exchange", "remove"])
def test_removal_leaves_nothing_in_file_and_keyring(store, file, keyring, forget):
    write(store, "secret")

    if forget == "remove":
        store.remove()
    else:
        store.exchange(lambda _old: None)

    assert (store.read(), file.read(), keyring.entries) == (None, None, {})


def test_remove_of_an_empty_store_succeeds(store):
    store.remove()

    assert store.read() is None


def test_version_changes_without_asking_the_keyring(store, keyring):
    write(store, "one")
    before = store.version()
    write(store, "two")
    keyring.is_locked = True

    assert store.version() != before


def test_locked_keyring_raises_keyring_unusable_without_its_words(store, keyring):
    write(store, "secret")
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable) as failed:
        store.read()
    with pytest.raises(KeyringUnusable):
        write(store, "another")

    assert "hunter2" not in str(failed.value)


def test_write_to_a_locked_keyring_leaves_no_note(store, file, keyring):
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable):
        write(store, "secret")

    assert file.read() is None


def test_remove_with_locked_keyring_raises_and_drops_the_note(store, file, keyring):
    """Without the note the keyring is not read any more."""
    write(store, "secret")
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable):
        store.remove()

    keyring.is_locked = False
    assert store.read() is None


def test_text_in_the_file_moves_to_the_keyring_with_the_next_change(
    store, file, keyring
):
    write(file, "old")
    assert store.read() == "old"

    store.exchange(lambda old: f"{old} and new")

    assert store.read() == "old and new"
    assert "old" not in file.read()


def test_second_start_supersedes_the_first_in_a_keyring(file, keyring, server):
    ours = AuthManager(KeyringStore(file, keyring))
    theirs = AuthManager(KeyringStore(file, keyring))
    first = ours.start_login(server.url, "alice.example.com")
    second = theirs.start_login(server.url, "alice.example.com")
    server.decide("completed")

    with pytest.raises(LoginSuperseded):
        ours.await_login(first.session_id)
    session = theirs.await_login(second.session_id)

    assert ours.get_session() == session
    assert session.token in keyring.entries[SERVICE, str(file.path)]


# --- the choice -----------------------------------------------------------------------


def test_open_store_auto_of_a_new_app_takes_the_keyring(tmp_path, keyring):
    assert isinstance(open_store(tmp_path, keyring=lambda: keyring), KeyringStore)
    assert isinstance(open_store(tmp_path, keyring=lambda: None), FileStore)


def test_open_store_auto_with_a_file_keeps_the_file(tmp_path, file, keyring):
    write(file, "{}")

    assert isinstance(open_store(tmp_path, keyring=lambda: keyring), FileStore)
    chosen = open_store(tmp_path, "keyring", keyring=lambda: keyring)
    assert isinstance(chosen, KeyringStore)


def test_open_store_auto_with_a_note_and_no_keyring_raises(tmp_path, store):
    write(store, "secret")

    with pytest.raises(KeyringUnusable, match=r"removing .*session\.json"):
        open_store(tmp_path, keyring=lambda: None)


def test_open_store_file_with_a_note_raises(tmp_path, store, keyring):
    write(store, "secret")

    with pytest.raises(SessionStoreFailed, match="sign out there first"):
        open_store(tmp_path, "file", keyring=lambda: keyring)


def test_open_store_keyring_without_a_keyring_raises(tmp_path):
    with pytest.raises(KeyringUnusable):
        open_store(tmp_path, "keyring", keyring=lambda: None)


@pytest.mark.parametrize(("priority", "is_used"), [(0, False), (0.5, False), (5, True)])
def test_system_keyring_below_priority_1_is_ignored(monkeypatch, priority, is_used):
    backend = SimpleNamespace(priority=priority)
    monkeypatch.setattr(package, "get_keyring", lambda: backend)

    assert (system_keyring() is backend) is is_used
