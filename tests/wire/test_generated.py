"""What is committed beside the .proto is what `make proto` would write."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from app.wire.latchkey.v1 import auth_pb2
from tests.wire.generate import WIRE, generate

if TYPE_CHECKING:
    from pathlib import Path

IMPORT_ALONE = """
import sys
from app.wire.latchkey.v1 import auth_pb2_grpc
print(*(name for name in sys.modules if name.startswith(("app.", "flask"))))
"""


def test_the_generated_files_are_those_of_the_proto(tmp_path: Path):
    written = generate(tmp_path)

    for path in written:
        committed = WIRE / path.relative_to(tmp_path)
        assert committed.read_bytes() == path.read_bytes(), "run `make proto`"


@pytest.mark.process
def test_an_app_gets_the_stubs_without_the_service():
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE],
        cwd=WIRE.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert set(result.stdout.split()) == {
        "app.wire",
        "app.wire.latchkey",
        "app.wire.latchkey.v1",
        "app.wire.latchkey.v1.auth_pb2",
        "app.wire.latchkey.v1.auth_pb2_grpc",
    }


def test_the_interface_is_the_one_that_apps_were_built_against():
    """Numbers and names of fields are for ever: apps in the field have them."""
    fields = {
        message.name: {field.name: field.number for field in message.fields}
        for message in auth_pb2.DESCRIPTOR.message_types_by_name.values()
    }

    assert auth_pb2.DESCRIPTOR.name == "latchkey/v1/auth.proto"
    assert fields == {
        "InitiateLoginRequest": {"identifier": 1, "app_name": 2, "code_challenge": 3},
        "InitiateLoginResponse": {
            "oauth_url": 1,
            "session_id": 2,
            "user_code": 3,
            "expires_in": 4,
        },
        "AwaitLoginRequest": {"session_id": 1, "code_verifier": 2, "last_event_id": 3},
        "AwaitLoginResponse": {
            "pending": 1,
            "completed": 2,
            "denied": 3,
            "expired": 4,
        },
        "Pending": {},
        "Completed": {
            "token": 1,
            "did": 2,
            "handle": 3,
            "username": 4,
            "expires_in": 5,
            "refresh_token": 6,
            "refresh_expires_in": 7,
        },
        "RefreshTokenRequest": {"refresh_token": 1},
        "Denied": {},
        "Expired": {},
    }
