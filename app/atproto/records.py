"""The two stored records: AuthRequest (a login under way) and OAuthSession.

A session is one grant: an account (DID) on one device, with its own DPoP key
(requirement 5.1), pinned to the client key of its login (requirement 7.3). It carries
what later requests need without another discovery. Tokens are opaque strings
(requirement 7.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeGuard

from .crypto.keys import SigningKey
from .errors import DocumentInvalid, IdentifierInvalid, ScopeInvalid
from .scopes.scope import ATPROTO, ScopeSet, parse_scope
from .syntax.grammar import Did, Handle, Origin, parse_did

AuthMethod = Literal["none", "private_key_jwt"]

LONGEST_LIFE = 1e9
"""Seconds; a longer lifetime, or an infinite one, is refused."""

TOKEN_LIMIT = 8_192
"""Characters of an access or refresh token."""

SCOPE_LIMIT, SCOPE_WORDS = 8_192, 256
"""Characters and words of a granted scope."""

# A token travels in a header: visible ASCII only, or it could end the line.
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthRequest:
    """An authorization request that waits for its callback (requirement 4.18).

    Times are epoch seconds.
    """

    state: str = field(repr=False)
    browser_secret_hash: str | None = field(repr=False)
    """SHA-256 (hex) of the secret in the browser's cookie (requirement 9.12)."""
    issuer: str
    server: Mapping[str, Any]
    """`AuthorizationServer.document()` of the issuer: the callback sends the code
    there without another discovery (requirements 6.7 and 9.16)."""
    did: Did | None
    """The account named at the start; None when the login began at a server."""
    handle: Handle | None
    pds: Origin | None
    login_hint: str | None
    redirect_uri: str
    code_verifier: str = field(repr=False)
    dpop_key: SigningKey = field(repr=False)
    client_id: str
    auth_method: AuthMethod
    client_kid: str | None
    scope: str
    as_nonce: str | None = field(repr=False)
    verified_at: float | None
    """Age of the oldest document which says that the account's PDS trusts the issuer;
    None when no account was named (requirements 6.13 and 6.14)."""
    app_state: str = field(repr=False)
    """Data of the application, returned with the session; the library ignores it."""
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSession:
    """A token set with everything it is bound to; times are epoch seconds."""

    did: Did
    session_id: str
    """Ours, random: a second device is a second session (requirement 6.19)."""
    handle: Handle | None
    """Verified in both directions at the sign-in; display text only
    (requirement 1.30)."""
    issuer: str
    pds: Origin
    client_id: str
    auth_method: AuthMethod
    client_kid: str | None
    client_thumbprint: str | None
    """RFC 7638 thumbprint of the client key, in case its kid is reused."""
    dpop_key: SigningKey = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    """None: the session cannot be refreshed (requirement 7.5)."""
    scope: str
    """As granted, which may be less than was asked (requirement 6.16)."""
    expires_at: float | None
    """When the access token expires; None when the server did not say
    (requirement 7.1)."""
    token_endpoint: str
    revocation_endpoint: str | None
    as_nonce: str | None = field(repr=False)
    pds_nonce: str | None = field(repr=False)
    created_at: float
    refreshed_at: float
    verified_at: float
    """Age of the oldest document which says that the account's PDS trusts the issuer
    (requirement 6.12)."""
    refused_at: float | None = None
    """When the server first refused a refresh in words of its own; None after a
    successful refresh (requirement 7.17)."""
    retry_at: float | None = None
    """When the server is asked again after such a refusal."""
    requested_scope: str | None = None
    """What the login asked for; None for a session of a release before 0.2. A refresh
    answer is judged by it as the token answer was (requirement 8.9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """A validated token answer (requirement 6.10)."""

    did: Did
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scope: str
    expires_in: float | None


def parse_token_set(
    document: Mapping[str, Any], *, host: str, requested: str
) -> TokenSet:
    """Read the JSON of a successful token answer.

    Of the granted scope, the words are kept that `requested`, the requested scope,
    explains (requirement 8.9).

    Raises:
        DocumentInvalid: a field is missing, of another type or too long, the tokens
            are not bound to our DPoP key, or `atproto` was not granted.
    """
    if str(document.get("token_type", "")).lower() != "dpop":
        raise DocumentInvalid(host, "tokens are not bound by DPoP")
    access_token = document.get("access_token")
    refresh_token = document.get("refresh_token")
    if not _is_token(access_token):
        raise DocumentInvalid(host, "no access token")
    if refresh_token is not None and not _is_token(refresh_token):
        raise DocumentInvalid(host, "the refresh token is not a string")
    return TokenSet(
        did=_subject(document.get("sub"), host),
        access_token=access_token,
        refresh_token=refresh_token,
        scope=_granted_scope(document.get("scope"), requested, host),
        expires_in=_lifetime(document.get("expires_in"), host),
    )


def with_tokens(
    session: OAuthSession, document: Mapping[str, Any], *, now: float
) -> OAuthSession:
    """Return the session with the tokens of a refresh answer. Never raises.

    The old tokens are revoked by now, so the usable fields of the answer are taken and
    stored before the rest is checked (requirements 7.5 and 7.8): a malformed field
    costs that field and not the session.
    """
    access_token = document.get("access_token")
    refresh_token = document.get("refresh_token")
    ends = _end_of(document.get("expires_in"), now)
    if not _is_token(access_token):
        access_token, ends = session.access_token, now
    return replace(
        session,
        access_token=access_token,
        refresh_token=refresh_token if _is_token(refresh_token) else None,
        scope=_scope_or(document.get("scope"), session),
        expires_at=ends,
        refreshed_at=now,
        refused_at=None,
        retry_at=None,
    )


def _scope_or(value: object, session: OAuthSession) -> str:
    try:
        words = _scope_words(value)
        if session.requested_scope is None:
            return " ".join(words)
        return _explained(words, session.requested_scope)
    except ScopeInvalid:
        return session.scope


def _scope_words(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or len(value) > SCOPE_LIMIT:
        raise ScopeInvalid("not a scope, or too long")
    words = parse_scope(value)
    if len(words) > SCOPE_WORDS:
        raise ScopeInvalid("too many words")
    return words


def _end_of(lifetime: object, now: float) -> float | None:
    try:
        seconds = _lifetime(lifetime, "")
    except DocumentInvalid:
        return None
    return None if seconds is None else now + seconds


def _is_token(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= TOKEN_LIMIT
        and _TOKEN.fullmatch(value) is not None
    )


def _subject(value: object, host: str) -> Did:
    try:
        # Names of a test network are refused when the DID is resolved, by the policy.
        return parse_did(
            value if isinstance(value, str) else "",
            allow_localhost=True,
            allow_test=True,
        )
    except IdentifierInvalid as error:
        raise DocumentInvalid(host, "the subject is not a DID") from error


def _granted_scope(value: object, requested: str, host: str) -> str:
    try:
        granted = _scope_words(value)
    except ScopeInvalid as error:
        raise DocumentInvalid(host, "the granted scope is malformed") from error
    if ATPROTO not in granted:
        raise DocumentInvalid(host, "the scope atproto was not granted")
    return _explained(granted, requested)


def _explained(granted: tuple[str, ...], requested: str) -> str:
    """Return those of the granted words that the requested scope explains."""
    if granted == tuple(requested.split(" ")):
        return requested
    asked, words = ScopeSet.parse(requested), frozenset(requested.split(" "))
    return " ".join(
        word for word in granted if word in words or _is_explained(word, asked)
    )


def _is_explained(word: str, asked: ScopeSet) -> bool:
    """Tell whether a granted word may come of what was asked for, spelled anew."""
    try:
        return asked.may_allow(word)
    except ScopeInvalid:
        return False


def _lifetime(value: object, host: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DocumentInvalid(host, "expires_in is not a number")
    if not 0 < value <= LONGEST_LIFE:
        raise DocumentInvalid(host, "expires_in is not the life of a token")
    return float(value)
