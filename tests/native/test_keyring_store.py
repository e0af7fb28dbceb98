"""The session in a keyring: chosen once, never half in two places."""

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
from app.native.keyring_store import SERVICE, system_keyring


class FakeKeyring:
    """A keyring as the package's backends are: it raises what it likes."""

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


def test_the_keyring_has_the_text_and_the_file_has_none_of_it(store, file, keyring):
    write(store, "secret")

    assert store.read() == "secret"
    assert "secret" not in file.read()
    assert keyring.entries == {(SERVICE, str(file.path)): "secret"}


def test_two_apps_have_two_entries(tmp_path, keyring):
    one = KeyringStore(FileStore(tmp_path / "one" / "session.json"), keyring)
    two = KeyringStore(FileStore(tmp_path / "two" / "session.json"), keyring)
    write(one, "1")
    write(two, "2")

    assert (one.read(), two.read()) == ("1", "2")


@pytest.mark.parametrize("forget", ["exchange", "remove"])
def test_nothing_is_left_in_either(store, file, keyring, forget):
    write(store, "secret")

    if forget == "remove":
        store.remove()
    else:
        store.exchange(lambda _old: None)

    assert (store.read(), file.read(), keyring.entries) == (None, None, {})


def test_forgetting_nothing_is_fine(store):
    store.remove()

    assert store.read() is None


def test_each_change_shows_in_the_version_without_asking_the_keyring(store, keyring):
    write(store, "one")
    before = store.version()
    write(store, "two")
    keyring.is_locked = True

    assert store.version() != before


def test_a_locked_keyring_is_an_error_that_tells_no_secret(store, keyring):
    write(store, "secret")
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable) as failed:
        store.read()
    with pytest.raises(KeyringUnusable):
        write(store, "another")

    assert "hunter2" not in str(failed.value)


def test_a_write_that_the_keyring_refuses_leaves_no_note(store, file, keyring):
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable):
        write(store, "secret")

    assert file.read() is None


def test_whoever_signs_out_while_it_is_locked_is_signed_out(store, file, keyring):
    """The note is gone, so nothing looks there any more; and the failure is told."""
    write(store, "secret")
    keyring.is_locked = True

    with pytest.raises(KeyringUnusable):
        store.remove()

    keyring.is_locked = False
    assert store.read() is None


def test_a_session_from_before_the_keyring_moves_with_the_next_change(
    store, file, keyring
):
    write(file, "old")
    assert store.read() == "old"

    store.exchange(lambda old: f"{old} and new")

    assert store.read() == "old and new"
    assert "old" not in file.read()


def test_logins_are_compared_and_set_in_a_keyring_too(file, keyring, server):
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


def test_a_new_app_takes_the_keyring_where_there_is_one(tmp_path, keyring):
    assert isinstance(open_store(tmp_path, keyring=lambda: keyring), KeyringStore)
    assert isinstance(open_store(tmp_path, keyring=lambda: None), FileStore)


def test_a_session_in_a_file_stays_there(tmp_path, file, keyring):
    write(file, "{}")

    assert isinstance(open_store(tmp_path, keyring=lambda: keyring), FileStore)
    chosen = open_store(tmp_path, "keyring", keyring=lambda: keyring)
    assert isinstance(chosen, KeyringStore)


def test_a_session_in_a_keyring_that_is_gone_is_not_looked_for_elsewhere(
    tmp_path, store
):
    write(store, "secret")

    with pytest.raises(KeyringUnusable, match=r"removing .*session\.json"):
        open_store(tmp_path, keyring=lambda: None)


def test_a_file_is_not_begun_beside_a_keyring(tmp_path, store, keyring):
    write(store, "secret")

    with pytest.raises(SessionStoreFailed, match="sign out there first"):
        open_store(tmp_path, "file", keyring=lambda: keyring)


def test_a_keyring_that_was_chosen_must_be_there(tmp_path):
    with pytest.raises(KeyringUnusable):
        open_store(tmp_path, "keyring", keyring=lambda: None)


@pytest.mark.parametrize(("priority", "is_used"), [(0, False), (0.5, False), (5, True)])
def test_only_a_keyring_that_is_recommended_is_used(monkeypatch, priority, is_used):
    backend = SimpleNamespace(priority=priority)
    monkeypatch.setattr(package, "get_keyring", lambda: backend)

    assert (system_keyring() is backend) is is_used
