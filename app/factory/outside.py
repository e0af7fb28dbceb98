"""What is not ours: other people's servers, DNS, and the time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.atproto.http.client import SafeHTTP
from app.atproto.http.types import HTTP
from app.atproto.http.url_policy import NetworkPolicy
from app.atproto.identity.dns import DnsTxtLookup, TxtLookup
from app.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The seam for tests, which bring a network and a time of their own."""

    http: HTTP
    txt: TxtLookup
    clock: Callable[[], float]


def open_outside(settings: Settings, policy: NetworkPolicy) -> Outside:
    """Return the real network, behind the one hardened door, and the real time."""
    return Outside(
        http=SafeHTTP(
            policy=policy,
            user_agent=settings.user_agent,
            ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        ),
        txt=DnsTxtLookup(settings.dns_nameservers or None),
        clock=time.time,
    )
