"""Authorization responses: the URL that sends a person back to the app.

Every one has `iss` (RFC 9207 section 2), errors included, and the `state` as it came.
The redirect URI stands in it byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from .errors import RequestRefused
from .request import AuthorizationRequest

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Where the person goes; with a code, or with an error."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerApp:
    """Writes the answers of one issuer."""

    issuer: str

    def with_code(self, request: AuthorizationRequest, code: str) -> Answer:
        """Return the answer of a request that was granted."""
        return self._to(request.redirect_uri, {"code": code}, request.state)

    def with_error(self, refused: RequestRefused) -> Answer:
        """Return the answer of a request that was refused."""
        told = {"error": refused.code, "error_description": refused.description}
        return self._to(refused.redirect_uri, told, refused.state)

    def _to(
        self, redirect_uri: str, parameters: dict[str, str], state: str | None
    ) -> Answer:
        if state is not None:
            parameters = {**parameters, "state": state}
        named = {**parameters, "iss": self.issuer}
        query = "&".join(f"{name}={_quoted(value)}" for name, value in named.items())
        return Answer(url=f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}")


def _quoted(value: str) -> str:
    """Return a value of a query; most need no quotes, and `quote` takes long."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe="")
