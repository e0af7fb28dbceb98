"""TLS certificate of the gRPC listener, read again whenever its files change.

A renewal needs no restart: gRPC asks before each handshake. When the two files do not
fit together, as between the two writes of a renewal, the last good pair stays in use.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

log = logging.getLogger(__name__)


class ListenerRefused(Exception):
    """Base of what keeps the listener from starting; one line for the operator."""


class CertificateUnusable(ListenerRefused):
    """The two files are not a certificate and its private key."""


Stamp = tuple[tuple[int, int], ...]


@dataclass(kw_only=True)
class Certificate:
    """A certificate (with its chain) and its private key, each in a file as PEM."""

    certificate: Path
    key: Path
    _stamp: Stamp = field(default=(), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that follow the files.

        Raises:
            CertificateUnusable: they are no pair; says why in one line.
        """
        self._stamp = self._look()
        return grpc.dynamic_ssl_server_credentials(
            self._read(),
            self._renewed,  # type: ignore[arg-type] # None: as before, it documents
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the new pair, or None; gRPC calls this on its own threads."""
        with self._lock:
            try:
                stamp = self._look()
                if stamp == self._stamp:
                    return None
                self._stamp = stamp  # a broken pair is reported once
                renewed = self._read()
            except CertificateUnusable as error:
                log.warning("the listener's certificate stays as it was: %s", error)
                return None
        log.info("the listener's certificate was renewed")
        return renewed

    def _look(self) -> Stamp:
        try:
            states = [path.stat() for path in (self.certificate, self.key)]
        except OSError as error:
            raise _unreadable(error) from error
        return tuple((state.st_mtime_ns, state.st_ino) for state in states)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            chain, key = self.certificate.read_bytes(), self.key.read_bytes()
        except OSError as error:
            raise _unreadable(error) from error
        try:
            named = load_pem_x509_certificate(chain).public_key()
            held = load_pem_private_key(key, password=None).public_key()
        except (ValueError, TypeError) as error:
            message = f"{self.certificate} and {self.key} are not a certificate and a "
            raise CertificateUnusable(f"{message}plain key in PEM") from error
        if named != held:
            raise CertificateUnusable(
                f"{self.key} is not the key of {self.certificate}"
            )
        return grpc.ssl_server_certificate_configuration([(key, chain)])


def _unreadable(error: OSError) -> CertificateUnusable:
    return CertificateUnusable(f"cannot read {error.filename}: {error.strerror}")
