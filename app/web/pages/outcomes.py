"""Outcome of a callback or an app's login, shown at /auth/result after a redirect.

No page is answered at the callback's own URL: its code must not be reloaded, and its
Referrer-Policy makes browsers send `Origin: null` with forms. What is to be shown waits
in a cookie of this browser. It proves nothing: the page has text and links alone.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from flask import Response, url_for

from app.atproto.syntax.foreign_json import parse_json
from app.atproto.syntax.grammar import host_of
from app.failures import Failure, Told
from app.flows.login.destination import Destination
from app.flows.people.deletion import Deleted
from app.web import cookies
from app.web.languages.choice import texts
from app.web.responses import see_other

Kind = Literal[
    "error", "login", "upgrade", "allowed", "denied", "expired", "leave", "left"
]

LONGEST = 3000
"""Bytes of the cookie; a longer destination is left out, browsers take 4 KB."""


MOST_HOSTS = 10
"""Hosts that a goodbye names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """What the page after a deletion says; `held_until` is in epoch seconds."""

    username: str
    held_until: int
    hosts: tuple[str, ...]
    silent_hosts: tuple[str, ...] = ()
    """Hosts that did not answer, and are asked again by the sweep."""

    @classmethod
    def of(cls, deleted: Deleted) -> Self:
        """Return what is said of a deleted account."""
        asked = deleted.revocations
        silent = {host_of(one.issuer) for one in asked if not one.is_answered}
        hosts = {host_of(one.issuer) for one in asked} - silent
        return cls(
            username=deleted.username,
            held_until=int(deleted.held_until),
            hosts=tuple(sorted(hosts)[:MOST_HOSTS]),
            silent_hosts=tuple(sorted(silent)[:MOST_HOSTS]),
        )


class Shown(Exception):
    """Stands for the error of a failure that was logged before the redirect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What /auth/result shows: a failure on some page, or the end of an app's login."""

    kind: Kind
    failure: Failure | None = None
    destination: Destination = field(default=Destination())
    app_name: str | None = None
    goodbye: Goodbye | None = None

    def redirect(self) -> Response:
        """Return the redirect to /auth/result, with this outcome in a cookie."""
        text = self._packed()
        if len(text) > LONGEST:
            text = self._without_way_back()._packed()
        response = see_other(url_for("result.show"))
        cookies.OUTCOME.set(response, text)
        return response

    def _without_way_back(self) -> Self:
        failure = self.failure
        if failure is not None:
            told = replace(failure.told, return_to="", scope="")
            failure = replace(failure, told=told)
        return replace(self, destination=Destination(), failure=failure)

    def _packed(self) -> str:
        said = self.failure and {
            "told": asdict(self.failure.told),
            "status": self.failure.status,
            "reference": self.failure.reference,
        }
        document = {
            "kind": self.kind,
            "failure": said,
            "destination": self.destination.pack(),
            "app_name": self.app_name,
            "goodbye": self.goodbye and asdict(self.goodbye),
        }
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    @classmethod
    def of_request(cls) -> Self | None:
        """Return the outcome that this browser carries; None without a readable one."""
        try:
            document = parse_json(
                base64.urlsafe_b64decode(cookies.OUTCOME.read().encode())
            )
            return cls._unpacked(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @classmethod
    def _unpacked(cls, document: dict[str, Any]) -> Self:
        return cls(
            kind=document["kind"],
            failure=document["failure"] and _failure(document["failure"]),
            destination=Destination.unpack(document["destination"]),
            app_name=document["app_name"],
            goodbye=_goodbye(document.get("goodbye")),
        )


def _goodbye(said: dict[str, Any] | None) -> Goodbye | None:
    if not said:
        return None
    return Goodbye(
        username=str(said["username"]),
        held_until=int(said["held_until"]),
        hosts=tuple(map(str, said["hosts"])),
        silent_hosts=tuple(map(str, said.get("silent_hosts", ()))),
    )


def _failure(said: dict[str, Any]) -> Failure:
    told = Told(**said["told"])
    if told.again and not told.again.startswith("/auth/"):
        raise ValueError("no link of ours")
    return Failure(
        error=Shown(),
        told=told,
        message=told.message(texts()),
        status=int(said["status"]),
        reference=str(said["reference"]),
    )
