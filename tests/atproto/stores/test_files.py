"""Stores in files: what is particular to them.

That they keep the protocols of `app.atproto.stores.protocols`,
tests/stores/test_contract.py shows with all others.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from app.atproto.stores.files import FileSessionStore, FileStateStore
from app.atproto.stores.private_file import FileUnusable
from tests.fakes.clock import NOON
from tests.stores.samples import ALICE, BOB, auth_request, oauth_session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.clock import FakeClock


def test_a_session_outlives_the_process(tmp_path: Path) -> None:
    FileSessionStore(tmp_path).put(oauth_session())

    assert FileSessionStore(tmp_path).get(ALICE, "grant-1") == oauth_session()


def test_an_auth_request_outlives_the_process(tmp_path: Path, clock: FakeClock) -> None:
    FileStateStore(tmp_path, clock).put(auth_request())

    assert FileStateStore(tmp_path, clock).take("canary-state") == auth_request()


def test_a_lease_outlives_the_process(tmp_path: Path) -> None:
    store = FileSessionStore(tmp_path)
    store.put(oauth_session())
    store.lease(ALICE, "grant-1", holder="one", until=NOON + 45, now=NOON)

    again = FileSessionStore(tmp_path)

    assert not again.lease(ALICE, "grant-1", holder="two", until=NOON + 90, now=NOON)
    assert again.replace(oauth_session(access_token="access-2"), holder="one")


def test_all_returns_sessions_newest_first(tmp_path: Path) -> None:
    store = FileSessionStore(tmp_path)
    old = oauth_session(created_at=NOON)
    new = oauth_session(did=BOB, created_at=NOON + 1)
    store.put(old)
    store.put(new)

    assert store.all() == (new, old)


def test_new_store_has_no_session(tmp_path: Path) -> None:
    assert FileSessionStore(tmp_path).all() == ()


def test_an_expired_auth_request_leaves_no_secret_behind(
    tmp_path: Path, clock: FakeClock
) -> None:
    store = FileStateStore(tmp_path, clock)
    store.put(auth_request("old", expires_at=clock() + 60))
    clock.advance(60)

    store.put(auth_request("new"))

    text = (tmp_path / "auth-requests.json").read_text()
    assert text.count("code_verifier") == 1


def test_a_taken_auth_request_leaves_no_secret_behind(
    tmp_path: Path, clock: FakeClock
) -> None:
    store = FileStateStore(tmp_path, clock)
    store.put(auth_request())
    store.take("canary-state")

    assert "canary" not in (tmp_path / "auth-requests.json").read_text()


def test_racing_takes_of_a_state_return_it_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Requirement 6.3; each thread with a store of its own, as processes have."""
    FileStateStore(tmp_path, clock).put(auth_request())
    taken = []
    ready = threading.Barrier(8)

    def race() -> None:
        store = FileStateStore(tmp_path, clock)
        ready.wait(timeout=10)
        taken.append(store.take("canary-state"))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert [one for one in taken if one is not None] == [auth_request()]
    assert len(taken) == 8


def test_racing_leases_of_a_session_succeed_once(tmp_path: Path) -> None:
    FileSessionStore(tmp_path).put(oauth_session())
    leased = []
    ready = threading.Barrier(8)

    def race(holder: str) -> None:
        store = FileSessionStore(tmp_path)
        ready.wait(timeout=10)
        leased.append(
            store.lease(ALICE, "grant-1", holder=holder, until=NOON + 45, now=NOON)
        )

    threads = [threading.Thread(target=race, args=[str(n)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert [one for one in leased if one is not None] == [oauth_session()]
    assert len(leased) == 8


def test_a_file_that_others_could_read_gives_no_session(tmp_path: Path) -> None:
    FileSessionStore(tmp_path).put(oauth_session())
    (tmp_path / "sessions.json").chmod(0o644)

    with pytest.raises(FileUnusable, match="chmod 600"):
        FileSessionStore(tmp_path).get(ALICE, "grant-1")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"pds":', '"pod":'), ('"d":', '"e":'), ('"dpop_key":', '"key":')],
)
def test_a_record_of_another_version_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    store = FileSessionStore(tmp_path)
    store.put(oauth_session())
    file = tmp_path / "sessions.json"
    file.write_text(file.read_text().replace(old, new))

    with pytest.raises(FileUnusable, match="another version"):
        store.get(ALICE, "grant-1")
