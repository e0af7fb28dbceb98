"""Files with private keys that a command reads, and who else can read them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click
import pytest

from app.commands.framework.private_key_file import LARGEST, read_private_key

if TYPE_CHECKING:
    from pathlib import Path


def test_redirected_standard_input_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.pem"
    file.write_bytes(b"a key")
    file.chmod(0o644)

    with file.open() as redirected:
        monkeypatch.setattr(sys, "stdin", redirected)
        with pytest.raises(click.ClickException, match="input is a file of mode 0644"):
            read_private_key("-", refuse=True)


def test_pipe_is_read_of_any_mode(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o666)
    keeps_it_open = os.open(pipe, os.O_RDWR)
    os.write(keeps_it_open, b"x" * LARGEST)

    assert read_private_key(pipe, refuse=True) == b"x" * LARGEST
    os.close(keeps_it_open)


def test_long_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_bytes(b"x" * (LARGEST + 1))
    file.chmod(0o600)

    assert len(read_private_key(file, refuse=True)) == LARGEST
