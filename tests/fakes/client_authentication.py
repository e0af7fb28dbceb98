"""Who is this client: its metadata fetched, checked, and its assertion verified.

As the reference server does it (requirements 3.1 to 3.17 and 4.11 to 4.14): metadata
and keys are fetched while the client waits for its answer and kept for ten minutes; the
assertion's `iat` may not be a second in the future.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt

from app.atproto.errors import HostUnreachable

from .dpop import UNDATED, thumbprint
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jwt.types import Options

    from .network import Answer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OLDEST_ASSERTION = 60
KEPT = 600
REFUSED_FIELDS = {
    "default_max_age",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "id_token_signed_response_alg",
    "tls_client_certificate_bound_access_tokens",
}
LOCAL_NAMES = {"test", "local", "localhost", "invalid", "example"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """What a session is pinned to (requirement 7.3); all None for a public client."""

    kid: str | None = None
    alg: str | None = None
    thumbprint: str | None = None


PUBLIC = ClientKey()


class Clients:
    """The clients that one authorization server knows."""

    def __init__(
        self, issuer: str, *, clock: Callable[[], float], fetch: Callable[[str], Answer]
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._fetch = fetch
        self._kept: dict[str, tuple[float, Any]] = {}
        self._used: set[str] = set()

    def metadata(self, client_id: str) -> dict[str, Any]:
        """Return the client's metadata, fetched when none is fresh, and checked."""
        parts = urlsplit(client_id)
        if parts.scheme == "http" and parts.hostname == "localhost":
            return _loopback(client_id)
        _check_client_id(client_id)
        document: dict[str, Any] = self._document(client_id)
        _check_metadata(document, client_id)
        return document

    def authenticate(
        self, form: Mapping[str, str], *, proof_key: str | None = None
    ) -> tuple[dict[str, Any], ClientKey]:
        """Return the client's metadata and the key it proved, or refuse."""
        metadata = self.metadata(form["client_id"])
        if metadata["token_endpoint_auth_method"] == "none":
            if "client_assertion" in form:
                raise Refusal("invalid_client", "a public client has no assertion")
            return metadata, PUBLIC
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refusal("invalid_client", "credentials missing")
        key = self._check_assertion(form.get("client_assertion", ""), metadata)
        if key.thumbprint == proof_key:
            raise Refusal("invalid_client", "the DPoP key is the client's key")
        return metadata, key

    def forget(self) -> None:
        """Drop what was fetched, as ten minutes would."""
        self._kept.clear()

    def _document(self, url: str) -> Any:
        expires_at, document = self._kept.get(url, (0.0, None))
        if expires_at > self._clock():
            return document
        try:
            answer = self._fetch(url)
        except HostUnreachable as error:
            raise Refusal("invalid_client_metadata", str(error)) from error
        document = _fetched(answer, url)
        self._kept[url] = (self._clock() + KEPT, document)
        return document

    def _check_assertion(self, token: str, metadata: dict[str, Any]) -> ClientKey:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise Refusal("invalid_client", "not a JWT") from error
        jwk = self._jwk(header, metadata)
        claims = _verified_claims(token, jwk)
        self._check_claims(claims, metadata["client_id"])
        return ClientKey(
            kid=header["kid"], alg=header["alg"], thumbprint=thumbprint(jwk)
        )

    def _jwk(self, header: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
        if header.get("alg") != metadata["token_endpoint_auth_signing_alg"]:
            raise Refusal("invalid_client", "another alg than the metadata's")
        if header.get("typ", "JWT") != "JWT" or not header.get("kid"):
            raise Refusal("invalid_client", "kid is required")
        jwks = metadata.get("jwks") or self._document(metadata["jwks_uri"])
        keys: list[dict[str, Any]] = jwks["keys"]
        for jwk in keys:
            if _is_usable(jwk) and jwk["kid"] == header["kid"]:
                return jwk
        raise Refusal("invalid_client", "no applicable key")

    def _check_claims(self, claims: dict[str, Any], client_id: str) -> None:
        now = self._clock()
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise Refusal("invalid_client", "iss and sub are the client_id")
        if claims.get("aud") != self._issuer:
            raise Refusal("invalid_client", 'unexpected "aud"')
        iat, exp, jti = (claims.get(name) for name in ("iat", "exp", "jti"))
        if not isinstance(iat, int) or not now - OLDEST_ASSERTION <= iat <= now:
            raise Refusal("invalid_client", '"iat" is too old or in the future')
        if not isinstance(exp, int) or exp <= now:
            raise Refusal("invalid_client", '"exp" is required and to come')
        if not isinstance(jti, str) or jti in self._used:
            raise Refusal("invalid_grant", "private_key_jwt jti reused")
        self._used.add(jti)


def _verified_claims(token: str, jwk: dict[str, Any]) -> dict[str, Any]:
    unchecked: Options = {**UNDATED, "verify_aud": False, "verify_iss": False}
    try:
        key = jwt.PyJWK(jwk, algorithm="ES256").key
        return jwt.decode(token, key, algorithms=["ES256"], options=unchecked)
    except jwt.PyJWTError as error:
        raise Refusal("invalid_client", "the signature does not fit") from error


def _is_usable(jwk: object) -> bool:
    """Drop in silence what the reference drops in silence (requirement 3.17)."""
    return (
        isinstance(jwk, dict)
        and bool(jwk.get("kid"))
        and "d" not in jwk
        and jwk.get("key_ops", ["verify"]) == ["verify"]
        and jwk.get("use", "sig") == "sig"
        and jwk.get("kty") == "EC"
        and jwk.get("crv") == "P-256"
    )


def _fetched(answer: Answer, url: str) -> Any:
    media = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if answer.status != 200 or media != "application/json":
        reason = f"{url} answered {answer.status} {media}"
        raise Refusal("invalid_client_metadata", reason)
    if len(answer.body) > 512 * 1024:
        raise Refusal("invalid_client_metadata", "too large")
    return json.loads(answer.body)


def _check_client_id(client_id: str) -> None:
    parts = urlsplit(client_id)
    labels = (parts.hostname or "").split(".")
    wrong = (
        parts.scheme != "https"
        or parts.port is not None
        or parts.username is not None
        or bool(parts.fragment)
        or parts.path in {"", "/"}
        or parts.path.endswith("/")
        or len(labels) < 2
        or labels[-1] in LOCAL_NAMES
        or labels[-1].isdigit()
    )
    if wrong:
        raise Refusal("invalid_client_id", f"{client_id} is not a client_id")


def _check_metadata(document: Any, client_id: str) -> None:
    if not isinstance(document, dict) or document.get("client_id") != client_id:
        raise _metadata_wrong("client_id is another")
    if set(document) & REFUSED_FIELDS:
        raise _metadata_wrong("a field of OpenID Connect")
    _check_common(document)
    method = document.get("token_endpoint_auth_method")
    if method == "private_key_jwt":
        _check_confidential(document)
    elif method != "none" or "token_endpoint_auth_signing_alg" in document:
        raise _metadata_wrong("token_endpoint_auth_method")


def _check_common(document: dict[str, Any]) -> None:
    scopes = document.get("scope", "").split(" ")
    grants = document.get("grant_types", [])
    if "atproto" not in scopes or len(set(scopes)) != len(scopes):
        raise _metadata_wrong("scope")
    if document.get("response_types") != ["code"]:
        raise _metadata_wrong("response_types")
    if len(set(grants)) != len(grants) or "authorization_code" not in grants:
        raise _metadata_wrong("grant_types")
    if document.get("dpop_bound_access_tokens") is not True:
        raise _metadata_wrong("dpop_bound_access_tokens")
    if document.get("application_type", "web") not in {"web", "native"}:
        raise _metadata_wrong("application_type")
    for uri in document.get("redirect_uris") or [""]:
        if not _is_redirect(uri, document):
            raise _metadata_wrong("redirect_uris")


def _is_redirect(uri: str, document: dict[str, Any]) -> bool:
    """Web clients come back by https, native ones to this machine or their app."""
    if uri.startswith("https://"):
        return ":443/" not in uri
    if document.get("application_type") != "native":
        return False
    host = urlsplit(document["client_id"]).hostname or ""
    app = ".".join(reversed(host.split(".")))
    return uri.startswith(("http://127.0.0.1", "http://[::1]", f"{app}:/"))


def _check_confidential(document: dict[str, Any]) -> None:
    if ("jwks" in document) == ("jwks_uri" in document):
        raise _metadata_wrong("exactly one of jwks and jwks_uri")
    if document.get("token_endpoint_auth_signing_alg") != "ES256":
        raise _metadata_wrong("token_endpoint_auth_signing_alg")
    if document.get("application_type") == "native":
        raise _metadata_wrong("a native client has no key")
    if "jwks" in document and not any(map(_is_usable, document["jwks"]["keys"])):
        raise _metadata_wrong("requires at least one key in jwks")


def _loopback(client_id: str) -> dict[str, Any]:
    """Return the virtual metadata of a development client (requirement 3.26)."""
    parts = urlsplit(client_id)
    query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    names = [name for name, _ in parse_qsl(parts.query)]
    if parts.netloc != "localhost" or parts.path not in {"", "/"} or parts.fragment:
        raise Refusal("invalid_client_metadata", "Invalid client ID")
    if set(names) - {"scope", "redirect_uri"} or names.count("scope") > 1:
        raise Refusal("invalid_client_metadata", "Invalid client ID")
    return {
        "client_id": client_id,
        "application_type": "native",
        "redirect_uris": query.get("redirect_uri", ["http://127.0.0.1/"]),
        "scope": query.get("scope", ["atproto"])[0],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }


def accepts_redirect(metadata: Mapping[str, Any], uri: str) -> bool:
    """Compare exactly; a loopback URI without a port takes any (requirements 3.24,
    3.30).
    """
    if uri in metadata["redirect_uris"]:
        return True
    asked = urlsplit(uri)
    if asked.hostname not in {"127.0.0.1", "::1"} or asked.scheme != "http":
        return False
    without_port = asked._replace(netloc=asked.netloc.rsplit(":", 1)[0]).geturl()
    return without_port in metadata["redirect_uris"]


def _metadata_wrong(reason: str) -> Refusal:
    return Refusal("invalid_client_metadata", reason)
