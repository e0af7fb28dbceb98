"""A file of secrets: who may read it, and what is left when a writer dies."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.atproto.stores.private_file import FileUnusable, PrivateFile

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secrets.json"


def write(path: Path, **values: object) -> None:
    with PrivateFile(path).changing() as content:
        content.update(values)


# --- who may read it --------------------------------------------------------------


def test_everything_that_is_made_is_its_owners_alone(path: Path) -> None:
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
def test_a_file_that_others_could_open_is_refused(path: Path, mode: int) -> None:
    """And left as it is: only its owner knows who has read it."""
    write(path, secret=1)
    path.chmod(mode)

    with pytest.raises(FileUnusable, match="chmod 600"):
        PrivateFile(path).read()
    with pytest.raises(FileUnusable, match="chmod 600"):
        write(path, secret=2)

    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert json.loads(path.read_text()) == {"secret": 1}


def test_a_link_is_not_followed(path: Path) -> None:
    """Or whoever may write here could have us write elsewhere."""
    write(path, secret=1)
    elsewhere = path.rename(path.with_name("elsewhere.json"))
    path.symlink_to(elsewhere)

    with pytest.raises(FileUnusable):
        PrivateFile(path).read()


def test_a_link_in_the_place_of_the_draft_is_not_written_through(path: Path) -> None:
    write(path, secret=1)
    victim = path.with_name("victim")
    victim.write_text("untouched")
    path.with_name("secrets.json.new").symlink_to(victim)

    write(path, secret=2)

    assert victim.read_text() == "untouched"
    assert PrivateFile(path).read() == {"secret": 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    write(path, secret=1)
    os.chown(path, 12_345, -1)

    # Root may open it all the same.
    with pytest.raises(FileUnusable, match="not yours alone"):
        PrivateFile(path).read()


def test_a_directory_is_no_file(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)

    with pytest.raises(FileUnusable):
        PrivateFile(path).read()


# --- what it says -----------------------------------------------------------------


def test_a_file_that_is_not_there_says_nothing(path: Path) -> None:
    assert PrivateFile(path).read() == {}


@pytest.mark.parametrize("text", ["", '{"a":', "[]", "null"])
def test_a_damaged_file_is_refused_and_kept(path: Path, text: str) -> None:
    write(path, secret=1)
    path.write_text(text)

    with pytest.raises(FileUnusable, match="damaged"):
        write(path, secret=2)

    assert path.read_text() == text


def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    write(path, secret=1)

    with pytest.raises(ZeroDivisionError), PrivateFile(path).changing() as content:
        content["secret"] = 2 // 0

    assert PrivateFile(path).read() == {"secret": 1}


def test_what_did_not_change_is_not_written(path: Path) -> None:
    write(path, secret=1)
    before = path.stat()

    write(path, secret=1)

    assert path.stat().st_ino == before.st_ino


# --- many writers, and dying ones -------------------------------------------------


# Dies without a word at the n-th thing it does to the file system.
DYING = """
import os, sys
from pathlib import Path
from app.atproto.stores.private_file import PrivateFile

steps = 0

def die(event, _arguments):
    global steps
    if event in {"open", "os.rename", "os.remove"}:
        steps += 1
        if steps == int(sys.argv[2]):
            os._exit(9)

file = PrivateFile(Path(sys.argv[1]))
sys.addaudithook(die)
with file.changing() as content:
    content["secret"] = "new"
"""

ADDING = """
import sys
from pathlib import Path
from app.atproto.stores.private_file import PrivateFile

for _ in range(25):
    with PrivateFile(Path(sys.argv[1])).changing() as content:
        content["count"] += 1
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT
    )


def test_a_writer_that_dies_at_any_step_leaves_one_version_or_the_other(
    path: Path,
) -> None:
    """Never a torn file, never a lock that nobody holds."""
    seen = []
    for step in range(1, 20):
        write(path, secret="old")
        code = start(DYING, path, step).wait(timeout=30)
        seen.append((code, PrivateFile(path).read()["secret"]))
        if code == 0:
            break

    died = [secret for code, secret in seen if code == 9]
    assert seen[-1] == (0, "new")
    assert set(died) == {"old", "new"}
    assert died == sorted(died, reverse=True), "once written, it stays"


def test_no_change_of_many_processes_is_lost(path: Path) -> None:
    write(path, count=0)
    writers = [start(ADDING, path) for _ in range(3)]

    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert PrivateFile(path).read() == {"count": 75}


def test_a_lock_that_is_never_given_back_is_not_waited_for_forever(path: Path) -> None:
    write(path, secret=1)
    impatient = PrivateFile(path, patience=0.02)

    with (
        PrivateFile(path).changing(),
        pytest.raises(FileUnusable, match="held by another"),
        impatient.changing(),
    ):
        pytest.fail("two writers at once")
