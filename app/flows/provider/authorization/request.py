"""Read an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1).

The client and its redirect URI come first: what is wrong with either is shown on a page
of ours. All else is answered to the app. Every parameter is given once; an empty one
counts as omitted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from app.atproto.syntax.grammar import Did
from app.flows.provider.redirect_uris import RedirectRules
from app.flows.provider.registration import Client, Clients
from app.flows.provider.scopes import granted_scope

from .errors import ClientNotKnown, ErrorCode, RedirectUriInvalid, RequestRefused

Parameters = Mapping[str, Sequence[str]]
"""Each name with all of its values, as they were sent. Bytes that are no UTF-8 are
surrogates (PEP 383), which `is_text` tells from what can return unchanged."""

LONGEST_ECHO: Final = 2_048
"""Characters of `state` and `nonce`, which return as they came."""

LONGEST: Final = 4_096
"""Characters of any other parameter, an id_token_hint apart."""

LONGEST_HINT: Final = 8_192

REFUSED: Final = ("request", "request_uri", "registration")
"""Parameters of OpenID Connect Core sections 6 and 7 that change what others mean."""

READ: Final = (
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "code_challenge",
    "code_challenge_method",
    "resource",
)

PROMPTS: Final = frozenset({"none", "login", "consent", "select_account", "create"})

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2,4}")
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Tell whether the bytes of a name or value were UTF-8."""
    return not _SURROGATE.search(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What an app asks for; every field was checked."""

    client_id: str
    redirect_uri: str
    """Byte for byte as it was asked for."""
    scope: str
    """What will be granted: registered words alone."""
    state: str | None = None
    nonce: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    login_hint: str | None = None
    id_token_hint: str | None = field(default=None, repr=False)
    code_challenge: str | None = None
    """S256; None for a client with a secret that may leave it out."""
    subject: Did | None = None
    """Whom the id_token_hint names, once it was read (`hints.py`)."""
    has_lost_hint: bool = False
    """The id_token_hint names no person: its key has left the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """Reads the parameters of /oauth/authorize and /oauth/par."""

    clients: Clients
    redirects: RedirectRules

    def __call__(self, parameters: Parameters) -> tuple[Client, AuthorizationRequest]:
        """Return the client and its request.

        Raises:
            ClientNotKnown, RedirectUriInvalid: for a page of ours, without a redirect.
            RequestRefused: for the app.
        """
        client = self.client(parameters)
        redirect_uri = self._redirect_uri(parameters, client)
        given = _Given(parameters, redirect_uri)
        given.require_code()
        return client, AuthorizationRequest(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            scope=_scope(given, client),
            state=given.state,
            nonce=given.echoed("nonce"),
            prompt=_prompt(given),
            max_age=_max_age(given),
            login_hint=given.one("login_hint"),
            id_token_hint=given.one("id_token_hint"),
            code_challenge=_challenge(given, client),
        )

    def again(self, request: AuthorizationRequest) -> Client:
        """Return the client of a request that has waited, as it is now.

        Raises:
            ClientNotKnown, RedirectUriInvalid: its registration has changed meanwhile.
        """
        named = {
            "client_id": [request.client_id],
            "redirect_uri": [request.redirect_uri],
        }
        client = self.client(named)
        self._redirect_uri(named, client)
        return client

    def client(self, parameters: Parameters) -> Client:
        """Return the client that a request names. Raises `ClientNotKnown`."""
        named = [value for value in parameters.get("client_id", ()) if value]
        if len(named) != 1:
            raise ClientNotKnown("client_id is missing or repeated")
        client = self.clients.get(named[0])
        if client is None or client.disabled_at is not None:
            raise ClientNotKnown("no client that is enabled has this client_id")
        return client

    def _redirect_uri(self, parameters: Parameters, client: Client) -> str:
        named = [value for value in parameters.get("redirect_uri", ()) if value]
        if len(named) != 1:
            raise RedirectUriInvalid("redirect_uri is missing or repeated")
        registered = client.registration
        for uri in registered.redirect_uris:
            if self.redirects.matches(uri, named[0], is_public=registered.is_public):
                return named[0]
        raise RedirectUriInvalid("redirect_uri is not registered for this client")


class _Given:
    """The parameters of a request whose redirect URI is right."""

    def __init__(self, parameters: Parameters, redirect_uri: str) -> None:
        self._parameters = parameters
        self._redirect_uri = redirect_uri
        self.state: str | None = None
        self._read: dict[str, str | None] = {"state": self._one("state")}
        self.state = self.echoed("state")
        self._read |= {name: self._one(name) for name in READ}
        self._require_one_of_each()

    def one(self, name: str) -> str | None:
        """Return the value of a parameter, or None if it was omitted or empty."""
        return self._read[name]

    def _one(self, name: str) -> str | None:
        given = self._parameters.get(name)
        if given is None:
            return None
        values = [value for value in given if value]
        if len(values) > 1:
            self.refuse("invalid_request", f"{name} is repeated")
        longest = LONGEST_HINT if name == "id_token_hint" else LONGEST
        if values and len(values[0]) > longest:
            self.refuse("invalid_request", f"{name} is too long")
        if values and not is_text(values[0]):
            self.refuse("invalid_request", f"{name} is no UTF-8")
        return values[0] if values else None

    def _require_one_of_each(self) -> None:
        """Refuse what is wrong with parameters that nothing reads; none is named."""
        for name, given in self._parameters.items():
            values = [value for value in given if value]
            if len(values) > 1:
                self.refuse("invalid_request", "a parameter is repeated")
            if not all(map(is_text, (name, *values))):
                self.refuse("invalid_request", "a parameter is no UTF-8")

    def echoed(self, name: str) -> str | None:
        """Return a value that will return to the app as it came."""
        value = self.one(name)
        if value is not None and len(value) > LONGEST_ECHO:
            self.refuse("invalid_request", f"{name} is too long")
        if value is not None and _CONTROL.search(value):
            self.refuse("invalid_request", f"{name} has control characters")
        return value

    def require_code(self) -> None:
        """Refuse what this server does not offer, each by its name."""
        if any(map(_JWT.fullmatch, self._parameters.get("request", ()))):
            # OpenID Connect has a code for request objects (Core section 3.1.2.6).
            self.refuse("request_not_supported", "request is not supported")
        for name in REFUSED:
            if any(self._parameters.get(name, ())):
                self.refuse("invalid_request", f"{name} is not supported")
        if self.one("response_mode") not in {None, "query"}:
            self.refuse("invalid_request", "response_mode is not query")
        if self.one("resource") is not None:
            self.refuse("invalid_target", "there is no such resource")
        response_type = self.one("response_type")
        if response_type is None:
            self.refuse("invalid_request", "response_type is missing")
        if response_type != "code":
            self.refuse("unsupported_response_type", "response_type is not code")

    def refuse(self, code: ErrorCode, description: str) -> NoReturn:
        """Raise `RequestRefused` for the redirect URI of this request."""
        raise RequestRefused(
            code, description, redirect_uri=self._redirect_uri, state=self.state
        )


def _scope(given: _Given, client: Client) -> str:
    try:
        return granted_scope(given.one("scope") or "", client.registration.scope)
    except ValueError as error:
        given.refuse("invalid_scope", str(error))


def _prompt(given: _Given) -> frozenset[str]:
    words = frozenset((given.one("prompt") or "").split(" ")) - {""}
    if words - PROMPTS:
        given.refuse("invalid_request", "prompt has an unknown word")
    if "none" in words and len(words) > 1:
        given.refuse("invalid_request", "prompt none stands alone")
    return words


def _max_age(given: _Given) -> int | None:
    text = given.one("max_age")
    if text is None:
        return None
    if not _SECONDS.fullmatch(text):
        given.refuse("invalid_request", "max_age is no number of seconds")
    return int(text)


def _challenge(given: _Given, client: Client) -> str | None:
    challenge = given.one("code_challenge")
    method = given.one("code_challenge_method")
    if challenge is None:
        if method is not None or client.registration.pkce == "required":
            given.refuse("invalid_request", "code_challenge is missing")
        return None
    # Omitted, the method is `plain` (RFC 7636 section 4.3).
    if method != "S256":
        given.refuse("invalid_request", "code_challenge_method is not S256")
    if not _CHALLENGE.fullmatch(challenge):
        given.refuse("invalid_request", "code_challenge is no S256 challenge")
    return challenge
