"""What the factory hands to the views: the flows, and the facts about this site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app

from app.flows.callback import FinishLogin
from app.flows.devices import Devices
from app.flows.login import StartLogin
from app.flows.logout import Logout, LogoutByToken
from app.flows.native.confirm import ConfirmNativeLogin, OpenNativeLogin
from app.flows.native.wait import AwaitNativeLogin, StartNativeLogin
from app.flows.scope_requests import Permissions
from app.flows.session import Identify, RenewToken
from app.flows.signup import ChooseUsername
from app.flows.verify import Verify
from app.flows.xrpc.call import CallPds
from app.flows.xrpc.call_records import RecordCall

from .return_to import ReturnPolicy

EXTENSION = "latchkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """One use case for each thing a visitor can do."""

    start_login: StartLogin
    finish_login: FinishLogin
    choose_username: ChooseUsername
    renew: RenewToken
    identify: Identify
    verify: Verify
    logout: Logout
    logout_by_token: LogoutByToken
    devices: Devices
    start_native: StartNativeLogin
    open_native: OpenNativeLogin
    confirm_native: ConfirmNativeLogin
    await_native: AwaitNativeLogin
    permissions: Permissions
    call_pds: CallPds
    record_call: RecordCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What machines read; none of it needs the database (requirement 3.12)."""

    client_metadata: Callable[[str], Mapping[str, Any]]
    """From the path of the document to the document."""
    jwks: Callable[[], Mapping[str, Any]]
    checks: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """What /readyz asks; a check raises when its part cannot serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupHost:
    """A host that is offered to people without an account."""

    url: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Facts about this deployment, from its settings and never from a request."""

    public_url: str
    platform_name: str
    is_secure: bool
    cookie_name: str
    cookie_prefix: str
    cookie_domain: str | None
    token_lifetime: int
    token_algorithm: str
    landing_url: str
    handle_suffix: str | None
    signup_hosts: tuple[SignupHost, ...]
    asks_about_apps: bool
    """Whether the person is asked before an app is let in (NATIVE_CONFIRMATION)."""
    returns: ReturnPolicy
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a view may reach."""

    flows: Flows
    site: Site
    documents: Documents


def context() -> Context:
    """Return the context of the application that serves this request."""
    return cast("Context", current_app.extensions[EXTENSION])


def flows() -> Flows:
    """Return the use cases."""
    return context().flows


def site() -> Site:
    """Return the facts about this deployment."""
    return context().site
