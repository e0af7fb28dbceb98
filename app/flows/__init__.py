"""Use cases: what a visitor can do, without Flask, SQL or sockets.

Each is a small frozen dataclass whose fields are its collaborators. `app.flows` imports
`app.tokens` and `app.atproto`, and nothing above. `UseCases` is the bundle of all of
them: the factory builds it, and both front ends get it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .callback import FinishLogin
from .callback_replay import ReplayCallback
from .devices import Devices
from .login import StartLogin
from .logout import Logout, LogoutByToken
from .native.confirm import ConfirmNativeLogin, DenyByFlow, OpenNativeLogin
from .native.start import StartNativeLogin
from .native.wait import AwaitNativeLogin
from .scope_requests import Permissions
from .session import Identify, RenewToken
from .signup import ChooseUsername
from .verify import Verify
from .xrpc.call import CallPds

__all__ = ["UseCases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """One use case for each thing a visitor can do."""

    start_login: StartLogin
    finish_login: FinishLogin
    replay_callback: ReplayCallback
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
    deny_by_flow: DenyByFlow
    await_native: AwaitNativeLogin
    permissions: Permissions
    call_pds: CallPds
