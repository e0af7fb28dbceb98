"""Checks of the settings, the shared rate limits and the gRPC listener."""

from __future__ import annotations

from collections.abc import Iterator

from .deployment import Deployment
from .findings import Finding, Skipped
from .network import DAY, ENDS_SOON


def settings(deployment: Deployment) -> Iterator[Finding]:
    """Report what is allowed and probably not meant."""
    for line in deployment.warnings:
        yield Finding(
            line,
            "It is allowed, and probably not what was meant.",
            "Correct the setting; docs/configuration.md explains each.",
        )


def rate_limits(deployment: Deployment) -> Iterator[Finding]:
    """Ask the server that counts for all nodes."""
    if deployment.rate_limits is None:
        raise Skipped("no server counts")
    try:
        deployment.rate_limits()
    except Exception as error:  # noqa: BLE001 - the driver of any storage
        yield Finding(
            f"RATE_LIMIT_STORAGE does not answer: {type(error).__name__}",
            "Each process counts alone: strangers may try that many times as often.",
            "Start that server, or correct RATE_LIMIT_STORAGE.",
        )


def grpc(deployment: Deployment) -> Iterator[Finding]:
    """Connect to the gRPC listener, and look when its certificate ends."""
    listener = deployment.grpc
    try:
        listener.answer()
    except OSError as error:
        if not listener.is_expected:
            raise Skipped("nothing listens, and no setting asks for it") from error
        yield Finding(
            f"the gRPC listener does not answer at {listener.bind}: {error}",
            "Native apps that use gRPC cannot sign in.",
            "Start `latchkey-rpc`, and read its log.",
        )
    if listener.certificate_end is None:
        return
    left = listener.certificate_end() - deployment.clock()
    if left < ENDS_SOON:
        yield Finding(
            f"the certificate of gRPC ends in {left / DAY:.0f} days",
            "Native apps do not connect after that.",
            "Look why it was not renewed: certificates are renewed a month before.",
        )
