"""Connections of `doctor` to our own listeners: TLS of PUBLIC_URL, the gRPC port."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509

PATIENCE: Final = 5.0
HTTPS: Final = 443

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client of HTTP/2 begins with (RFC 9113 section 3.4)."""

EMPTY_SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS: Final = 4
FRAME_HEAD: Final = 9

WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def addresses_of(host: str) -> Sequence[str]:
    """Return the addresses of a name; raises OSError when there are none."""
    found = socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM)
    return sorted({str(one[4][0]) for one in found})


def certificate_end(host: str, *, ca_bundle: str | None) -> float:
    """Return when the certificate of a host ends, in epoch seconds.

    Raises:
        OSError: there is no connection, or the certificate does not verify.
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    with (
        socket.create_connection((host, HTTPS), timeout=PATIENCE) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def file_end(path: Path) -> float:
    """Return when the first certificate of a PEM file ends, in epoch seconds."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_after_utc.timestamp()


def require_http2(bind: str, *, secured: bool) -> None:
    """Raise OSError unless a listener of ours answers as an HTTP/2 server.

    The certificate is not verified here: the address is a number of this machine, and
    `file_end` looks at the certificate.
    """
    with _connected(bind) as plain:
        if not secured:
            _shake_hands(plain)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(plain) as connection:
            _shake_hands(connection)


def _shake_hands(connection: socket.socket) -> None:
    connection.sendall(PREFACE + EMPTY_SETTINGS)
    head = b""
    while len(head) < FRAME_HEAD:
        received = connection.recv(FRAME_HEAD - len(head))
        if not received:
            raise ConnectionError("it closes the connection")
        head += received
    if head[3] != SETTINGS:
        raise ConnectionError("it does not speak HTTP/2")


@contextmanager
def _connected(bind: str) -> Iterator[socket.socket]:
    """Connect to where a listener is bound: `unix:/PATH`, or an address and a port."""
    if bind.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(bind.removeprefix("unix:"))
            yield connection
        return
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    address = (WILDCARDS.get(host, host), int(port))
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        yield connection
