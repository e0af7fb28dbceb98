"""FileStore: modes, links, locks, and what a process leaves that dies in a write."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from app.native import FileStore, SessionStoreFailed

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "session.json"


@pytest.fixture
def store(path: Path) -> FileStore:
    return FileStore(path)


def write(store: FileStore, text: str) -> None:
    store.exchange(lambda _old: text)


def test_read_returns_what_was_written(store):
    write(store, "one")

    assert store.read() == "one"
    assert FileStore(store.path).read() == "one"


def test_read_of_an_empty_store_creates_nothing(store, path):
    assert store.read() is None
    assert not path.parent.exists()


def test_private_file_and_directory_are_made_for_their_owner_only(store, path):
    previous = os.umask(0)
    try:
        write(store, "secret")
    finally:
        os.umask(previous)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()
    }
    assert modes == {"session.json": 0o600, "session.json.lock": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_file_open_to_other_users_is_refused_and_can_be_removed(store, path, mode):
    write(store, "secret")
    path.chmod(mode)

    with pytest.raises(SessionStoreFailed, match="not yours alone"):
        store.read()
    with pytest.raises(SessionStoreFailed, match="not yours alone"):
        write(store, "another")
    store.remove()

    assert store.read() is None


def test_symbolic_link_in_place_of_the_file_is_refused(store, path):
    write(store, "secret")
    elsewhere = path.rename(path.with_name("elsewhere"))
    path.symlink_to(elsewhere)

    with pytest.raises(SessionStoreFailed, match="it is a link"):
        store.read()


def test_pipe_in_place_of_the_file_raises_at_once(store, path):
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)

    with pytest.raises(SessionStoreFailed):
        store.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_of_another_user_is_refused(store, path):
    write(store, "secret")
    os.chown(path, 12_345, -1)

    with pytest.raises(SessionStoreFailed, match="not yours alone"):
        store.read()


def test_write_below_a_file_raises_with_the_path(tmp_path):
    (tmp_path / "file").write_text("no directory")

    with pytest.raises(SessionStoreFailed, match=r"session\.json.* cannot be used"):
        write(FileStore(tmp_path / "file" / "session.json"), "text")


def test_change_that_raises_leaves_the_text(store):
    write(store, "before")

    with pytest.raises(ZeroDivisionError):
        store.exchange(lambda old: old[1 // 0])

    assert store.read() == "before"


def test_exchange_to_none_removes_the_file(store, path):
    write(store, "secret")

    store.exchange(lambda _old: None)

    assert [one.name for one in path.parent.iterdir()] == ["session.json.lock"]


def test_version_differs_after_each_change(store):
    versions = [store.version()]
    for text in ("one", "two", None, "one"):
        store.exchange(lambda _old, text=text: text)
        versions.append(store.version())

    assert all(a != b for a, b in pairwise(versions))
    before = store.version()
    store.exchange(lambda old: old)
    assert store.version() == before


def test_lock_held_by_another_process_raises_after_patience(path):
    impatient = FileStore(path, patience=0.02)

    def within(_old):
        with pytest.raises(SessionStoreFailed, match="another process"):
            write(impatient, "two")
        return "one"

    FileStore(path).exchange(within)

    assert impatient.read() == "one"


def test_changes_of_eight_threads_are_all_kept(path):
    def count():
        store = FileStore(path)
        for _ in range(10):
            store.exchange(lambda old: str(int(old or 0) + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert FileStore(path).read() == "80"


# Dies without a word at the n-th thing it does to the file system.
DYING = """
import os, sys
from itertools import pairwise
from pathlib import Path
from app.native.stores.file_store import FileStore

steps = 0

def die(event, arguments):
    global steps
    if event in {"open", "os.rename", "os.remove"}:
        steps += 1
        if steps == int(sys.argv[2]):
            os._exit(7)

store = FileStore(Path(sys.argv[1]))
sys.addaudithook(die)
store.exchange(lambda old: "new")
os._exit(0)
"""


@pytest.mark.process
def test_process_that_dies_in_a_write_leaves_the_old_or_the_new_text(store, path):
    write(store, "old")
    ends = []
    for step in range(1, 12):
        result = subprocess.run(
            [sys.executable, "-c", DYING, str(path), str(step)],
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        ends.append((result.returncode, store.read()))
        write(store, "old")
        if result.returncode == 0:
            break

    assert ends[-1] == (0, "new")
    assert {code for code, _ in ends[:-1]} == {7}
    assert {text for _, text in ends} == {"old", "new"}
    assert len(ends) > 4
