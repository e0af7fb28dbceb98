"""The fake authorization server: it checks like the reference, and can be told to lie.

Everything that a client sends is verified here, independently of the client's code:
PAR, PKCE, DPoP, the client's assertion, which key a session is bound to. `lies` says
where it breaks the profile on purpose; troubles of the wire are in `faults.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from werkzeug.wrappers import Request, Response

from .authorization_request import check_request
from .client_authentication import Clients
from .consent import ConsentPage, DeadEnd, SentBack
from .directory import json_response
from .dpop import NonceSource, ProofChecker, digest
from .faults import REMOVED
from .grants import (
    CODE_LIFETIME,
    REQUEST_LIFETIME,
    Grant,
    Grants,
    PushedRequest,
    rotate,
)
from .lies import Lies
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .client_authentication import ClientKey
    from .network import Answer

PROMPTS = ["none", "login", "consent", "select_account", "create"]
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class FakeAuthorizationServer:
    """One issuer. Accounts sign in on the page that `open` returns."""

    def __init__(
        self,
        issuer: str,
        *,
        clock: Callable[[], float],
        fetch: Callable[[str], Answer],
        protected_resources: list[str] | None = None,
    ) -> None:
        self.issuer = issuer
        self.lies = Lies()
        self.accounts: dict[str, str] = {}
        """DID by handle, of everybody who can sign in here."""
        self.registers: Callable[[str], str] | None = None
        """Makes an account for a handle and returns its DID (`prompt=create`)."""
        self.expands_include: dict[str, str] = {}
        """What a permission set stands for, by its `include:` scope."""
        self.token_lifetime = 3600
        self.grants = Grants()
        self.clients = Clients(issuer, clock=clock, fetch=fetch)
        self.nonces = NonceSource(issuer, clock)
        self.proofs = ProofChecker(self.nonces, clock)
        self._clock = clock
        self._protected_resources = protected_resources
        self._challenges: set[str] = set()

    # --- what it publishes --------------------------------------------------------

    def metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/oauth/authorize",
            "token_endpoint": f"{self.issuer}/oauth/token",
            "pushed_authorization_request_endpoint": f"{self.issuer}/oauth/par",
            "revocation_endpoint": f"{self.issuer}/oauth/revoke",
            "jwks_uri": f"{self.issuer}/oauth/jwks",
            "require_pushed_authorization_requests": True,
            "require_request_uri_registration": True,
            "request_uri_parameter_supported": True,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
            "scopes_supported": ["atproto", "transition:generic", "transition:email"],
            "subject_types_supported": ["public"],
            "authorization_response_iss_parameter_supported": True,
            "dpop_signing_alg_values_supported": ["RS256", "ES256K", "ES256"],
            "client_id_metadata_document_supported": True,
            "prompt_values_supported": PROMPTS,
        }
        if self._protected_resources is not None:
            document["protected_resources"] = self._protected_resources
        document |= self.lies.metadata
        return {name: v for name, v in document.items() if v is not REMOVED}

    # --- HTTP ---------------------------------------------------------------------

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        response = self._answer(request)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/.well-known/oauth-authorization-server":
            return json_response(self.metadata())
        endpoints = {
            "/oauth/par": self._par,
            "/oauth/token": self._token,
            "/oauth/revoke": self._revoke,
        }
        endpoint = endpoints.get(request.path)
        if endpoint is None or request.method != "POST":
            return json_response({"error": "not_found"}, 404)
        response = self._guarded(endpoint, request)
        return self._with_nonce(response, request)

    def _guarded(
        self, endpoint: Callable[[Request], Response], request: Request
    ) -> Response:
        try:
            response = endpoint(request)
            if refusal := self.lies.refuses.get(request.path):
                raise refusal
        except Refusal as refusal:
            return json_response(refusal.document(), refusal.status)
        return response

    def _with_nonce(self, response: Response, request: Request) -> Response:
        self.nonces.turn()
        if not self.lies.forgets_nonce:
            response.headers["DPoP-Nonce"] = self.nonces.current()
        if self.lies.repeats_nonce:
            used = _nonce_of(request)
            response.headers["DPoP-Nonce"] = used or self.nonces.current()
        response.headers["Cache-Control"] = "no-store"
        return response

    # --- PAR (RFC 9126) -----------------------------------------------------------

    def _par(self, request: Request) -> Response:
        form = _form(request)
        proof_key = self.proofs.check(request)
        metadata, client_key = self.clients.authenticate(form, proof_key=proof_key)
        self._check_pushed(form, metadata)
        uri = self.grants.add_request(
            PushedRequest(
                client_id=form["client_id"],
                client_key=client_key,
                proof_key=proof_key,
                form=form,
                expires_at=self._clock() + REQUEST_LIFETIME,
            ),
            length=self.lies.sizes.get("request_uri", 0),
        )
        return json_response({"request_uri": uri, "expires_in": REQUEST_LIFETIME}, 201)

    def _check_pushed(self, form: dict[str, str], metadata: dict[str, Any]) -> None:
        prompts = self.metadata().get("prompt_values_supported", [])
        check_request(form, metadata, prompts=prompts)
        if form["code_challenge"] in self._challenges:
            raise Refusal("invalid_request", "code_challenge was used already")
        self._challenges.add(form["code_challenge"])

    # --- the token endpoint -------------------------------------------------------

    def _token(self, request: Request) -> Response:
        form = _form(request)
        proof_key = self.proofs.check(request)
        metadata, client_key = self.clients.authenticate(form, proof_key=proof_key)
        if form.get("grant_type") == "authorization_code":
            grant = self._exchange(form, client_key, proof_key)
        elif form.get("grant_type") == "refresh_token":
            grant = self._refresh(form, metadata, client_key, proof_key)
        else:
            raise Refusal("unsupported_grant_type", str(form.get("grant_type")))
        rotate(
            grant,
            now=self._clock(),
            lifetime=self.token_lifetime,
            sizes=self.lies.sizes,
        )
        return json_response(self._token_answer(grant))

    def _exchange(
        self, form: dict[str, str], client_key: ClientKey, proof_key: str
    ) -> Grant:
        grant = self.grants.exchange(form.get("code", ""))
        verifier = form.get("code_verifier", "")
        if grant.code_expires_at <= self._clock():
            raise Refusal("invalid_grant", "Code expired")
        _check_binding(grant, form["client_id"], client_key, proof_key)
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Refusal("invalid_grant", "redirect_uri is another")
        if not VERIFIER.fullmatch(verifier) or digest(verifier) != grant.code_challenge:
            raise Refusal("invalid_grant", "code_verifier does not fit")
        self.grants.open_session(grant)
        return grant

    def _refresh(
        self,
        form: dict[str, str],
        metadata: dict[str, Any],
        client_key: ClientKey,
        proof_key: str,
    ) -> Grant:
        if "refresh_token" not in metadata["grant_types"]:
            raise Refusal("invalid_grant", "grant_types has no refresh_token")
        grant = self.grants.of_refresh_token(form.get("refresh_token", ""))
        try:
            _check_binding(grant, form["client_id"], client_key, proof_key)
        except Refusal:
            grant.alive = False
            raise
        return grant

    def _token_answer(self, grant: Grant) -> dict[str, Any]:
        scope = grant.scope
        for include, expanded in self.expands_include.items():
            scope = scope.replace(include, expanded)
        return {
            "access_token": grant.access_token,
            "token_type": "DPoP",
            "refresh_token": grant.refresh_token,
            "scope": self.lies.granted_scope or scope,
            "expires_in": self.token_lifetime,
            "sub": self.lies.subject or grant.did,
        }

    # --- revocation (RFC 7009): always 200, and nothing is done without proof ------

    def _revoke(self, request: Request) -> Response:
        try:
            form = _form(request)
            proof_key = self.proofs.check(request)
            self.clients.authenticate(form, proof_key=proof_key)
        except Refusal as refusal:
            if refusal.code == "use_dpop_nonce":
                raise
            return json_response({})
        self.grants.end(form.get("token", ""))
        return json_response({})

    # --- the pages a person sees --------------------------------------------------

    def open(self, url: str, *, device: str) -> ConsentPage | DeadEnd | SentBack:
        """Open the authorization URL in a browser; `device` is that browser."""
        query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        if sorted(name for name, _ in query) != ["client_id", "request_uri"]:
            return DeadEnd("the URL carries more than the request")
        uri = dict(query)["request_uri"]
        request = self.grants.requests.get(uri)
        if request is None or request.client_id != dict(query)["client_id"]:
            return DeadEnd("Unknown request_uri")
        if request.expires_at <= self._clock():
            return DeadEnd("This sign-in session has expired")
        page = ConsentPage(self, uri, request)
        if request.device not in {None, device}:
            return page.sends_back("access_denied", "started on another device")
        request.device = device
        return page

    def grant_code(self, request: PushedRequest, did: str) -> str:
        """Return a code for what the person allowed."""
        return self.grants.add_code(
            Grant(
                did=did,
                client_id=request.client_id,
                client_key=request.client_key,
                proof_key=request.proof_key,
                scope=request.form["scope"],
                redirect_uri=request.form["redirect_uri"],
                code_challenge=request.form["code_challenge"],
                code_expires_at=self._clock() + CODE_LIFETIME,
            )
        )


def _form(request: Request) -> dict[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise Refusal("invalid_request", "the body is a form")
    if request.query_string:
        raise Refusal("invalid_request", "parameters belong in the body")
    fields: Mapping[str, list[str]] = request.form.to_dict(flat=False)
    if any(len(values) != 1 for values in fields.values()):
        raise Refusal("invalid_request", "a parameter is repeated")
    form = {name: values[0] for name, values in fields.items()}
    if not form.get("client_id"):
        raise Refusal("invalid_request", "client_id is missing")
    return form


def _nonce_of(request: Request) -> str | None:
    proof = request.headers.get("DPoP", "")
    try:
        claims = jwt.decode(proof, options={"verify_signature": False})
        return str(claims["nonce"]) if "nonce" in claims else None
    except jwt.PyJWTError:
        return None


def _check_binding(
    grant: Grant, client_id: str, client_key: ClientKey, proof_key: str
) -> None:
    if grant.client_id != client_id:
        raise Refusal("invalid_grant", "Token was not issued to this client")
    if grant.client_key != client_key:
        raise Refusal("invalid_grant", "another client key than at the start")
    if grant.proof_key != proof_key:
        raise Refusal("invalid_grant", "DPoP proof does not match the expected JKT")
