"""An app of the tests as it speaks to the token endpoint and what is beside it.

Its codes are issued past the authorization endpoint: what a browser does has tests of
its own.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jwt

from app.flows.provider.authorization.codes import IssueCode
from app.flows.provider.authorization.request import AuthorizationRequest
from app.flows.provider.grants.records import MOST_GRANTS, Grant
from tests.journeys.people.commands import adds_client

if TYPE_CHECKING:
    from tests.fakes.network import Answer
    from tests.service import Service

CB = "https://app.example.org/cb"
VERIFIER = "v" * 43
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
FORM = "application/x-www-form-urlencoded"


@dataclass
class App:
    """A registered client with its secret."""

    service: Service
    client_id: str
    secret: str | None
    grants: list[str] = field(default_factory=list)

    @classmethod
    def added(cls, service: Service, *options: str, name: str = "app") -> App:
        """Register a client for everyone, unless the options say otherwise."""
        allow = () if "--allow" in options else ("--allow", "everyone")
        scope = (
            ()
            if "--scope" in options
            else (*("--scope", "openid profile groups offline_access"),)
        )
        uri = ("--redirect-uri", CB)
        added = adds_client(service, name, *uri, *allow, *scope, *options)
        return cls(service, added["client_id"], added["client_secret"])

    # --- what a browser would have brought --------------------------------------------

    def code(self, *, scope: str = "openid profile", **changes: Any) -> str:
        """Issue a code for the person who signed in last."""
        use_cases = self.service.app.extensions["latchkey"].flows
        [(did, sid, expires_at)] = self.service.rows(
            "SELECT did, sid, expires_at FROM sessions ORDER BY rowid DESC LIMIT 1"
        )
        now = self.service.world.clock()
        grant = Grant(
            grant_id=f"{self.client_id}-{len(self.grants)}",
            client_id=self.client_id,
            did=did,
            scope=scope,
            session_id=sid,
            auth_time=now - 100,
            created_at=now,
            used_at=now,
            expires_at=expires_at,
        )
        use_cases.tokens.exchange.grants.add(grant, most=MOST_GRANTS)
        self.grants.append(grant.grant_id)
        fields = {"nonce": "n-0S6", "code_challenge": CHALLENGE, **changes}
        request = AuthorizationRequest(
            client_id=self.client_id, redirect_uri=CB, scope=scope, **fields
        )
        issue = IssueCode(
            codes=use_cases.tokens.exchange.codes, clock=self.service.world.clock
        )
        return issue(
            request, did=did, grant_id=grant.grant_id, auth_time=grant.auth_time
        )

    # --- requests ---------------------------------------------------------------------

    def posts(
        self, path: str, *, auth: bool = True, headers: Any = None, **body: Any
    ) -> Answer:
        """Send a form, with Basic authentication where the client has a secret."""
        named = {name: value for name, value in body.items() if value is not None}
        sent = {"Content-Type": FORM, **(headers or {})}
        if auth and self.secret is not None:
            sent.setdefault("Authorization", basic(self.client_id, self.secret))
        elif auth:
            named.setdefault("client_id", self.client_id)
        return posts(self.service, path, urlencode(named, doseq=True), sent)

    def redeems(self, code: str, /, **changes: Any) -> Answer:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CB,
            "code_verifier": VERIFIER,
        }
        return self.posts("/oauth/token", **{**body, **changes})

    def refreshes(self, token: str, /, **changes: Any) -> Answer:
        body = {"grant_type": "refresh_token", "refresh_token": token}
        return self.posts("/oauth/token", **{**body, **changes})

    def signs_in(self, **request: Any) -> dict[str, Any]:
        """Return the tokens of a new grant."""
        return answered(self.redeems(self.code(**request)))

    def userinfo(self, token: str) -> Answer:
        return self.service.get("/oauth/userinfo", Authorization=f"Bearer {token}")

    def introspects(self, token: str, **body: Any) -> dict[str, Any]:
        return answered(self.posts("/oauth/introspect", token=token, **body))

    def revokes(self, token: str, **body: Any) -> Answer:
        return self.posts("/oauth/revoke", token=token, **body)

    def opens(self, id_token: str) -> dict[str, Any]:
        """Verify an id_token as a client does, by the JWKS; return its claims."""
        keys = jwt.PyJWKSet.from_dict(self.service.get("/.well-known/jwks.json").json())
        kid = jwt.get_unverified_header(id_token)["kid"]
        claims: dict[str, Any] = jwt.decode(
            id_token,
            keys[kid],
            algorithms=["RS256"],
            audience=self.client_id,
            issuer=self.service.home,
            options={"verify_exp": False, "verify_iat": False},
        )
        return claims


def posts(
    service: Service, path: str, body: str | bytes, headers: dict[str, str]
) -> Answer:
    """Send a body as a program does: no cookies, no browser headers."""
    raw = body.encode() if isinstance(body, str) else body
    browser = service.browser(fetch_metadata=False)
    return browser.requests(
        "POST",
        service.home + path,
        body=raw,
        accept="application/json",
        headers=headers,
    )


def basic(client_id: str, secret: str) -> str:
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def answered(answer: Answer) -> dict[str, Any]:
    """Return the JSON of an answer that has to be a 200."""
    assert answer.status == 200, answer.body
    body: dict[str, Any] = json.loads(answer.body)
    return body


def error_of(answer: Answer) -> tuple[int, str]:
    """Return status and error code, after a look at the form of the error (P34)."""
    body = answer.json()
    text = body["error_description"]
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set("\"'\\")
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.status, body["error"]
