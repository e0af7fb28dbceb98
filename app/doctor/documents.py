"""Checks from outside: our client metadata and JWKS, as authorization servers see them.

They are fetched through PUBLIC_URL by the outgoing door, which refuses what servers
refuse: addresses that are not public, certificates that do not verify.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Final, TypeAlias

from app.atproto.errors import (
    AtprotoError,
    DocumentInvalid,
    HostUnknown,
    HostUnreachable,
    ResponseTooLarge,
    UnsafeURL,
)
from app.atproto.http.types import Deadline, Response

from .deployment import Deployment
from .findings import Finding, Skipped

LIMIT: Final = 64_000
"""Bytes of a document; servers take less than 100,000."""

PATIENCE: Final = 10.0
SLOW: Final = 3.0
"""Seconds; servers wait five to ten, and fetch within our own requests."""

WHY_METADATA: Final = (
    "Authorization servers fetch our client metadata at every sign-in and refresh; "
    "without it they refuse both."
)
WHY_JWKS: Final = (
    "Services of the platform verify tokens with it; without it they let no person in."
)
JSON: Final = "application/json"

Document: TypeAlias = Generator[Finding, None, dict[str, Any] | None]
"""Yields findings, and returns the document unless there is none."""


def metadata(deployment: Deployment) -> Iterator[Finding]:
    """Fetch the client metadata as a host does, and compare it with our own."""
    if deployment.is_loopback:
        raise Skipped("loopback development has no document")
    document = yield from _fetch(deployment, deployment.client_id, WHY_METADATA)
    if document is None:
        return
    if document.get("client_id") != deployment.client_id:
        yield Finding(
            f"client_id in the document is not its URL {deployment.client_id}",
            WHY_METADATA,
            "Set PUBLIC_URL to the origin that people use, and restart the service.",
        )
    elif document != deployment.client_document():
        yield Finding(
            f"{deployment.client_id} is not the document of this deployment",
            WHY_METADATA,
            "Restart the service, so that it has these settings and keys; look whether "
            "a cache or another deployment answers for PUBLIC_URL.",
        )


def jwks(deployment: Deployment) -> Iterator[Finding]:
    """Fetch the platform's public keys, and look for the key that signs."""
    url = f"{deployment.public_url}/.well-known/jwks.json"
    document = yield from _fetch(deployment, url, WHY_JWKS)
    if document is None or "platform" not in deployment.rings:
        return
    published = document.get("keys", [])
    if any("d" in key for key in published):
        yield Finding(
            f"{url} shows a private key",
            "Everyone can sign tokens of the platform with it.",
            "Something else answers for that URL: stop it, then `keys drop platform` "
            "the key.",
        )
    known = {key.get("kid") for key in published}
    for stored in deployment.keys.list("platform"):
        if stored.status == "active" and stored.kid not in known:
            yield Finding(
                f"{url} lacks the key that signs, {stored.kid}",
                WHY_JWKS,
                "Restart the service; look whether a cache answers for that URL.",
            )


def _fetch(deployment: Deployment, url: str, why: str) -> Document:
    door = deployment.own_http if deployment.is_loopback else deployment.http
    began = deployment.monotonic()
    try:
        response = door.request(
            "GET",
            url,
            headers={"Accept": JSON},
            deadline=Deadline.after(PATIENCE, deployment.monotonic),
            limit=LIMIT,
        )
    except AtprotoError as error:
        yield Finding(f"{url} cannot be fetched: {error}", why, remedy(error))
        return None
    took = deployment.monotonic() - began
    if took > SLOW:
        yield Finding(
            f"{url} took {took:.1f} s",
            why + " They wait for a few seconds only.",
            "Look for what delays the proxy, or for a service without CPU or memory.",
        )
    return (yield from _read(response, url, why))


def _read(response: Response, url: str, why: str) -> Document:
    if 300 <= response.status < 400:
        yield Finding(
            f"{url} redirects with {response.status}",
            why + " Servers follow no redirect.",
            "Set PUBLIC_URL to the origin that the redirect leads to, or remove it.",
        )
        return None
    if response.status != 200:
        yield Finding(f"{url} answers {response.status}", why, _remedy_of(response))
        return None
    if response.content_type != JSON:
        yield Finding(
            f"{url} has the type {response.content_type or 'none'} instead of {JSON}",
            why,
            "Have the proxy pass the service's own headers on.",
        )
    try:
        return response.json_object()
    except DocumentInvalid as error:
        yield Finding(
            f"{url} is no document: {error}",
            why,
            "Look what answers for that URL in place of the service.",
        )
        return None


def _remedy_of(response: Response) -> str:
    if response.status >= 500:
        return "Start the service; the line `not ready` in its log has the cause."
    return (
        "Have the proxy pass this path to the service without a login, a captcha or a "
        "firewall in front."
    )


def remedy(error: AtprotoError) -> str:
    """Return what an operator can do about a host of ours that cannot be asked."""
    text = "Look at the proxy and the firewall in front of the service."
    if isinstance(error, UnsafeURL):
        text = (
            "Give the name an address of the public internet. If only this machine "
            "sees another one (split DNS), ask from outside."
        )
    elif isinstance(error, HostUnknown):
        text = "Add an A or AAAA record for the name."
    elif isinstance(error, ResponseTooLarge):
        text = "Look what answers for that URL in place of the service."
    elif isinstance(error, HostUnreachable) and "certificate" in error.reason:
        text = "Renew the certificate, for this name and with its whole chain."
    return text
