"""The client id of the command line: the development id, or published metadata.

The id `http://localhost` is for development, and some hosts refuse it. A shipped
program uses the metadata that its makers publish (requirements 3.24 to 3.26).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from ..client_metadata.builders import (
    ClientMetadata,
    build_loopback_client,
    build_native_client,
)
from ..client_metadata.rules import LOOPBACK_REDIRECT
from ..discovery.servers import DOCUMENT_LIMIT, read_document
from ..errors import ClientMetadataInvalid, HostWithoutOAuth
from .invocation import Invocation

DEVELOPMENT_REDIRECT: Final = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackRedirect:
    """The parts of a loopback redirect URI; port 0 for any port."""

    host: Literal["127.0.0.1", "::1"]
    port: int
    path: str

    def at(self, port: int) -> str:
        """Return the redirect URI at a port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{port}{self.path}"


def development_client(scope: str) -> tuple[ClientMetadata, LoopbackRedirect]:
    """Return the development client, whose id contains its metadata."""
    metadata = build_loopback_client(redirect_uris=[DEVELOPMENT_REDIRECT], scope=scope)
    return metadata, _loopback_of(metadata)


def published_client(
    call: Invocation, client_id: str, scope: str
) -> tuple[ClientMetadata, LoopbackRedirect]:
    """Fetch a native client's metadata; return it and the redirect to listen at.

    Raises:
        ClientMetadataInvalid: servers would refuse it, or this program cannot use it:
            it has a key, or no redirect to a loopback address.
        HostUnreachable, ServerInvalid: it could not be fetched.
    """
    document = _fetched(call, client_id)
    if document.get("client_id") != client_id:
        raise ClientMetadataInvalid("the document has another client_id")
    if document.get("token_endpoint_auth_method") != "none":
        raise ClientMetadataInvalid(
            "token_endpoint_auth_method: this program has no key"
        )
    metadata = build_native_client(
        client_id=client_id,
        redirect_uris=_strings(document, "redirect_uris"),
        scope=str(document.get("scope", "")),
    )
    if lacking := sorted(set(scope.split()) - set(metadata.scope.split())):
        raise ClientMetadataInvalid(f"scope: it does not declare {' '.join(lacking)}")
    return metadata, _loopback_of(metadata)


def _fetched(call: Invocation, client_id: str) -> dict[str, Any]:
    response = call.network.http.request(
        "GET",
        client_id,
        headers={"Accept": "application/json"},
        deadline=call.deadline(),
        limit=DOCUMENT_LIMIT,
    )
    try:
        return read_document(response)
    except HostWithoutOAuth as error:
        raise ClientMetadataInvalid(f"there is nothing at {client_id}") from error


def _strings(document: Mapping[str, Any], name: str) -> list[str]:
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ClientMetadataInvalid(f"{name} must be a list of strings")
    return value


def _loopback_of(metadata: ClientMetadata) -> LoopbackRedirect:
    """Return the redirect URI to listen at; IPv4 first, which every machine has."""
    found = sorted(_loopbacks(metadata), key=lambda one: ":" in one.host)
    if not found:
        raise ClientMetadataInvalid("redirect_uris: none of them leads to this machine")
    return found[0]


def _loopbacks(metadata: ClientMetadata) -> Iterator[LoopbackRedirect]:
    for uri in metadata.redirect_uris:
        parts = LOOPBACK_REDIRECT.fullmatch(uri)
        if parts is None or "?" in parts["path"]:
            continue
        host = cast("Literal['127.0.0.1', '::1']", parts["host"].strip("[]"))
        port = int((parts["port"] or ":0")[1:])
        yield LoopbackRedirect(host=host, port=port, path=parts["path"])
