"""Checks through the proxy: what of our own request arrives, and what comes back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from app.atproto.errors import AtprotoError
from app.atproto.http.types import Deadline, Response
from app.flows.counted import counted

from .deployment import Deployment
from .documents import remedy
from .findings import Finding, Skipped
from .probe import COOKIE, HEADER

LIMIT: Final = 64_000
PATIENCE: Final = 10.0
FORGED: Final = "192.0.2.1"
"""An address that no client has (RFC 5737): it has to be dropped or left uncounted."""


def service(deployment: Deployment) -> Iterator[Finding]:
    """Ask the web process of this machine whether it is ready, and its version."""
    if deployment.local_url is None:
        raise Skipped("the service listens on a unix socket")
    url = f"{deployment.local_url}/readyz"
    try:
        answer = _get(deployment, url)
        document = answer.json_object()
    except AtprotoError as error:
        yield Finding(
            f"the service does not answer at {url}: {error}",
            "No person can sign in on this node.",
            "Start it, and read its log.",
        )
        return
    states = document.get("checks", {}).items()
    failing = sorted(part for part, state in states if state != "ok")
    if failing:
        yield Finding(
            f"/readyz says that it is not ready: {', '.join(failing)}",
            "A load balancer sends no person to this node.",
            "Correct what the other checks find; the line `not ready` in the log has "
            "the cause.",
        )
    running = document.get("version")
    if running != deployment.version:
        yield Finding(
            f"release {running} is running, {deployment.version} is installed",
            "The running one does not know newer settings and keys.",
            "Restart the service.",
        )


def proxy(deployment: Deployment) -> Iterator[Finding]:
    """Compare TRUSTED_PROXIES with the proxies that a request of ours passed."""
    seen = yield from _seen(deployment)
    if seen is None:
        return
    hops = [hop for hop in seen.get("forwarded_for", []) if hop != FORGED]
    passes_forged = len(hops) < len(seen.get("forwarded_for", []))
    if seen.get("address") == FORGED:
        yield Finding(
            "X-Forwarded-For of any client is believed",
            "A stranger chooses an address for each call: no rate limit holds.",
            f"Set TRUSTED_PROXIES to {len(hops)}, the number of proxies that add "
            "themselves to that header.",
        )
    elif len(hops) != deployment.trusted_proxies:
        yield Finding(
            f"{counted(len(hops), 'proxy adds', 'proxies add')} to X-Forwarded-For, "
            f"TRUSTED_PROXIES is {deployment.trusted_proxies}",
            "All people share the address of a proxy, and its rate limit.",
            f"Set TRUSTED_PROXIES to {len(hops)}, or have each proxy set the header."
            + (" It passes on what clients send." if passes_forged else ""),
        )


def cookie(deployment: Deployment) -> Iterator[Finding]:
    """Look whether a cookie for the platform comes back as it was set."""
    answer = yield from _probed(deployment)
    if answer is None:
        return
    morsel = _probe_cookie(answer)
    expected = deployment.cookie_domain or ""
    if morsel is None:
        yield Finding(
            "a cookie that the service sets does not arrive",
            "No person stays signed in.",
            "Have the proxy pass Set-Cookie on.",
        )
    elif str(morsel["domain"]).lstrip(".").lower() != expected:
        yield Finding(
            f"the proxy changes a cookie's domain to {morsel['domain'] or 'none'}; "
            f"COOKIE_DOMAIN is {expected or 'unset'}",
            "Services do not receive the platform's cookie, or other hosts do.",
            "Remove the rule of the proxy that rewrites cookies.",
        )
    elif not (morsel["secure"] and morsel["httponly"]):
        yield Finding(
            "the proxy drops Secure or HttpOnly of a cookie",
            "Scripts or plain http can read the platform's token.",
            "Remove the rule of the proxy that rewrites cookies.",
        )


def _probe_cookie(answer: Response) -> Any:
    try:
        return SimpleCookie(answer.headers.get("Set-Cookie", "")).get(COOKIE)
    except CookieError:
        return None


def _seen(
    deployment: Deployment,
) -> Generator[Finding, None, Mapping[str, Any] | None]:
    """Return what the service saw of our request, or None after a finding."""
    answer = yield from _probed(deployment)
    if answer is None:
        return None
    seen: Mapping[str, Any] = answer.json_object().get("seen") or {}
    if not seen:
        yield Finding(
            f"what answers for {deployment.public_url} does not know our probe",
            "Another deployment answers, or one with another SECRET_KEY or clock.",
            "Compare SECRET_KEY and the clock of all nodes; restart them.",
        )
        return None
    return seen


def _probed(deployment: Deployment) -> Generator[Finding, None, Response | None]:
    """Return the answer to a signed probe of our own, or None after a finding."""
    if deployment.is_loopback:
        raise Skipped("loopback development has no proxy")
    url = f"{deployment.public_url}/healthz"
    headers = {
        HEADER: deployment.probe.sign(deployment.clock()),
        "X-Forwarded-For": FORGED,
    }
    try:
        answer = _get(deployment, url, headers)
        answer.json_object()
    except AtprotoError as error:
        yield Finding(
            f"{url} cannot be asked: {error}",
            "No person reaches the service.",
            remedy(error),
        )
        return None
    return answer


def _get(
    deployment: Deployment, url: str, headers: Mapping[str, str] | None = None
) -> Response:
    return deployment.own_http.request(
        "GET",
        url,
        headers={"Accept": "application/json", **(headers or {})},
        deadline=Deadline.after(PATIENCE, deployment.monotonic),
        limit=LIMIT,
    )
