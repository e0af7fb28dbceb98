"""A relying party that checks what it gets: state, iss, PKCE, and the id_token by JWKS.

It is an app that an operator registered, on the fake network; the browser that it sends
away comes back to its redirect URI.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jwt
from requests.structures import CaseInsensitiveDict

from app.atproto.crypto.encoding import base64url
from app.atproto.crypto.proofs import challenge_of
from tests.fakes.browser import query_of
from tests.fakes.network import Answer, Sent
from tests.fakes.page import Page
from tests.journeys.people.commands import adds_client

if TYPE_CHECKING:
    from tests.fakes.browser import AtHost, Browser
    from tests.service import Service

APP = "https://app.example.org"
CB = f"{APP}/cb"
FORM = "application/x-www-form-urlencoded"


@dataclass
class RelyingParty:
    """One app; `secret` is None for a public client."""

    service: Service
    client_id: str
    secret: str | None
    redirect_uri: str = CB
    scope: str = "openid profile"
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @classmethod
    def registered(
        cls,
        service: Service,
        *options: str,
        name: str = "app",
        redirect_uri: str = CB,
        allow: str = "everyone",
        **fields: Any,
    ) -> RelyingParty:
        """Have an operator register an app."""
        added = adds_client(
            service,
            *(name, "--redirect-uri", redirect_uri),
            *("--allow", allow, *options),
        )
        return cls(
            service, name, added["client_secret"], redirect_uri=redirect_uri, **fields
        )

    # --- the front channel --------------------------------------------------------

    def parameters(self, **changes: str | None) -> dict[str, str]:
        """Return an authorization request with changes; None leaves one out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def url(self, **changes: str | None) -> str:
        """Return where a browser is sent to sign in."""
        query = urlencode(self.parameters(**changes))
        return f"{self.service.home}/oauth/authorize?{query}"

    def sends(self, browser: Browser, **changes: str | None) -> Page:
        """Send a browser to sign in, from a page of the app."""
        return browser.visits(self.url(**changes), site="cross-site")

    def posts(self, browser: Browser, **changes: str | None) -> Page | AtHost:
        """Send a browser by a form of the app."""
        return browser.posts(
            "/oauth/authorize",
            self.parameters(**changes),
            origin=APP,
            site="cross-site",
        )

    def receives(
        self, page: Page | AtHost, *, state: str | None = None
    ) -> dict[str, str]:
        """Return the answer in a URL of ours, checked as every client should."""
        assert isinstance(page, Page)
        begins = f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}"
        assert page.url.startswith(begins), (page.url, page.error, page.text)
        answer = query_of(page.url)
        assert answer["iss"] == self.service.home
        assert answer["state"] == (state or self.state)
        assert ("code" in answer) is not ("error" in answer)
        return answer

    def code(self, page: Page | AtHost) -> str:
        """Return the code of an answer that has one."""
        answer = self.receives(page)
        assert "code" in answer, answer
        return answer["code"]

    def error(self, page: Page | AtHost) -> str:
        """Return the error of an answer that has one."""
        answer = self.receives(page)
        assert "error" in answer, answer
        assert answer["error_description"].isprintable()
        return answer["error"]

    # --- the back channel ---------------------------------------------------------

    def calls(
        self,
        path: str,
        fields: dict[str, str | None] | bytes,
        *,
        is_authenticated: bool = True,
        **headers: str,
    ) -> Answer:
        """POST a form as the client: with its secret by Basic, or its client_id."""
        given = {"Content-Type": FORM, "Accept": "application/json"}
        if isinstance(fields, dict):
            if is_authenticated and self.secret is None:
                fields = {"client_id": self.client_id, **fields}
            body = urlencode(
                {n: v for n, v in fields.items() if v is not None}
            ).encode()
        else:
            body = fields
        if is_authenticated and self.secret is not None:
            given["Authorization"] = basic(self.client_id, self.secret)
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = Sent(
            "POST", f"{self.service.home}{path}", CaseInsensitiveDict(given), body
        )
        return self.service.world.network.deliver(sent, timeout=10.0)

    def pushes(self, **changes: str | None) -> str:
        """Push a request, and return its `request_uri` (RFC 9126)."""
        answer = self.calls("/oauth/par", dict(self.parameters(**changes)))
        assert answer.status == 201, answer.body
        return str(json.loads(answer.body)["request_uri"])

    def redeems(self, code: str, **changes: str | None) -> Answer:
        """Exchange a code at the token endpoint, with changes."""
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.calls("/oauth/token", fields)

    def tokens(self, code: str) -> dict[str, Any]:
        """Exchange a code for tokens; the id_token in them was checked."""
        answer = self.redeems(code)
        assert answer.status == 200, answer.body
        tokens: dict[str, Any] = json.loads(answer.body)
        claims = self.checks(tokens["id_token"])
        digest = at_hash_of(tokens["access_token"])
        assert claims.get("at_hash", digest) == digest
        return tokens

    def checks(self, id_token: str) -> dict[str, Any]:
        """Return the claims of an id_token (OpenID Connect Core section 3.1.3.7)."""
        keys = json.loads(self.service.get("/.well-known/jwks.json").body)["keys"]
        header = jwt.get_unverified_header(id_token)
        [key] = [one for one in keys if one["kid"] == header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            id_token,
            jwt.PyJWK(key),
            algorithms=["RS256"],
            audience=self.client_id,
            issuer=self.service.home,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        assert claims["exp"] > self.service.world.clock()
        assert claims["nonce"] == self.nonce
        return claims


def basic(client_id: str, secret: str) -> str:
    """Return the Authorization header of a client (RFC 6749 section 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def at_hash_of(access_token: str) -> str:
    """Return `at_hash` for RS256: the left half of SHA-256."""
    return base64url(hashlib.sha256(access_token.encode()).digest()[:16])


def allows(page: Page | AtHost) -> Page | AtHost:
    """Press Allow on the consent page."""
    assert isinstance(page, Page)
    return page.presses(decision="allow")
