"""Waiting authorization requests: pushed by a client (RFC 9126), or held for a person.

A pushed one waits for the browser, once, for 90 seconds. A held one waits while its
person signs in, signs up or decides: the sign-in carries its secret alone, so that a
request of any length comes back. Of the secret only a hash is stored.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal, Protocol

from .errors import RequestExpired
from .request import AuthorizationRequest

Kind = Literal["pushed", "held"]

REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
"""Begins the `request_uri` of a pushed request (RFC 9126 section 2.2)."""

LIFETIMES: Final[Mapping[Kind, int]] = {"pushed": 90, "held": 600}
"""Seconds from the push to the browser (RFC 9126 section 2.2), and those in which a
person signs in and answers."""

ANSWER_LIFETIME: Final = 120
"""Seconds for which the answer of a held request is given again; one with a code, as
long as that lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A sign-in that was begun for a held request: its session, and the host's prompt.

    The prompt is the one that the host was asked with, "" for none.
    """

    sid: str
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRequest:
    """A request that was read and checked, and waits."""

    kind: Kind
    client_id: str
    request: AuthorizationRequest
    asked_sid: str | None = None
    """The session that the browser had when the app asked."""
    proof: Proof | None = None
    """The last sign-in for this request."""
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """The answer that a held request got, and the session that it was for."""

    sid: str
    """"" without a session."""
    client_id: str
    code: str = field(repr=False)
    """"" for an error."""
    url: str = field(repr=False)


class WaitingRequests(Protocol):
    """The waiting requests, by the hash of their secret."""

    def add(self, waiting: WaitingRequest, *, secret: str) -> None:
        """Store a request."""

    def held(self, secret: str, *, now: float) -> WaitingRequest | None:
        """Return a held request that has no answer yet and is not over, or None."""

    def note_proof(self, secret: str, proof: Proof, *, now: float) -> None:
        """Store the last sign-in for a held request; no effect if none waits."""

    def take(
        self, secret: str, *, kind: Kind, client_id: str, now: float
    ) -> WaitingRequest | None:
        """Return a request and use it up, for one caller alone; else None."""

    def note_answer(self, secret: str, answer: GivenAnswer) -> None:
        """Store the answer of a request, in the transaction that takes it."""

    def answer(self, secret: str, *, since: float) -> GivenAnswer | None:
        """Return the answer of a request that was taken after `since`, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRequests:
    """Stores pushed and held requests, and returns them."""

    waiting: WaitingRequests
    clock: Callable[[], float]

    def push(self, request: AuthorizationRequest) -> str:
        """Store a pushed request, and return its `request_uri`."""
        return REQUEST_URI + self._add("pushed", request)

    def hold(self, request: AuthorizationRequest, *, sid: str | None) -> str:
        """Hold a request, and return its secret. `sid` is this browser's session."""
        return self._add("held", request, sid)

    def pushed(self, request_uri: str, *, client_id: str) -> AuthorizationRequest:
        """Return a pushed request to its client, once.

        Raises:
            RequestExpired: unknown, used, over, or pushed by another client.
        """
        secret = request_uri.removeprefix(REQUEST_URI)
        return self._take(secret, "pushed", client_id).request

    def held(self, secret: str) -> WaitingRequest:
        """Return a held request without using it up.

        Raises:
            RequestExpired: unknown, answered, or over.
        """
        found = self.waiting.held(secret, now=self.clock())
        if found is None:
            raise RequestExpired("no such request waits for an answer")
        return found

    def note_proof(self, secret: str, proof: Proof) -> None:
        """Note a sign-in that was begun for a held request."""
        self.waiting.note_proof(secret, proof, now=self.clock())

    def answer(self, secret: str, held: WaitingRequest) -> None:
        """Use a held request up: each is answered once.

        Raises:
            RequestExpired: it was answered meanwhile, or is over.
        """
        self._take(secret, "held", held.client_id)

    def note_answer(self, secret: str, answer: GivenAnswer) -> None:
        """Keep the answer for a form that comes twice."""
        self.waiting.note_answer(secret, answer)

    def given(self, secret: str) -> GivenAnswer | None:
        """Return the answer that a request got in the last ANSWER_LIFETIME, or None."""
        return self.waiting.answer(secret, since=self.clock() - ANSWER_LIFETIME)

    def _take(self, secret: str, kind: Kind, client_id: str) -> WaitingRequest:
        found = self.waiting.take(
            secret, kind=kind, client_id=client_id, now=self.clock()
        )
        if found is None:
            raise RequestExpired(f"no such {kind} request of this client")
        return found

    def _add(
        self, kind: Kind, request: AuthorizationRequest, sid: str | None = None
    ) -> str:
        secret, now = secrets.token_urlsafe(32), self.clock()
        waiting = WaitingRequest(
            kind=kind,
            client_id=request.client_id,
            request=request,
            asked_sid=sid,
            expires_at=now + LIFETIMES[kind],
        )
        self.waiting.add(waiting, secret=secret)
        return secret


def pack(waiting: WaitingRequest) -> str:
    """Return the request as JSON, without the id_token of its hint: it was read."""
    fields = asdict(replace(waiting.request, id_token_hint=None))
    fields |= {
        "prompt": sorted(waiting.request.prompt),
        "asked_sid": waiting.asked_sid,
        "proof": asdict(waiting.proof) if waiting.proof else None,
    }
    given = {
        name: value
        for name, value in fields.items()
        if value is not None and value is not False
    }
    return json.dumps(given)


def unpack(
    kind: Kind, client_id: str, text: str, *, expires_at: float
) -> WaitingRequest:
    """Return what `pack` wrote."""
    fields = json.loads(text)
    asked_sid, proof = fields.pop("asked_sid", None), fields.pop("proof", None)
    fields["prompt"] = frozenset(fields["prompt"])
    return WaitingRequest(
        kind=kind,
        client_id=client_id,
        request=AuthorizationRequest(**fields),
        asked_sid=asked_sid,
        proof=Proof(**proof) if proof else None,
        expires_at=expires_at,
    )
