"""The fake PDS: its protected-resource document, and a repository behind DPoP."""

from __future__ import annotations

import base64
import hashlib
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
LIST_RECORDS = "/xrpc/com.atproto.repo.listRecords"
DELETE_RECORD = "/xrpc/com.atproto.repo.deleteRecord"
GET_RECORD = "/xrpc/com.atproto.repo.getRecord"
PUT_RECORD = "/xrpc/com.atproto.repo.putRecord"
APPLY_WRITES = "/xrpc/com.atproto.repo.applyWrites"


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
        self.emails: dict[str, dict[str, object]] = {}
        """By DID: `email` and `emailConfirmed`, for grants that may read them."""
        self.records: dict[str, Any] = {}
        """By AT URI."""
        self._created = 0
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
        methods = {
            ("GET", GET_SESSION): self._get_session,
            ("POST", UPLOAD_BLOB): self._upload_blob,
            ("POST", CREATE_RECORD): self._create_record,
            ("GET", LIST_RECORDS): self._list_records,
            ("GET", GET_RECORD): self._get_record,
            ("POST", PUT_RECORD): self._put_record,
            ("POST", DELETE_RECORD): self._delete_record,
            ("POST", APPLY_WRITES): self._apply_writes,
        }
        method = methods.get((request.method, request.path))
        if method is None:
            return json_response({"error": "NotFound"}, 404)
        if request.path == GET_RECORD and "Authorization" not in request.headers:
            return self._public_record(request)
        return self._guarded(request, method)

    def _get_session(self, grant: Grant, _request: Request) -> Response:
        told = {"did": grant.did, "handle": self._handles.get(grant.did)}
        if {"transition:email", "account:email"} & set(grant.scope.split()):
            told |= self.emails.get(grant.did, {})
        return json_response(told)

    def _upload_blob(self, _grant: Grant, request: Request) -> Response:
        content = request.get_data()
        blob = {
            "$type": "blob",
            "ref": {"$link": cid_of(content)},
            "mimeType": request.mimetype,
            "size": len(content),
        }
        return json_response({"blob": blob})

    def _create_record(self, grant: Grant, request: Request) -> Response:
        body = request.get_json()
        self._check_scope(grant, body["collection"], "create")
        self._created += 1
        uri = f"at://{grant.did}/{body['collection']}/{self._created}"
        self.records[uri] = body["record"]
        return json_response({"uri": uri, "cid": cid_of(uri.encode())})

    def _list_records(self, _grant: Grant, request: Request) -> Response:
        beginning = f"at://{request.args['repo']}/{request.args['collection']}/"
        found = [
            {"uri": uri, "cid": cid_of(uri.encode()), "value": value}
            for uri, value in self.records.items()
            if uri.startswith(beginning)
        ]
        return json_response({"records": found[: int(request.args.get("limit", 50))]})

    def _get_record(self, _grant: Grant, request: Request) -> Response:
        return self._public_record(request)

    def _public_record(self, request: Request) -> Response:
        asked = request.args
        uri = f"at://{asked['repo']}/{asked['collection']}/{asked['rkey']}"
        if uri not in self.records:
            return json_response({"error": "RecordNotFound", "message": uri}, 400)
        return json_response({"uri": uri, "value": self.records[uri]})

    def _put_record(self, grant: Grant, request: Request) -> Response:
        body = request.get_json()
        for action in ("create", "update"):
            self._check_scope(grant, body["collection"], action)
        uri = f"at://{grant.did}/{body['collection']}/{body['rkey']}"
        self.records[uri] = body["record"]
        return json_response({"uri": uri, "cid": cid_of(uri.encode())})

    def _apply_writes(self, grant: Grant, request: Request) -> Response:
        for write in request.get_json()["writes"]:
            action = write["$type"].partition("#")[2]
            self._check_scope(grant, write["collection"], action)
            uri = f"at://{grant.did}/{write['collection']}/{write['rkey']}"
            if action == "delete":
                self.records.pop(uri, None)
            else:
                self.records[uri] = write["value"]
        return json_response({"results": []})

    def _delete_record(self, grant: Grant, request: Request) -> Response:
        body = request.get_json()
        self._check_scope(grant, body["collection"], "delete")
        self.records.pop(f"at://{grant.did}/{body['collection']}/{body['rkey']}", None)
        return json_response({})

    def _check_scope(self, grant: Grant, collection: str, action: str) -> None:
        """Let those write who may write the whole collection; others lack a scope."""
        if f"repo:{collection}" not in grant.scope.split(" "):
            wanted = f"repo:{collection}?action={action}"
            message = f'Missing required scope "{wanted}"'
            raise Refusal("ScopeMissingError", message, 403)

    def _guarded(
        self, request: Request, answer: Callable[[Grant, Request], Response]
    ) -> Response:
        try:
            response = answer(self._authorized(request), request)
        except Refusal as refusal:
            is_token = refusal.status != 403
            response = json_response(
                {"error": refusal.code, "message": refusal.reason},
                401 if is_token else 403,
            )
            if is_token:
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


def cid_of(content: bytes) -> str:
    """Return the CID (version 1, raw, SHA-256) of some bytes."""
    head = bytes([0x01, 0x55, 0x12, 0x20])
    digits = base64.b32encode(head + hashlib.sha256(content).digest())
    return "b" + digits.decode().lower().rstrip("=")
