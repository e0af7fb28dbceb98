"""From what failed to its code and status: the contract of DESIGN with every caller.

Every leaf of the error trees has a row here; a test walks them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.atproto import errors as atproto
from app.flows import errors as flow
from app.flows.login.destination import destination_of
from app.flows.provider.authorization import errors as authorization
from app.tokens import errors as token


@dataclass(frozen=True, slots=True)
class Row:
    """What a failure is called outside, and which of its texts is meant."""

    code: str
    status: int
    variant: str = ""


TABLE: dict[type[Exception], Row] = {
    atproto.IdentifierInvalid: Row("invalid_identifier", 400),
    atproto.DidMethodUnsupported: Row("invalid_identifier", 400, "did_method"),
    atproto.HandleNotFound: Row("handle_not_found", 400),
    atproto.AccountNotFound: Row("account_not_found", 400),
    atproto.HandleMismatch: Row("handle_mismatch", 400),
    atproto.HostUnreachable: Row("host_unreachable", 504),
    atproto.HostUnknown: Row("host_unreachable", 504, "unknown"),
    atproto.HostFailing: Row("host_unreachable", 502, "failing"),
    atproto.HostCircuitOpen: Row("host_unreachable", 504, "resting"),
    atproto.ClientBusy: Row("service_unavailable", 503),
    atproto.HostWithoutOAuth: Row("host_without_oauth", 400),
    atproto.ServerInvalid: Row("server_invalid", 502),
    atproto.UnsafeURL: Row("server_invalid", 502),
    atproto.DocumentInvalid: Row("server_invalid", 502),
    atproto.ResponseTooLarge: Row("server_invalid", 502),
    atproto.ClientRefused: Row("server_invalid", 502, "client_refused"),
    atproto.CallbackMalformed: Row("invalid_request", 400),
    atproto.StateUnknown: Row("login_expired", 400),
    atproto.BrowserMismatch: Row("wrong_browser", 403),
    atproto.IssuerMismatch: Row("issuer_mismatch", 403),
    atproto.SubjectMismatch: Row("account_mismatch", 403),
    atproto.AccessDenied: Row("access_denied", 400),
    atproto.AuthorizationFailed: Row("server_invalid", 502, "unfinished"),
    atproto.CodeRejected: Row("login_expired", 400),
    atproto.KeyUnavailable: Row("login_expired", 400),
    atproto.SessionEnded: Row("reconnect", 401),
    atproto.RefreshRejected: Row("reconnect", 401),
    atproto.RefreshBusy: Row("host_unreachable", 504, "refreshing"),
    atproto.ScopeMissing: Row("permission_missing", 403),
    atproto.AccountUnavailable: Row("account_unavailable", 403),
    atproto.ScopeInvalid: Row("internal", 500),
    atproto.ClientMetadataInvalid: Row("internal", 500),
    flow.UsernameInvalid: Row("username_invalid", 400),
    flow.UsernameReserved: Row("username_reserved", 400),
    flow.UsernameTaken: Row("username_taken", 400),
    flow.UsernameChangeTooSoon: Row("invalid_request", 400, "too_soon"),
    flow.UsernameChangesOff: Row("invalid_request", 400, "no_changes"),
    flow.TooManyRequests: Row("too_many_requests", 429),
    flow.PromptRefused: Row("invalid_request", 400),
    flow.ScopeRefused: Row("invalid_scope", 400),
    flow.NotSignedIn: Row("not_signed_in", 401),
    flow.AccountDisabled: Row("account_disabled", 403),
    flow.NotAllowedHere: Row("not_allowed_here", 403),
    flow.RuleInvalid: Row("invalid_request", 400),
    flow.NotAMember: Row("not_a_member", 403),
    flow.InvitationEnded: Row("not_a_member", 403, "invitation"),
    flow.UsernameNotConfirmed: Row("invalid_request", 400, "not_confirmed"),
    flow.SignupFinished: Row("invalid_request", 400),
    flow.AppNameInvalid: Row("invalid_request", 400, "app_name"),
    flow.CodeChallengeInvalid: Row("invalid_request", 400, "code_challenge"),
    flow.NativeLoginUnknown: Row("login_expired", 404, "native"),
    flow.NativeLoginClosed: Row("login_expired", 400, "native"),
    flow.VerifierMismatch: Row("wrong_verifier", 403),
    flow.RefreshRefused: Row("invalid_grant", 400),
    flow.CallNotAllowed: Row("call_not_allowed", 403),
    flow.CursorInvalid: Row("invalid_request", 400, "cursor"),
    flow.CallMalformed: Row("invalid_request", 400, "call"),
    flow.CallTooLarge: Row("too_large", 413, "call"),
    flow.HostRateLimited: Row("too_many_requests", 429, "pds"),
    flow.ServiceBusy: Row("service_unavailable", 503, "call"),
    flow.SigningKeyRefused: Row("internal", 500),
    flow.AccountUnknown: Row("internal", 500),
    flow.WhoAmbiguous: Row("internal", 500),
    flow.SessionUnknown: Row("internal", 500),
    flow.GroupRefused: Row("internal", 500),
    flow.ClientUnknown: Row("internal", 500),
    flow.GrantUnknown: Row("internal", 500),
    flow.ClientInvalid: Row("internal", 500),
    flow.PolicyNotJudged: Row("service_unavailable", 503),
    authorization.ClientNotKnown: Row("unknown_client", 400),
    authorization.RedirectUriInvalid: Row("invalid_redirect_uri", 400),
    authorization.RequestExpired: Row("request_expired", 400),
    flow.ServiceKeyInvalid: Row("not_signed_in", 401, "service_key"),
    flow.ServiceKeyLacksRight: Row("call_not_allowed", 403, "service_key"),
    flow.ServiceKeyRefused: Row("internal", 500),
    flow.CursorExpired: Row("cursor_expired", 410),
    flow.InvitationUnknown: Row("internal", 500),
    flow.StorageFailed: Row("internal", 500),
    flow.TextNotStorable: Row("invalid_request", 400),
    flow.StorageUnavailable: Row("service_unavailable", 503, "storage"),
    flow.SchemaMismatch: Row("service_unavailable", 503, "storage"),
    token.TokenInvalid: Row("not_signed_in", 401),
    token.TokenExpired: Row("not_signed_in", 401),
    token.SigningKeyMissing: Row("internal", 500),
}

INTERNAL = Row("internal", 500)

MARKED = {"is_directory": "directory", "for_app": "native"}
"""Attributes of errors that choose a variant."""

GENERAL = {"address", "client"}
"""Kinds of rate limits without a text of their own; OAuth clients read none."""

# What a server told us about its own trouble, where our words should differ.
AUTHORIZATION_ERRORS = {
    "server_error": Row("host_unreachable", 502, "failing"),
    "temporarily_unavailable": Row("host_unreachable", 502, "failing"),
}


def row_for(error: Exception) -> Row:
    """Return the row of a failure: its own, or that of the class it refines."""
    if isinstance(error, atproto.AuthorizationFailed):
        return _authorization_row(error)
    known = (TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    row = next(known, INTERNAL)
    return replace(row, variant=_variant(error) or row.variant)


def _variant(error: Exception) -> str:
    """Return which of a row's texts is meant, where the error itself decides."""
    if isinstance(error, atproto.IdentifierInvalid) and error.kind:
        is_address = error.kind == "email" and not error.suggestion
        return "address" if is_address else error.kind
    for mark, variant in MARKED.items():
        if getattr(error, mark, False):
            return variant
    if isinstance(error, flow.TooManyRequests):
        return "" if error.kind in GENERAL else error.kind
    if isinstance(error, flow.RefreshRefused):
        return error.kind
    if isinstance(error, atproto.SubjectMismatch) and destination_of(error).upgrades:
        return "upgrade"
    return ""


def _authorization_row(error: atproto.AuthorizationFailed) -> Row:
    # The reference server says this to browsers without cookies (requirement 9.21).
    if "ERR_COOKIES_UNSUPPORTED" in error.description:
        return Row("wrong_browser", 403, "host_cookies")
    plain = TABLE[atproto.AuthorizationFailed]
    return AUTHORIZATION_ERRORS.get(error.code, plain)
