"""An OAuth client written by hand, to show that the fakes accept what is right.

It shares nothing with the client of the product: `requests`, PyJWT and a few lines.
Each step can be bent (`proof=`, `assertion=`, `form=`), to show that the fakes refuse
what is wrong.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.wrappers import Request, Response

from .client_authentication import ASSERTION_TYPE
from .consent import ConsentPage
from .dpop import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .authorization_server import FakeAuthorizationServer
    from .world import World

HOST = "plain.platform.cafe"
CLIENT_ID = f"https://{HOST}/oauth-client-metadata.json"
CALLBACK = f"https://{HOST}/callback"


class Key:
    """A P-256 key pair."""

    def __init__(self, kid: str = "") -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        exported = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key())
        self.jwk: dict[str, str] = json.loads(exported)
        self.kid = kid

    def sign(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(claims, self.private, algorithm="ES256", headers=header)


class PlainClient:
    """One client, one login."""

    def __init__(self, world: World, server: FakeAuthorizationServer) -> None:
        self.clock = world.clock
        self.server = server
        self.client_key = Key("client-1")
        self.dpop_key = Key()
        self.verifier = secrets.token_urlsafe(32)
        self.state = secrets.token_urlsafe(16)
        self.nonce: str | None = None
        self.metadata = self._metadata()
        self._web = requests.Session()
        self._web.trust_env = False
        self._web.mount("https://", world.network)
        world.network.serve(HOST, self)

    def _metadata(self) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "application_type": "web",
            "redirect_uris": [CALLBACK],
            "scope": "atproto transition:generic",
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [{**self.client_key.jwk, "kid": self.client_key.kid}]},
        }

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Serve the client's metadata document."""
        found = Request(environ).path == "/oauth-client-metadata.json"
        body = json.dumps(self.metadata) if found else "{}"
        response = Response(body, mimetype="application/json")
        return response(environ, start_response)

    # --- the steps of a login -----------------------------------------------------

    def push(self, *, form: dict[str, str | None] | None = None, **bent: Any) -> Any:
        fields: dict[str, str | None] = {
            "response_type": "code",
            "code_challenge": digest(self.verifier),
            "code_challenge_method": "S256",
            "state": self.state,
            "redirect_uri": CALLBACK,
            "scope": "atproto",
        }
        return self.post("/oauth/par", {**fields, **(form or {})}, **bent)

    def authorization_url(self, answer: Any) -> str:
        uri = requests.compat.quote(answer.json()["request_uri"], safe="")
        client = requests.compat.quote(CLIENT_ID, safe="")
        return (
            f"{self.server.issuer}/oauth/authorize?client_id={client}&request_uri={uri}"
        )

    def exchange(
        self, code: str, *, form: dict[str, str | None] | None = None, **bent: Any
    ) -> Any:
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        }
        return self.post("/oauth/token", {**fields, **(form or {})}, **bent)

    def refresh(self, token: str, **bent: Any) -> Any:
        fields = {"grant_type": "refresh_token", "refresh_token": token}
        return self.post("/oauth/token", fields, **bent)

    def revoke(self, token: str, **bent: Any) -> Any:
        return self.post("/oauth/revoke", {"token": token}, **bent)

    def login(self, account: str) -> Any:
        """Go through a whole login; return the token answer."""
        page = self.server.open(self.authorization_url(self.push()), device="mine")
        assert isinstance(page, ConsentPage)
        return self.exchange(code_in(page.approves(account).url))

    # --- one request --------------------------------------------------------------

    def post(
        self,
        path: str,
        form: dict[str, Any],
        *,
        proof: dict[str, Any] | None = None,
        assertion: dict[str, Any] | None = None,
        retries: int = 1,
        **options: Any,
    ) -> requests.Response:
        """POST with proof and assertion; answer a nonce challenge like anybody does."""
        fields: dict[str, Any] = {
            "client_id": CLIENT_ID,
            "client_assertion_type": ASSERTION_TYPE,
        }
        fields["client_assertion"] = self.assertion(**(assertion or {}))
        fields = {**fields, **form}
        url = self.server.issuer + path
        headers = {"DPoP": self.proof("POST", url, **(proof or {}))}
        answer = self._web.post(
            url,
            data={k: v for k, v in fields.items() if v is not None},
            headers=headers | options.get("headers", {}),
            timeout=5,
            stream=True,
        )
        self.nonce = answer.headers.get("DPoP-Nonce")
        if retries and answer.json().get("error") == "use_dpop_nonce":
            return self.post(
                path, form, proof=proof, assertion=assertion, retries=0, **options
            )
        return answer

    def get(self, url: str, access_token: str, **proof: Any) -> requests.Response:
        """GET from a resource server."""
        bent = {"ath": digest(access_token), **proof}
        headers = {
            "Authorization": f"DPoP {access_token}",
            "DPoP": self.proof("GET", url, **bent),
        }
        answer = self._web.get(url, headers=headers, timeout=5, stream=True)
        self.nonce = answer.headers.get("DPoP-Nonce")
        return answer

    def proof(
        self,
        method: str,
        url: str,
        *,
        header: dict[str, Any] | None = None,
        **bent: Any,
    ) -> str:
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(self.clock()),
            "nonce": self.nonce,
            **bent,
        }
        wanted = {name: value for name, value in claims.items() if value is not None}
        typed = {"typ": "dpop+jwt", "jwk": self.dpop_key.jwk, **(header or {})}
        return self.dpop_key.sign(wanted, typed)

    def assertion(
        self,
        *,
        header: dict[str, Any] | None = None,
        key: Key | None = None,
        **bent: Any,
    ) -> str:
        now = int(self.clock())
        claims = {
            "iss": CLIENT_ID,
            "sub": CLIENT_ID,
            "aud": self.server.issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": now - 5,
            "exp": now + 60,
            **bent,
        }
        wanted = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.client_key.kid, **(header or {})}
        return (key or self.client_key).sign(wanted, headers)


def code_in(url: str) -> str:
    """Return the code of a callback URL."""
    query = requests.compat.urlparse(url).query
    return dict(pair.split("=", 1) for pair in query.split("&"))["code"]
