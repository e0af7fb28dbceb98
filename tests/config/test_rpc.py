"""RPC_BIND and its TLS: clear text on loopback only."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import Address
from tests.config.reading import PRODUCTION, read, refusal


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    """A certificate and a key; the listener checks whether they fit."""
    certificate, key = tmp_path / "rpc.pem", tmp_path / "rpc.key"
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    return {"RPC_TLS_CERTIFICATE": str(certificate), "RPC_TLS_KEY": str(key)}


def test_rpc_bind_defaults_to_loopback():
    settings = read(PRODUCTION)

    assert settings.rpc_bind == Address("::1", 50051)
    assert settings.rpc_tls_certificate is None


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "[::1]:50052", "unix:/run/rpc.sock"])
def test_rpc_bind_on_loopback_or_unix_socket_needs_no_tls(bind: str):
    assert str(read(PRODUCTION, RPC_BIND=bind).rpc_bind) == bind


@pytest.mark.parametrize("bind", ["0.0.0.0:50051", "[::]:50051", "192.0.2.7:50051"])
def test_rpc_bind_on_public_address_requires_tls(bind: str, pair: dict[str, str]):
    (line,) = refusal(PRODUCTION, RPC_BIND=bind)

    assert line.startswith(f"LATCHKEY_RPC_BIND: {bind} can be reached from other ")
    assert "RPC_CLEAR_TEXT=on" in line
    assert str(read(PRODUCTION, RPC_BIND=bind, **pair).rpc_bind) == bind
    assert read(PRODUCTION, RPC_BIND=bind, RPC_CLEAR_TEXT="on").rpc_clear_text


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("RPC_TLS_CERTIFICATE", "RPC_TLS_KEY"),
        ("RPC_TLS_KEY", "RPC_TLS_CERTIFICATE"),
    ],
)
def test_rpc_certificate_without_its_key_is_refused(
    given: str, missing: str, pair: dict[str, str]
):
    (line,) = refusal(PRODUCTION, **{given: pair[given]})

    assert line == f"LATCHKEY_{missing}: is required with {given}"


def test_rpc_files_that_cannot_be_read_are_refused(
    tmp_path: Path, pair: dict[str, str]
):
    gone = str(tmp_path / "gone.key")
    (line,) = refusal(PRODUCTION, **{**pair, "RPC_TLS_KEY": gone})

    assert line.startswith(f"LATCHKEY_RPC_TLS_KEY: cannot read {gone}: ")
