"""Errors of the authorization endpoint: our own page, or an answer to the app.

Before client and redirect URI are known to be right, a redirect would send people where
a stranger chose (RFC 6749 section 4.1.2.1, RFC 9700 section 4.11.2). Descriptions are
ours, printable ASCII without quotes, and repeat nothing of the request (RFC 6749
section 5.2).
"""

from __future__ import annotations

from typing import Literal

from app.flows.errors import FlowError

ErrorCode = Literal[
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "temporarily_unavailable",
    "login_required",
    "consent_required",
    "account_selection_required",
    "interaction_required",
    "request_not_supported",
]
"""RFC 6749 section 4.1.2.1, RFC 8707 section 2, OpenID Connect Core section 3.1.2.6."""


class ClientNotKnown(FlowError):
    """No client, or a disabled one, has the client_id of the request."""


class RedirectUriInvalid(FlowError):
    """The redirect URI is missing, repeated, or not registered for the client."""


class RequestExpired(FlowError):
    """A waiting request that is unknown, used, too old, or of another client."""


class RequestRefused(FlowError):
    """The app is told at its redirect URI; `state` is that of the request, or None."""

    def __init__(
        self, code: ErrorCode, description: str, *, redirect_uri: str, state: str | None
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.redirect_uri = redirect_uri
        self.state = state
