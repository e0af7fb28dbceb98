"""Checks of the network: names, certificate, PLC directory, clock, sibling hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from statistics import median
from typing import Final

from app.atproto.errors import AtprotoError
from app.atproto.http.date import clock_difference
from app.atproto.http.types import Deadline
from app.atproto.http.url_policy import is_public
from app.flows.counted import counted

from .deployment import Deployment
from .documents import remedy
from .findings import Finding, Skipped

LIMIT: Final = 256_000
PATIENCE: Final = 8.0
DAY: Final = 86_400.0

ENDS_SOON: Final = 10 * DAY
"""Seconds before the end of a certificate: renewals come a month before."""

WRONG_CLOCK: Final = 30.0
"""Seconds of difference from which servers refuse proofs and assertions."""

WHY_CLOCK: Final = (
    "Servers refuse proofs from another time (invalid_dpop_proof), and tokens of the "
    "platform are not yet, or no longer, valid elsewhere."
)


def dns(deployment: Deployment) -> Iterator[Finding]:
    """Look our own name up, and a TXT record as handles need it."""
    if not deployment.is_loopback:
        yield from _own_name(deployment)
    try:
        deployment.txt(f"_atproto.{deployment.host}", timeout=PATIENCE)
    except AtprotoError as error:
        yield Finding(
            f"no name server answers a TXT query: {error}",
            "Handles that are published in DNS cannot sign in.",
            "Correct DNS_NAMESERVERS, or the name servers of this machine; let UDP and "
            "TCP port 53 out.",
        )


def _own_name(deployment: Deployment) -> Iterator[Finding]:
    try:
        addresses = deployment.addresses(deployment.host)
    except OSError as error:
        yield Finding(
            f"{deployment.host} has no address: {error}",
            "Neither people nor authorization servers find the service.",
            "Add an A or AAAA record for the name.",
        )
        return
    private = [one for one in addresses if not _is_public(one)]
    if private and not deployment.is_lab:
        yield Finding(
            f"{deployment.host} has the address {private[0]}, which is not public",
            "Authorization servers fetch our metadata from public addresses only.",
            "Publish a public address. If only this machine sees that one (split DNS, "
            "/etc/hosts), ask from outside.",
        )


def certificate(deployment: Deployment) -> Iterator[Finding]:
    """Look when the certificate of PUBLIC_URL ends."""
    if deployment.is_loopback:
        raise Skipped("loopback development has no TLS")
    left = deployment.certificate_end(deployment.host) - deployment.clock()
    if left < ENDS_SOON:
        yield Finding(
            f"the certificate of {deployment.host} ends in {left / DAY:.0f} days",
            "Neither people nor authorization servers connect after that.",
            "Look why it was not renewed: certificates are renewed a month before.",
        )


def plc(deployment: Deployment) -> Iterator[Finding]:
    """Ask the PLC directory for anything."""
    try:
        response = deployment.http.request(
            "GET",
            f"{deployment.plc_url}/",
            deadline=Deadline.after(PATIENCE, deployment.monotonic),
            limit=LIMIT,
        )
        trouble = f"answers {response.status}" if response.status >= 500 else None
    except AtprotoError as error:
        trouble = str(error)
    if trouble:
        yield Finding(
            f"the PLC directory {deployment.plc_url} does not answer: {trouble}",
            "Accounts with a did:plc, nearly all, cannot sign in; those who are signed "
            "in stay so.",
            "Wait if the directory has an outage; else let this machine out to it.",
        )


def clock(deployment: Deployment) -> Iterator[Finding]:
    """Compare our clock with the Date headers of several hosts, and the database's."""
    differences = list(_differences(deployment))
    if not differences:
        raise Skipped("no host sent a Date header")
    difference = median(differences)
    if abs(difference) >= WRONG_CLOCK:
        side = "ahead of" if difference > 0 else "behind"
        yield Finding(
            f"this machine's clock is {abs(difference):.0f} s {side} those of "
            f"{counted(len(differences), 'host', 'hosts')}",
            WHY_CLOCK,
            "Set the clock, and run a time service (chrony, systemd-timesyncd).",
        )


def database_clock(deployment: Deployment) -> Iterator[Finding]:
    """Compare our clock with the database's, which other nodes share."""
    difference = deployment.database.clock_difference()
    if abs(difference) >= WRONG_CLOCK:
        yield Finding(
            f"this machine's clock differs from the database's by {difference:.0f} s",
            WHY_CLOCK,
            "Run a time service on this machine and on the database's.",
        )


def _differences(deployment: Deployment) -> Iterator[float]:
    for origin in (deployment.plc_url, *deployment.signup_hosts):
        try:
            response = deployment.http.request(
                "GET",
                f"{origin}/",
                deadline=Deadline.after(PATIENCE / 2, deployment.monotonic),
                limit=LIMIT,
            )
        except AtprotoError:
            continue  # `plc` and the sign-in itself report such a host
        difference = clock_difference(response.headers, deployment.clock())
        if difference is not None:
            yield difference


def siblings(deployment: Deployment) -> Iterator[Finding]:
    """Ask each host of RETURN_HOSTS over https."""
    for host in deployment.return_hosts:
        try:
            deployment.own_http.request(
                "GET",
                f"https://{host}/",
                deadline=Deadline.after(PATIENCE, deployment.monotonic),
                limit=LIMIT,
            )
        except AtprotoError as error:
            yield Finding(
                f"{host} of RETURN_HOSTS does not answer: {error}",
                "People who sign in for that service end on an error page.",
                remedy(error) + " Or remove it from RETURN_HOSTS.",
            )


def _is_public(address: str) -> bool:
    return is_public(ipaddress.ip_address(address))
