"""Private files: owner, mode and links, many writers, and writers that are killed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from app.atproto.stores.files import JsonFile
from app.atproto.stores.private_file import (
    FileUnusable,
    PrivateFile,
    state_directory,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secrets.json"


def write(path: Path, **values: object) -> None:
    with JsonFile(path).changing() as content:
        content.update(values)


# --- owner, mode and links ---


def test_private_file_and_directory_are_made_for_their_owner_only(path: Path) -> None:
    previous = os.umask(0)
    try:
        write(path, secret=1)
    finally:
        os.umask(previous)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()
    }
    assert modes == {"secrets.json": 0o600, "secrets.json.lock": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o666])
def test_private_file_open_to_other_users_is_refused_and_kept(
    path: Path, mode: int
) -> None:
    write(path, secret=1)
    path.chmod(mode)

    with pytest.raises(FileUnusable, match="chmod 600"):
        JsonFile(path).read()
    with pytest.raises(FileUnusable, match="chmod 600"):
        write(path, secret=2)

    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert json.loads(path.read_text()) == {"secret": 1}


def test_link_at_the_file_path_is_refused(path: Path) -> None:
    write(path, secret=1)
    elsewhere = path.rename(path.with_name("elsewhere.json"))
    path.symlink_to(elsewhere)

    with pytest.raises(FileUnusable):
        JsonFile(path).read()


def test_link_at_the_draft_path_is_replaced_not_followed(path: Path) -> None:
    write(path, secret=1)
    victim = path.with_name("victim")
    victim.write_text("untouched")
    path.with_name("secrets.json.new").symlink_to(victim)

    write(path, secret=2)

    assert victim.read_text() == "untouched"
    assert JsonFile(path).read() == {"secret": 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_of_another_user_is_refused(path: Path) -> None:
    write(path, secret=1)
    os.chown(path, 12_345, -1)

    # Root may open it all the same.
    with pytest.raises(FileUnusable, match="not yours alone"):
        JsonFile(path).read()


def test_directory_at_the_file_path_is_refused(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)

    with pytest.raises(FileUnusable):
        JsonFile(path).read()


@pytest.mark.parametrize("name", ["secrets.json", "secrets.json.lock"])
def test_pipe_at_a_path_of_the_file_is_refused_without_waiting(path, name):
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path.with_name(name), 0o600)

    with pytest.raises(FileUnusable):
        write(path, secret=1)


def test_lock_file_open_to_other_users_is_made_private(path: Path) -> None:
    """It holds nothing: a refusal would only keep a person from signing out."""
    write(path, secret=1)
    lock = path.with_name("secrets.json.lock")
    lock.chmod(0o666)

    write(path, secret=2)

    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert JsonFile(path).read() == {"secret": 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_lock_file_of_another_user_is_refused(path: Path) -> None:
    write(path, secret=1)
    os.chown(path.with_name("secrets.json.lock"), 65534, 65534)

    with pytest.raises(FileUnusable, match="is not yours: remove it"):
        write(path, secret=2)


def test_path_below_a_plain_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")

    with pytest.raises(FileUnusable, match="cannot be used"):
        write(tmp_path / "file" / "secrets.json", secret=1)


def test_exchange_with_none_deletes_the_file_and_keeps_the_lock(path: Path) -> None:
    file = PrivateFile(path)
    file.exchange(lambda _old: "text")

    file.exchange(lambda _old: None)

    assert file.read() is None
    assert [each.name for each in path.parent.iterdir()] == ["secrets.json.lock"]


def test_remove_deletes_a_file_that_read_refuses(path: Path) -> None:
    write(path, secret=1)
    path.chmod(0o644)
    removed = []

    PrivateFile(path).remove(lambda: removed.append("also"))

    assert (PrivateFile(path).read(), removed) == (None, ["also"])


def test_version_differs_after_each_change_only(path: Path) -> None:
    file = PrivateFile(path)
    versions = [file.version()]
    for text in ("one", "two", None, "one"):
        file.exchange(lambda _old, text=text: text)
        versions.append(file.version())
    file.exchange(lambda old: old)

    assert all(a != b for a, b in pairwise(versions))
    assert file.version() == versions[-1]


def test_state_directory_follows_xdg_state_home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_directory("program") == tmp_path / "state" / "program"

    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_directory("program") == tmp_path / ".local/state/program"


# --- content ---


def test_json_file_that_is_missing_reads_as_empty_object(path: Path) -> None:
    assert JsonFile(path).read() == {}


@pytest.mark.parametrize("text", ["", '{"a":', "[]", "null"])
def test_damaged_json_file_is_refused_and_kept(path: Path, text: str) -> None:
    write(path, secret=1)
    path.write_text(text)

    with pytest.raises(FileUnusable, match="damaged"):
        write(path, secret=2)

    assert path.read_text() == text


def test_change_that_raises_leaves_the_content(path: Path) -> None:
    write(path, secret=1)

    with pytest.raises(ZeroDivisionError), JsonFile(path).changing() as content:
        content["secret"] = 2 // 0

    assert JsonFile(path).read() == {"secret": 1}


def test_unchanged_content_is_not_written(path: Path) -> None:
    write(path, secret=1)
    before = path.stat()

    write(path, secret=1)

    assert path.stat().st_ino == before.st_ino


# --- many writers, and killed ones ---


# Ends itself at its n-th operation on the file system.
DYING = """
import os, sys
from pathlib import Path
from app.atproto.stores.files import JsonFile

steps = 0

def die(event, _arguments):
    global steps
    if event in {"open", "os.rename", "os.remove"}:
        steps += 1
        if steps == int(sys.argv[2]):
            os._exit(9)

file = JsonFile(Path(sys.argv[1]))
sys.addaudithook(die)
with file.changing() as content:
    content["secret"] = "new"
"""

ADDING = """
import sys
from itertools import pairwise
from pathlib import Path
from app.atproto.stores.files import JsonFile

for _ in range(25):
    with JsonFile(Path(sys.argv[1])).changing() as content:
        content["count"] += 1
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT
    )


@pytest.mark.process
def test_writer_killed_at_any_step_leaves_old_or_new_content(
    path: Path,
) -> None:
    seen = []
    for step in range(1, 20):
        write(path, secret="old")
        code = start(DYING, path, step).wait(timeout=30)
        seen.append((code, JsonFile(path).read()["secret"]))
        if code == 0:
            break

    died = [secret for code, secret in seen if code == 9]
    assert seen[-1] == (0, "new")
    assert set(died) == {"old", "new"}
    assert died == sorted(died, reverse=True), "once written, it stays"


@pytest.mark.process
def test_changes_of_many_processes_are_all_kept(path: Path) -> None:
    write(path, count=0)
    writers = [start(ADDING, path) for _ in range(3)]

    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert JsonFile(path).read() == {"count": 75}


def test_lock_that_stays_held_raises_file_unusable(path: Path) -> None:
    write(path, secret=1)
    impatient = JsonFile(path, patience=0.02)

    with (
        JsonFile(path).changing(),
        pytest.raises(FileUnusable, match="held by another"),
        impatient.changing(),
    ):
        pytest.fail("two writers at once")
