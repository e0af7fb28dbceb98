"""The pages of an authorization server on which a person decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .faults import REMOVED

if TYPE_CHECKING:
    from .authorization_server import FakeAuthorizationServer
    from .grants import PushedRequest


@dataclass
class DeadEnd:
    """An error page of the host: the browser is not sent back (section 10)."""

    reason: str


@dataclass
class SentBack:
    """The browser is sent to this URL, the client's callback as a rule."""

    url: str


@dataclass
class ConsentPage:
    """The page on which a person decides; each decision is made once."""

    server: FakeAuthorizationServer
    request_uri: str
    request: PushedRequest

    def approves(self, account: str | None = None) -> SentBack:
        """Sign in as the account that was hinted at, or another, and allow."""
        account = account or self.request.form.get("login_hint")
        accounts = self.server.accounts
        did = accounts.get(account or "", account or "")
        if did not in accounts.values():
            raise AssertionError(f"{account} has no account at {self.server.issuer}")
        return self._allowed(did)

    def signs_up(self, handle: str) -> SentBack:
        """Make an account, and allow."""
        if self.server.registers is None:
            raise AssertionError(f"{self.server.issuer} takes no new accounts")
        return self._allowed(self.server.registers(handle))

    def denies(self) -> SentBack:
        """Press the button that says no."""
        return self.sends_back("access_denied", "The user rejected the request")

    def sends_back(self, error: str, description: str = "") -> SentBack:
        """End the request with an error."""
        self.server.grants.requests.pop(self.request_uri, None)
        answer = {"error": error, "error_description": description}
        return SentBack(self._answer_url(**answer))

    def _allowed(self, did: str) -> SentBack:
        if error := self.server.lies.callback_error:
            return self.sends_back(**error)
        self.server.grants.requests.pop(self.request_uri)
        code = self.server.grant_code(self.request, did)
        return SentBack(self._answer_url(code=code))

    def _answer_url(self, **parameters: str) -> str:
        """Return where the browser is sent, with the lies that were ordered."""
        lies = self.server.lies
        pairs: list[tuple[str, object]] = [("iss", self.server.issuer)]
        pairs.append(("state", self.request.form["state"]))
        if lies.callback_iss is not None:
            pairs[0] = ("iss", lies.callback_iss)
        pairs += parameters.items()
        pairs = [(name, value) for name, value in pairs if value is not REMOVED]
        pairs += [(n, v) for n, v in pairs if n in lies.callback_repeats]
        return f"{self.request.form['redirect_uri']}?{urlencode(pairs)}"
