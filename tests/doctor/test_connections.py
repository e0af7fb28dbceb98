"""What doctor opens itself: the gRPC port, and files of the machine."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from app.config import secret_files
from app.doctor.connections import file_end, require_http2
from app.factory.operator.doctor import file_system_of
from tests.fakes.certificates import NOT_AFTER, Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS_FRAME = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Listen once on loopback, read what comes and answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(20)


def test_require_http2_of_a_grpc_listener_passes():
    with answering(SETTINGS_FRAME) as bind:
        require_http2(bind, secured=False)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request", b""])
def test_require_http2_of_another_listener_fails(answer):
    with answering(answer) as bind, pytest.raises(ConnectionError):
        require_http2(bind, secured=False)


def test_require_http2_without_a_listener_fails():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = f"127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(ConnectionRefusedError):
        require_http2(bind, secured=False)


def test_require_http2_of_a_missing_socket_fails(tmp_path):
    with pytest.raises(FileNotFoundError):
        require_http2(f"unix:{tmp_path}/rpc", secured=False)


def test_file_end_is_the_end_of_the_certificate(tmp_path):
    assert abs(file_end(Authority(tmp_path).bundle) - NOT_AFTER.timestamp()) < 1


def test_file_system_of_a_path_is_that_of_the_nearest_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        f"server:/x {tmp_path}/my\\040data nfs4 rw 0 0\n"
        "tmpfs /tmpfs tmpfs rw 0 0\n"
    )

    assert file_system_of(tmp_path / "my data" / "l.db", mounts) == "nfs4"
    assert file_system_of(tmp_path / "l.db", mounts) == "ext4"


def test_file_system_without_a_list_of_mounts_is_unknown(tmp_path):
    assert file_system_of(tmp_path, tmp_path / "missing") == ""


def test_secret_files_are_those_of_variables_with_file_after_their_name():
    environ = {
        "LATCHKEY_SECRET_KEY_FILE": "/etc/latchkey/secret_key",
        "LATCHKEY_PUBLIC_URL_FILE": "/etc/latchkey/no_secret",
        "LATCHKEY_JWT_SECRET_FILE": "",
    }

    assert list(secret_files(environ)) == ["/etc/latchkey/secret_key"]
