"""The fake PDS: its protected-resource document, and three methods behind DPoP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from .directory import json_response
from .dpop import NonceSource, ProofChecker
from .faults import REMOVED
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .authorization_server import FakeAuthorizationServer
    from .grants import Grant

RESOURCE = "/.well-known/oauth-protected-resource"
GET_SESSION = "/xrpc/com.atproto.server.getSession"
UPLOAD_BLOB = "/xrpc/com.atproto.repo.uploadBlob"
CREATE_RECORD = "/xrpc/com.atproto.repo.createRecord"


class FakePds:
    """A resource server: it believes the tokens of one authorization server."""

    def __init__(
        self,
        origin: str,
        server: FakeAuthorizationServer,
        *,
        clock: Callable[[], float],
        handles: dict[str, str],
    ) -> None:
        self.origin = origin
        self.server = server
        self.document: dict[str, object] = {}
        """Fields of the protected-resource document that are others, or `REMOVED`."""
        self.status_of: dict[str, str] = {}
        """By DID: `AccountDeactivated` or `AccountTakedown`."""
        self.records: dict[str, Any] = {}
        """By AT URI."""
        self._handles = handles
        self._clock = clock
        self.proofs = ProofChecker(NonceSource(origin, clock), clock)
        self.proofs.nonces.rotates_every_answer = True

    def protected_resource(self) -> dict[str, object]:
        document = {
            "resource": self.origin,
            "authorization_servers": [self.server.issuer],
            "scopes_supported": [],
            "bearer_methods_supported": ["header"],
            **self.document,
        }
        return {name: v for name, v in document.items() if v is not REMOVED}

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == RESOURCE:
            return json_response(self.protected_resource())
        if (request.method, request.path) == ("GET", GET_SESSION):
            return self._guarded(request, self._get_session)
        if (request.method, request.path) == ("POST", UPLOAD_BLOB):
            return self._guarded(request, self._upload_blob)
        if (request.method, request.path) == ("POST", CREATE_RECORD):
            return self._guarded(request, self._create_record)
        return json_response({"error": "NotFound"}, 404)

    def _get_session(self, grant: Grant, _request: Request) -> Response:
        return json_response({"did": grant.did, "handle": self._handles.get(grant.did)})

    def _upload_blob(self, _grant: Grant, request: Request) -> Response:
        blob = {"mimeType": request.mimetype, "size": len(request.get_data())}
        return json_response({"blob": blob})

    def _create_record(self, grant: Grant, request: Request) -> Response:
        """Write for whoever may write the whole collection; others lack a scope."""
        body = request.get_json()
        collection = body["collection"]
        if f"repo:{collection}" not in grant.scope.split(" "):
            message = f'Missing required scope "repo:{collection}?action=create"'
            return json_response(
                {"error": "ScopeMissingError", "message": message}, 403
            )
        uri = f"at://{grant.did}/{collection}/{len(self.records) + 1}"
        self.records[uri] = body["record"]
        return json_response({"uri": uri, "cid": "bafyfake"})

    def _guarded(
        self, request: Request, answer: Callable[[Grant, Request], Response]
    ) -> Response:
        try:
            response = answer(self._authorized(request), request)
        except Refusal as refusal:
            response = json_response(
                {"error": refusal.code, "message": refusal.reason}, 401
            )
            challenge = f'DPoP algs="ES256", error="{refusal.code}"'
            response.headers["WWW-Authenticate"] = challenge
        self.proofs.nonces.turn()
        response.headers["DPoP-Nonce"] = self.proofs.nonces.current()
        return response

    def _authorized(self, request: Request) -> Grant:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "DPoP" or not token:
            raise Refusal("invalid_token", "Malformed token")
        proof_key = self.proofs.check(request, access_token=token)
        grant = self.server.grants.of_access_token(token)
        if grant is None or grant.access_expires_at <= self._clock():
            raise Refusal("invalid_token", "Invalid token")
        if grant.proof_key != proof_key:
            raise Refusal("invalid_token", "Invalid DPoP key binding")
        if status := self.status_of.get(grant.did):
            raise Refusal(status, "the account is not available")
        return grant
