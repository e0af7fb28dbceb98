"""An OAuth client for the AT Protocol, usable without the rest of Latchkey.

docs/library.md goes from nothing to a record written. What is named here is what the
library promises, and `sdk.open_sdk_client`; modules are its own affair.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from .client import Completed, OAuthClient, Revocation
from .client_metadata.builders import (
    ClientMetadata,
    Presentation,
    build_confidential_web_client,
    build_loopback_client,
    build_native_client,
    build_public_web_client,
)
from .client_metadata.rules import validate_client_jwks, validate_client_metadata
from .crypto.keys import ClientKeys, SigningKey
from .discovery.accounts import AccountLocation, Discovery
from .discovery.server_metadata import AuthorizationServer, ProtectedResource
from .discovery.servers import ServerDiscovery, ServerLocation
from .errors import (
    AccessDenied,
    AccountNotFound,
    AccountUnavailable,
    AccountUnresolved,
    AtprotoError,
    AuthorizationFailed,
    BrowserMismatch,
    CallbackMalformed,
    CallbackRejected,
    ClientBusy,
    ClientMetadataInvalid,
    ClientRefused,
    CodeRejected,
    DidMethodUnsupported,
    DocumentInvalid,
    HandleMismatch,
    HandleNotFound,
    HostCircuitOpen,
    HostFailing,
    HostUnknown,
    HostUnreachable,
    HostWithoutOAuth,
    IdentifierInvalid,
    IssuerMismatch,
    KeyUnavailable,
    RefreshBusy,
    RefreshRejected,
    ResponseTooLarge,
    ScopeInvalid,
    ScopeMissing,
    ServerInvalid,
    SessionEnded,
    SessionError,
    StateUnknown,
    SubjectMismatch,
    UnsafeURL,
)
from .http.client import SafeHTTP
from .http.types import HTTP, Deadline, Response, Upload
from .http.url_policy import NetworkPolicy
from .identity.dns import DnsTxtLookup, TxtLookup
from .identity.resolver import Identity, IdentityResolver
from .loopback.listener import AnswerTimeout, LoopbackListener, read_pasted
from .oauth.authorization import Authorization
from .oauth.issuer_verification import IssuerVerifier
from .open_client import PLC_DIRECTORY, open_client, open_discovery
from .records import AuthMethod, AuthRequest, OAuthSession
from .scopes.permission import Permission
from .scopes.scope import ATPROTO, ScopeSet, parse_scope
from .session.session import LiveSession
from .stores.files import FileSessionStore, FileStateStore
from .stores.memory import MemoryCache, MemorySessionStore, MemoryStateStore
from .stores.private_file import FileUnusable
from .stores.protocols import Cache, SessionStore, StateStore
from .syntax.grammar import (
    Did,
    Handle,
    Origin,
    is_handle_resolvable,
    parse_did,
    parse_handle,
    parse_origin,
)
from .syntax.identifier import (
    DidIdentifier,
    HandleIdentifier,
    Identifier,
    ServerIdentifier,
    parse_identifier,
)
from .syntax.nsid import Nsid, is_nsid, parse_nsid

__all__ = [
    # the client
    "PLC_DIRECTORY",
    "open_client",
    "Completed",
    "OAuthClient",
    "Revocation",
    "Authorization",
    "LiveSession",
    "AuthMethod",
    "OAuthSession",
    # a program on a person's own machine
    "AnswerTimeout",
    "LoopbackListener",
    "read_pasted",
    # who the client is
    "ClientMetadata",
    "Presentation",
    "build_confidential_web_client",
    "build_loopback_client",
    "build_native_client",
    "build_public_web_client",
    "validate_client_jwks",
    "validate_client_metadata",
    "ClientKeys",
    "SigningKey",
    # what people and hosts write
    "Did",
    "Handle",
    "Origin",
    "is_handle_resolvable",
    "parse_did",
    "parse_handle",
    "parse_origin",
    "Nsid",
    "is_nsid",
    "parse_nsid",
    "DidIdentifier",
    "HandleIdentifier",
    "Identifier",
    "ServerIdentifier",
    "parse_identifier",
    "ATPROTO",
    "ScopeSet",
    "parse_scope",
    "Permission",
    # identity and discovery on their own
    "open_discovery",
    "Discovery",
    "AccountLocation",
    "Identity",
    "IdentityResolver",
    "ServerDiscovery",
    "ServerLocation",
    "ProtectedResource",
    "AuthorizationServer",
    "IssuerVerifier",
    # the network
    "HTTP",
    "Deadline",
    "Response",
    "Upload",
    "NetworkPolicy",
    "SafeHTTP",
    "DnsTxtLookup",
    "TxtLookup",
    # storage
    "AuthRequest",
    "Cache",
    "SessionStore",
    "StateStore",
    "MemoryCache",
    "MemorySessionStore",
    "MemoryStateStore",
    "FileSessionStore",
    "FileStateStore",
    "FileUnusable",
    # what can go wrong
    "AccessDenied",
    "AccountNotFound",
    "AccountUnavailable",
    "AccountUnresolved",
    "AtprotoError",
    "AuthorizationFailed",
    "BrowserMismatch",
    "CallbackMalformed",
    "CallbackRejected",
    "ClientMetadataInvalid",
    "ClientRefused",
    "CodeRejected",
    "DidMethodUnsupported",
    "DocumentInvalid",
    "HandleMismatch",
    "HandleNotFound",
    "HostFailing",
    "HostCircuitOpen",
    "ClientBusy",
    "HostUnknown",
    "HostUnreachable",
    "HostWithoutOAuth",
    "IdentifierInvalid",
    "IssuerMismatch",
    "KeyUnavailable",
    "RefreshBusy",
    "RefreshRejected",
    "ResponseTooLarge",
    "ScopeInvalid",
    "ScopeMissing",
    "ServerInvalid",
    "SessionEnded",
    "SessionError",
    "StateUnknown",
    "SubjectMismatch",
    "UnsafeURL",
]

_RENAMED: Final = {
    "Discovered": "ServerLocation",
    "Evidence": "AccountLocation",
    "EvidenceCollector": "IssuerVerifier",
    "HostResting": "HostCircuitOpen",
    "Location": "AccountLocation",
}
"""Former public names; they work until the next release."""


def __getattr__(name: str) -> Any:
    """Return what a former public name stands for, with a DeprecationWarning."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{name} is now called {_RENAMED[name]}", DeprecationWarning, stacklevel=2
    )
    return globals()[_RENAMED[name]]
