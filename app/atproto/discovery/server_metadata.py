"""Validation of protected resource and authorization server metadata.

Pure: takes documents that `discovery/servers.py` fetched and returns what passed every
check of requirements 2.2 to 2.9 (RFC 9728, RFC 8414). Nothing is repaired: a server
whose metadata breaks the profile in one field gets no authorization code from us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self, cast

from ..errors import DocumentInvalid, IdentifierInvalid
from ..http.url_policy import NetworkPolicy
from ..syntax.grammar import Origin, host_of, parse_origin

_MUST_BE_TRUE: Final = (
    "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported",
    "client_id_metadata_document_supported",
)
_MUST_CONTAIN: Final = {
    "response_types_supported": {"code"},
    "grant_types_supported": {"authorization_code", "refresh_token"},
    "code_challenge_methods_supported": {"S256"},
    "token_endpoint_auth_methods_supported": {"none", "private_key_jwt"},
    "token_endpoint_auth_signing_alg_values_supported": {"ES256"},
    "scopes_supported": {"atproto"},
    "dpop_signing_alg_values_supported": {"ES256"},
}
"""The least that each list has to contain. Granular scopes are never listed. We sign
with ES256 alone, because every server has it (requirement 5.12)."""


KNOWN_PROMPTS: Final = ("create", "login", "consent", "select_account", "none")
"""Values of `prompt` that are kept of a server's list (requirement 4.9)."""

URL_LIMIT: Final = 2_048
"""Characters of an endpoint's URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResource:
    """The metadata of a PDS (RFC 9728): the one authorization server that it trusts."""

    resource: Origin
    authorization_server: Origin


def parse_protected_resource(
    document: Mapping[str, Any], *, origin: Origin, policy: NetworkPolicy
) -> ProtectedResource:
    """Return the PDS at `origin` and its one issuer (requirements 2.2 to 2.4).

    Raises:
        DocumentInvalid: none or several issuers, an issuer that is not a bare
            origin, or the metadata of another resource.
        UnsafeURL: the issuer is an address that our network policy refuses.
    """
    host = host_of(origin)
    if document.get("resource") != origin:
        raise DocumentInvalid(host, "the protected resource is another one")
    match document.get("authorization_servers"):
        case [str(issuer)]:
            trusted = _parse_issuer(issuer, host=host, policy=policy)
            return ProtectedResource(resource=origin, authorization_server=trusted)
        case _:
            raise DocumentInvalid(
                host, "there must be exactly one authorization server"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """Validated metadata of an authorization server (requirement 2.7)."""

    issuer: Origin
    authorization_endpoint: str
    token_endpoint: str
    par_endpoint: str
    revocation_endpoint: str | None
    prompts: tuple[str, ...] | None
    """The `prompt` values it supports; None when not published (requirement 4.9)."""
    protected_resources: tuple[str, ...] | None
    """The PDSes that it lists, if any (requirement 2.9)."""
    response_mode_query: bool = False
    """It says that it supports `response_mode=query`."""

    @classmethod
    def parse(
        cls, document: Mapping[str, Any], issuer: Origin, policy: NetworkPolicy
    ) -> Self:
        """Validate the metadata fetched from `issuer` (requirements 2.6 to 2.8).

        Raises:
            DocumentInvalid: a field breaks the profile; the message names it.
            UnsafeURL: an endpoint is an address that our network policy refuses.
        """
        fields = _Fields(document, host=host_of(issuer), policy=policy)
        if document.get("issuer") != issuer:
            raise fields.invalid("issuer")
        fields.require_profile()
        return cls(
            issuer=issuer,
            authorization_endpoint=fields.url("authorization_endpoint"),
            token_endpoint=fields.url("token_endpoint"),
            par_endpoint=fields.url("pushed_authorization_request_endpoint"),
            revocation_endpoint=fields.optional_url("revocation_endpoint"),
            prompts=fields.prompts(),
            protected_resources=fields.optional_strings("protected_resources"),
            response_mode_query="query" in fields.response_modes(),
        )

    def require_protected_resource(self, pds: Origin) -> None:
        """Check that the server lists this PDS, if it lists any (requirement 2.9).

        Raises:
            DocumentInvalid: the server publishes a list without this PDS.
        """
        if self.protected_resources is not None and pds not in self.protected_resources:
            raise DocumentInvalid(host_of(self.issuer), f"{pds} is not one of its own")

    def document(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them, for `restore`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> Self:
        """Return the server of an earlier `document()`, without validating it again."""
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list | tuple) else value
            for name, value in document.items()
        }
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class _Fields:
    document: Mapping[str, Any]
    host: str
    policy: NetworkPolicy

    def invalid(self, name: str) -> DocumentInvalid:
        return DocumentInvalid(self.host, f"{name} breaks the profile")

    def require_profile(self) -> None:
        """Check the fixed values and the lists of requirement 2.7."""
        for name in _MUST_BE_TRUE:
            if self.document.get(name) is not True:
                raise self.invalid(name)
        for name, needed in _MUST_CONTAIN.items():
            if not needed <= set(self.optional_strings(name) or ()):
                raise self.invalid(name)
        algorithms = "token_endpoint_auth_signing_alg_values_supported"
        if "none" in self.document[algorithms]:
            raise self.invalid(algorithms)
        if self.document.get("require_request_uri_registration", True) is not True:
            raise self.invalid("require_request_uri_registration")

    def url(self, name: str) -> str:
        """Return an endpoint: at any origin, maybe with a query (requirement 2.8).

        The network policy refuses user-info, fragments, and http outside development.
        """
        value = self.document.get(name)
        if not isinstance(value, str) or len(value) > URL_LIMIT:
            raise self.invalid(name)
        self.policy.check_url(value)
        return value

    def prompts(self) -> tuple[str, ...] | None:
        given = self.optional_strings("prompt_values_supported")
        if given is None:
            return None
        return tuple(prompt for prompt in KNOWN_PROMPTS if prompt in given)

    def response_modes(self) -> tuple[str, ...]:
        return self.optional_strings("response_modes_supported") or ()

    def optional_url(self, name: str) -> str | None:
        return None if self.document.get(name) is None else self.url(name)

    def optional_strings(self, name: str) -> tuple[str, ...] | None:
        value = self.document.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.invalid(name)
        return tuple(cast("list[str]", value))


def _parse_issuer(text: str, *, host: str, policy: NetworkPolicy) -> Origin:
    try:
        issuer = parse_origin(text, allow_http=policy.allow_http)
    except IdentifierInvalid as error:
        raise DocumentInvalid(host, f"its authorization server: {error}") from error
    if issuer != text:
        # A slash or a default port is refused too: issuers are compared as strings
        # (requirement 2.3).
        raise DocumentInvalid(host, "its authorization server is not a bare origin")
    policy.check_url(issuer)
    return issuer
