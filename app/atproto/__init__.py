"""An OAuth client for the AT Protocol, usable without the rest of Latchkey.

docs/library.md goes from nothing to a record written. What is named here is what the
library promises, and `sdk.open_sdk_client`; modules are its own affair.
"""

from __future__ import annotations

from .authorization import (
    Authorization,
)
from .client import (
    Completed,
    OAuthClient,
)
from .client_metadata import (
    ClientMetadata,
    Presentation,
    build_confidential_web_client,
    build_loopback_client,
    build_native_client,
    build_public_web_client,
)
from .client_rules import (
    validate_client_jwks,
    validate_client_metadata,
)
from .discovery import (
    Discovered,
    ServerDiscovery,
)
from .dns import (
    DnsTxtLookup,
    TxtLookup,
)
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
    ClientMetadataInvalid,
    ClientRefused,
    CodeRejected,
    DidMethodUnsupported,
    DocumentInvalid,
    HandleMismatch,
    HandleNotFound,
    HostFailing,
    HostResting,
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
from .evidence import (
    Evidence,
    EvidenceCollector,
)
from .files import (
    FileSessionStore,
    FileStateStore,
)
from .http import (
    HTTP,
    Deadline,
    Response,
    Upload,
)
from .identifier import (
    Identifier,
    parse_identifier,
)
from .identity import (
    Identity,
    IdentityResolver,
)
from .keys import (
    ClientKeys,
    SigningKey,
)
from .location import (
    Discovery,
    Location,
)
from .loopback import (
    AnswerTimeout,
    LoopbackListener,
    read_pasted,
)
from .memory import (
    MemoryCache,
    MemorySessionStore,
    MemoryStateStore,
)
from .metadata import (
    AuthorizationServer,
    ProtectedResource,
)
from .nsid import (
    Nsid,
    is_nsid,
    parse_nsid,
)
from .permissions import (
    Permission,
)
from .policy import (
    NetworkPolicy,
)
from .private_files import (
    FileUnusable,
)
from .resource import (
    LiveSession,
)
from .scopes import (
    ATPROTO,
    ScopeSet,
    parse_scope,
)
from .security import (
    SafeHTTP,
)
from .session import (
    AuthMethod,
    OAuthSession,
)
from .stores import (
    AuthRequest,
    Cache,
    SessionStore,
    StateStore,
)
from .syntax import (
    Did,
    Handle,
    Origin,
    is_handle_resolvable,
    parse_did,
    parse_handle,
    parse_origin,
)
from .wiring import (
    PLC_DIRECTORY,
    open_client,
    open_discovery,
)

__all__ = [
    # the client
    "PLC_DIRECTORY",
    "open_client",
    "Completed",
    "OAuthClient",
    "Authorization",
    "LiveSession",
    "AuthMethod",
    "OAuthSession",
    # a program on somebody's own machine
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
    "Identifier",
    "parse_identifier",
    "ATPROTO",
    "ScopeSet",
    "parse_scope",
    "Permission",
    # identity and discovery on their own
    "open_discovery",
    "Discovery",
    "Location",
    "Identity",
    "IdentityResolver",
    "Discovered",
    "ServerDiscovery",
    "ProtectedResource",
    "AuthorizationServer",
    "Evidence",
    "EvidenceCollector",
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
    "HostResting",
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
