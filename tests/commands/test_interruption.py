"""Ctrl-C in a command that has no end of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.stores.people.audit import SqlAudit
from app.stores.sql.database import open_database

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN = 60.0


def test_ctrl_c_ends_audit_follow_with_130_and_without_traceback(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/latchkey.db"
    database = open_database(url)
    database.apply_schema()
    SqlAudit(database).record("key_added", now=2e9)
    database.close()

    follow = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "audit", "--follow", "--json"],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "LATCHKEY_DATABASE_URL": url,
            "LATCHKEY_SECRET_KEY": secrets.token_urlsafe(32),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with follow:
        assert follow.stdout is not None
        assert json.loads(follow.stdout.readline())["event"] == "key_added"
        follow.send_signal(signal.SIGINT)
        output, errors = follow.communicate(timeout=ENDS_WITHIN)

    assert follow.returncode == 130
    assert output == ""
    assert errors.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in errors
