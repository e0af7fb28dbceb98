"""The listener's certificate: shown to callers, renewed without a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest

from app.rpc.tls import Certificate, CertificateUnusable
from tests.fakes.certificates import Authority
from tests.rpc.running import App, Running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.service import Service

ALICE = "alice.skyhost.social"


class Files:
    """A certificate and its key, as an operator keeps them; and who issued it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pair = Certificate(certificate=folder / "rpc.pem", key=folder / "rpc.key")
        self.renew("first")

    def issue(self, issuer: str) -> tuple[bytes, bytes]:
        self.trusted = Authority(self._folder, issuer)
        self.trusted.context_for("localhost")
        both = (self._folder / "localhost.pem").read_bytes()
        key, mark, certificate = both.partition(b"-----BEGIN CERTIFICATE-----")
        return mark + certificate, key

    def renew(self, issuer: str) -> None:
        certificate, key = self.issue(issuer)
        self.pair.certificate.write_bytes(certificate)
        self.pair.key.write_bytes(key)

    def reaches(self, running: Running) -> bool:
        """Tell whether a new connection that trusts our issuer comes about."""
        credentials = grpc.ssl_channel_credentials(self.trusted.bundle.read_bytes())
        options = [("grpc.ssl_target_name_override", "localhost")]
        with grpc.secure_channel(running.target, credentials, options) as channel:
            return bool(App(channel).initiates(ALICE).session_id)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def running(listens: Callable[..., Running], service: Service, files: Files) -> Running:
    return listens(service, certificate=files.pair)


def test_tls_call_with_the_trusted_issuer_is_served(running: Running, files: Files):
    assert files.reaches(running)


def test_clear_text_call_to_a_tls_listener_fails(running: Running):
    with running.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        App(channel).initiates(ALICE)

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_renewed_certificate_is_used_without_a_restart(
    running: Running, files: Files
):
    files.renew("second")

    assert files.reaches(running)


def test_files_that_do_not_match_keep_the_last_pair(
    running: Running, files: Files, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    trusted = files.trusted
    files.pair.certificate.write_bytes(files.issue("second")[0])
    files.trusted = trusted

    assert files.reaches(running)
    assert files.reaches(running)
    lines = [one for one in caplog.messages if "stays as it was" in one]
    assert len(lines) == 1


def broken(files: Files, what: str) -> str:
    certificate, key = files.pair.certificate, files.pair.key
    match what:
        case "another key":
            key.write_bytes(files.issue("second")[1])
            return f"{key} is not the key of {certificate}"
        case "no key":
            key.unlink()
            return f"cannot read {key}: No such file or directory"
        case "a key with a password":
            key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n")
        case "no certificate":
            certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    return f"{certificate} and {key} are not a certificate and a plain key in PEM"


@pytest.mark.parametrize(
    "what", ["another key", "no key", "a key with a password", "no certificate"]
)
def test_start_with_files_that_are_no_pair_raises_certificate_unusable(
    files: Files, what: str
):
    expected = broken(files, what)

    with pytest.raises(CertificateUnusable) as refused:
        files.pair.credentials()

    assert str(refused.value) == expected
