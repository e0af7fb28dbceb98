"""An app and the browser of one person, who signs in to it over a unix socket."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.serving.server import LocalConnection

from .connections import Measured

HOME = "http://127.0.0.1:8000"
VERIFIER = "bench" * 10
CHALLENGE = hashlib.sha256(VERIFIER.encode()).digest()
REDIRECT_URI = "http://127.0.0.1:9/callback"
SCOPE = "openid profile"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Relying:
    """An app and the browser of one person, at one provider."""

    provider: Measured
    client_id: str
    client_secret: str
    endpoints: Mapping[str, str]
    """Paths, by their names in the discovery document without `_endpoint`."""
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = LocalConnection(self.provider.path)

    def close(self) -> None:
        """Close the connection; the next request opens one, an idle one may be shut."""
        self._connection.close()

    def authorize(self) -> str:
        """Ask for a code, as often as the provider redirects to itself."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "state",
            "nonce": "nonce",
            "code_challenge": base64.urlsafe_b64encode(CHALLENGE).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        target = f"{self.endpoints['authorization']}?{urlencode(asked)}"
        while not target.startswith(REDIRECT_URI):
            target = self._follow(target)
        return dict(parse_qsl(urlsplit(target).query))["code"]

    def exchange(self, code: str) -> dict[str, Any]:
        """Exchange a code."""
        return self._post(
            "token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=REDIRECT_URI,
            code_verifier=VERIFIER,
        )

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Refresh."""
        return self._post(
            "token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )

    def end(self, all_tokens: list[dict[str, Any]]) -> None:
        """Revoke, where a person may have only so many grants of one app."""
        if "revocation" in self.endpoints:
            for tokens in all_tokens:
                self._post("revocation", token=tokens["refresh_token"])

    def introspect(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Introspect an access token."""
        return self._post("introspection", token=tokens["access_token"])

    def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Read userinfo."""
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self._json("GET", self.endpoints["userinfo"], bearer)

    def _follow(self, target: str) -> str:
        self._connection.request("GET", target, headers=self._cookie())
        answer = self._connection.getresponse()
        body = answer.read()
        for header in answer.headers.get_all("Set-Cookie", []):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
        if answer.status == 200:
            return self._allow(body.decode())
        return self._location(answer, body)

    def _allow(self, page: str) -> str:
        """Press the first button of a page that asks, and return where it leads."""
        fields = dict(re.findall(r'name="(request|mark)" value="([^"]+)"', page))
        form = urlencode({**fields, "decision": "allow"})
        headers = {**self._cookie(), "Content-Type": FORM, "Origin": HOME}
        self._connection.request("POST", "/oauth/consent", form, headers)
        answer = self._connection.getresponse()
        return self._location(answer, answer.read())

    def _location(self, answer: HTTPResponse, body: bytes) -> str:
        location = answer.headers["Location"]
        if location is None:
            raise RuntimeError(f"{answer.status} without a redirect: {body!r}")
        return str(location)

    def _cookie(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs}

    def _post(self, endpoint: str, **form: str) -> dict[str, Any]:
        secret = f"{self.client_id}:{self.client_secret}".encode()
        basic = f"Basic {base64.b64encode(secret).decode()}"
        headers = {"Authorization": basic, "Content-Type": FORM}
        return self._json("POST", self.endpoints[endpoint], headers, urlencode(form))

    def _json(
        self, method: str, path: str, headers: Mapping[str, str], body: str = ""
    ) -> dict[str, Any]:
        self._connection.request(method, path, body or None, dict(headers))
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {text!r}")
        told: dict[str, Any] = json.loads(text or "{}")
        return told
