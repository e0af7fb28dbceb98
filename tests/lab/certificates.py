"""A certificate authority for the life of one laboratory, and its one certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class Certificates:
    """Where the files are: the authority's certificate, the server's, its key."""

    ca: Path
    certificate: Path
    key: Path


def make_certificates(directory: Path, names: Sequence[str]) -> Certificates:
    """Create an authority, and one server certificate for all of `names`."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _build(
        "Latchkey laboratory", ca_key.public_key(), issuer="Latchkey laboratory"
    )
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(signs_certificates=True), critical=True)
    ca = _identified(ca, key=ca_key, issuer_key=ca_key)
    leaf = _build(names[0], key.public_key(), issuer="Latchkey laboratory")
    leaf = leaf.add_extension(_alternative_names(names), critical=False)
    leaf = leaf.add_extension(_usage(signs_certificates=False), critical=True)
    leaf = _identified(leaf, key=key, issuer_key=ca_key)
    leaf = leaf.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
    )
    files = Certificates(
        *(directory / f for f in ("ca.pem", "server.pem", "server.key"))
    )
    files.ca.write_bytes(_signed(ca, ca_key))
    files.certificate.write_bytes(_signed(leaf, ca_key))
    files.key.write_bytes(_private(key))
    return files


def trust_in_chromium(home: Path, ca: Path) -> None:
    """Make the certificate store that Chromium reads when `home` is its $HOME."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    trusted = ["-A", "-n", "latchkey-lab", "-t", "C,,", "-i", str(ca)]
    subprocess.run([*certutil, *trusted], check=True)


def _build(
    subject: str, key: ec.EllipticCurvePublicKey, *, issuer: str
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _identified(
    builder: x509.CertificateBuilder,
    *,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    """Add both key identifiers: Python 3.13 and later refuse a chain without them."""
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return builder.add_extension(own, critical=False).add_extension(
        issuer, critical=False
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    builder: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey
) -> bytes:
    certificate = builder.sign(signer, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
