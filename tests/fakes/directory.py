"""Who is who: the DNS table, the PLC directory and did:web documents."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from app.atproto.errors import HostUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = str | tuple[str, ...]
"""One TXT record: a string, or the character-strings that it is split into."""


class FakeDns:
    """TXT records by name. A name that is not here does not exist."""

    def __init__(self) -> None:
        self.records: dict[str, list[Record]] = {}
        self.asked: list[str] = []
        self._failures: dict[str, list[str]] = {}
        self._slow: dict[str, threading.Event] = {}

    def fails(self, name: str, *reasons: str) -> None:
        """Make the next lookups of a name fail (SERVFAIL, time out), one per reason."""
        self._failures.setdefault(name, []).extend(reasons)

    def holds(self, name: str) -> threading.Event:
        """Keep a name's answer back until the event is set or patience ends."""
        return self._slow.setdefault(name, threading.Event())

    def __call__(self, name: str, *, timeout: float) -> list[str]:
        self.asked.append(name)
        if held := self._slow.get(name):
            held.wait(min(timeout, 5.0))
        if self._failures.get(name):
            raise HostUnreachable(name, self._failures[name].pop(0))
        return ["".join(record) for record in self.records.get(name, [])]


def did_document(
    did: str, *, handle: str | None, pds: str, also: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a document of the shape that plc.directory serves."""
    names = [f"at://{handle}"] if handle else []
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": [*names, *also],
        "verificationMethod": [],
        "service": [
            {
                "id": "#atproto_pds",
                "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": pds,
            }
        ],
    }


class FakePlc:
    """The PLC directory: documents by DID, 404 for the rest."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        document = self.documents.get(request.path.removeprefix("/"))
        return _json(document, "application/did+ld+json")(environ, start_response)


class FakeHome:
    """A handle's own host: `atproto-did`, and did.json when the DID is a did:web."""

    def __init__(self) -> None:
        self.did: str | None = None
        self.document: dict[str, Any] | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = Request(environ).path
        if path == "/.well-known/atproto-did" and self.did:
            response = Response(f"{self.did}\n", mimetype="text/plain")
        elif path == "/.well-known/did.json":
            response = _json(self.document, "application/json")
        else:
            response = Response("User not found", 404, mimetype="text/plain")
        return response(environ, start_response)


def _json(document: dict[str, Any] | None, content_type: str) -> Response:
    if document is None:
        return json_response({"message": "DID not registered"}, 404)
    return json_response(document, content_type=content_type)


def json_response(
    document: object, status: int = 200, *, content_type: str = "application/json"
) -> Response:
    """Answer with a JSON document."""
    return Response(json.dumps(document), status, content_type=content_type)
