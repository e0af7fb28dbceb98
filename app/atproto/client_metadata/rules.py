"""Validation of client metadata and client keys, as servers do it (section 3).

Servers refuse a faulty document with one vague message, and only when a person signs in
(pitfall 3096), and they ignore a faulty key without any message. So we validate ours
first, by the rules of the reference server where they are stricter than the
specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ..errors import ClientMetadataInvalid, IdentifierInvalid, ScopeInvalid
from ..scopes.scope import ATPROTO, parse_scope
from ..syntax.grammar import host_of, parse_server_url
from ..syntax.host_names import is_fetched_by_servers

REFUSED_FIELDS: Final = re.compile(
    r"default_max_age|userinfo_.*|id_token_signed_response_alg"
    r"|tls_client_certificate_bound_access_tokens"
)
"""Fields of OpenID Connect that the reference server refuses (requirement 3.10)."""

LOOPBACK_REDIRECT: Final = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\])(?P<port>:[1-9][0-9]{0,4})?"
    r"(?P<path>/[!-\"$-\[\]-~]*)"
)
"""A loopback address by number, never by name (requirement 3.24)."""

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")


def validate_client_metadata(document: Mapping[str, Any]) -> None:
    """Validate published client metadata by section 3.

    Raises:
        ClientMetadataInvalid: a server would refuse it; the message names the field.
    """
    _check_client_id(document.get("client_id"))
    check_client_scope(document.get("scope"))
    _check_lists(document)
    _check_presentation(document)
    _check_authentication(document)
    if document.get("dpop_bound_access_tokens") is not True:
        raise ClientMetadataInvalid("dpop_bound_access_tokens must be true")
    _check_application_type(document)
    if document.get("subject_type", "public") != "public":
        raise ClientMetadataInvalid("subject_type must be public")
    for name in document:
        if REFUSED_FIELDS.fullmatch(name):
            raise ClientMetadataInvalid(f"{name} is refused by servers")


def _check_client_id(client_id: object) -> None:
    """Check requirements 3.1 and 3.2."""
    if not isinstance(client_id, str) or not _is_https(client_id):
        raise ClientMetadataInvalid("client_id must be an https URL")
    host, path = host_of(client_id), urlsplit(client_id).path
    if not is_fetched_by_servers(host):
        raise ClientMetadataInvalid(f"client_id: no server fetches it from {host}")
    if f"https://{host}{path}" != client_id or not _PATH.fullmatch(path):
        raise ClientMetadataInvalid(
            "client_id must be a host and a plain path, no more"
        )


def check_client_scope(scope: object) -> None:
    """Validate the scope that a client declares (requirements 3.6 and 3.10).

    Raises:
        ClientMetadataInvalid: not a scope, or not one that a client may declare.
    """
    try:
        words = parse_scope(scope if isinstance(scope, str) else "")
    except ScopeInvalid as error:
        raise ClientMetadataInvalid(f"scope: {error}") from error
    if ATPROTO not in words or "openid" in words or " ".join(words) != scope:
        raise ClientMetadataInvalid("scope: atproto, no openid, each word once")


def _check_lists(document: Mapping[str, Any]) -> None:
    """Check requirements 3.6, 3.16 and 3.22 to 3.24: redirect URIs, grant types."""
    is_native = document.get("application_type") == "native"
    for uri in _strings(document, "redirect_uris"):
        if is_native:
            _check_native_redirect(uri, document["client_id"])
        elif not _is_plain_https(uri):
            raise ClientMetadataInvalid(f"redirect_uris: {uri} is not plain https")
    if "code" not in _strings(document, "response_types"):
        raise ClientMetadataInvalid("response_types must contain code")
    grants = set(_strings(document, "grant_types"))
    if not {"authorization_code"} <= grants <= {"authorization_code", "refresh_token"}:
        raise ClientMetadataInvalid("grant_types: authorization_code, refresh_token")


def _check_native_redirect(uri: str, client_id: str) -> None:
    """Check that a redirect can reach this app and no other."""
    host = host_of(client_id)
    scheme = ".".join(reversed(host.split(".")))
    is_at_home = _is_plain_https(uri) and uri.startswith(f"https://{host}/")
    is_own_scheme = re.fullmatch(
        rf"{re.escape(scheme)}:/(?!/)[!-\"$-\[\]-~]*", uri, re.ASCII
    )
    if not (is_at_home or is_own_scheme or LOOPBACK_REDIRECT.fullmatch(uri)):
        raise ClientMetadataInvalid(
            f"redirect_uris: {uri} is neither {scheme}:/..., https://{host}/...,"
            " nor on 127.0.0.1 or [::1]"
        )


def _check_application_type(document: Mapping[str, Any]) -> None:
    """Check requirement 3.21: an installed app cannot keep a secret."""
    kind = document.get("application_type", "web")
    if kind not in ("web", "native"):
        raise ClientMetadataInvalid("application_type must be web or native")
    if kind == "native" and document.get("token_endpoint_auth_method") != "none":
        raise ClientMetadataInvalid(
            "application_type: a native client has no keys to authenticate with"
        )


def _check_presentation(document: Mapping[str, Any]) -> None:
    """Check requirement 3.9, as strictly as the reference server does."""
    for name in ("client_uri", "logo_uri", "tos_uri", "policy_uri"):
        uri = document.get(name)
        if uri is not None and not (isinstance(uri, str) and _is_https(uri)):
            raise ClientMetadataInvalid(f"{name} must be an https URL")
    home = document.get("client_uri")
    if home is None:
        return
    parent = home.rstrip("/") + "/"
    if not document["client_id"].startswith(parent):
        raise ClientMetadataInvalid("client_uri must be a parent of client_id")


def _check_authentication(document: Mapping[str, Any]) -> None:
    """Check requirements 3.7, 3.14, 3.15, 3.17 and 3.20."""
    method = document.get("token_endpoint_auth_method")
    algorithm = document.get("token_endpoint_auth_signing_alg")
    key_fields = [name for name in ("jwks", "jwks_uri") if name in document]
    if len(key_fields) > 1:
        raise ClientMetadataInvalid("jwks and jwks_uri exclude each other")
    if method not in {"none", "private_key_jwt"}:
        raise ClientMetadataInvalid("token_endpoint_auth_method is not one of ours")
    if algorithm != (None if method == "none" else "ES256"):
        raise ClientMetadataInvalid(f"{method}: wrong token_endpoint_auth_signing_alg")
    if method == "private_key_jwt" and not key_fields:
        raise ClientMetadataInvalid("jwks or jwks_uri must be given")
    if "jwks" in document:
        validate_client_jwks(document["jwks"])
    if "jwks_uri" in document and not _is_https(document["jwks_uri"]):
        raise ClientMetadataInvalid("jwks_uri must be an https URL")


def validate_client_jwks(jwks: object) -> None:
    """Validate a client's published keys (requirement 3.17).

    Servers ignore a key that breaks one of these rules, without any message.

    Raises:
        ClientMetadataInvalid: a key that would be ignored, or a private one.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys:
        raise ClientMetadataInvalid("jwks: an object with at least one key")
    kids = {_check_client_jwk(key) for key in keys}
    if len(kids) < len(keys):
        raise ClientMetadataInvalid("jwks: a kid stands twice")


def _check_client_jwk(jwk: object) -> str:
    """Return the kid of a valid key."""
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise ClientMetadataInvalid("jwks: each key is on P-256")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ClientMetadataInvalid("jwks: each key has a kid")
    if "d" in jwk:
        raise ClientMetadataInvalid(f"jwks: key {kid} is a private key")
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise ClientMetadataInvalid(f"jwks: key {kid} has other key_ops")
    if jwk.get("alg", "ES256") != "ES256" or jwk.get("use", "sig") != "sig":
        raise ClientMetadataInvalid(f"jwks: key {kid} is for something else")
    return kid


def _strings(document: Mapping[str, Any], name: str) -> list[str]:
    value = document.get(name)
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(item, str) for item in value)
        or len(set(value)) < len(value)
    ):
        raise ClientMetadataInvalid(f"{name} must be a list of strings, each once")
    return value


def _is_plain_https(uri: str) -> bool:
    return _is_https(uri) and "#" not in uri


def _is_https(url: object) -> bool:
    """Tell whether this is an https URL of a public name, without an explicit :443."""
    if not isinstance(url, str) or re.match(r"https://[^/?#]*:443(?:[/?#]|\Z)", url):
        return False
    try:
        parse_server_url(url)
    except IdentifierInvalid:
        return False
    return True
