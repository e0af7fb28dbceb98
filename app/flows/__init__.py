"""Use cases: what a visitor can do, without Flask, SQL or sockets.

Each is a small frozen dataclass whose fields are its collaborators. `app.flows` imports
`app.tokens` and `app.atproto`, and nothing above. `UseCases` is the bundle of all of
them: the factory builds it, and both front ends get it.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.flows.account import OwnAccount
from app.flows.callback.finish import FinishLogin
from app.flows.callback.replay import ReplayCallback
from app.flows.login.avatars import FetchAvatar
from app.flows.login.scope_requests import Permissions
from app.flows.login.start import StartLogin
from app.flows.login.typing import LookUpAhead, SuggestAccounts
from app.flows.native.confirm import ConfirmNativeLogin, DenyByFlow, OpenNativeLogin
from app.flows.native.refresh import RefreshApp
from app.flows.native.start import StartNativeLogin
from app.flows.native.wait import AwaitNativeLogin
from app.flows.people.deletion import LeavePlatform
from app.flows.people.lookup import LookUpAccounts
from app.flows.people.signup.admission import Admission
from app.flows.people.signup.choose import ChooseUsername
from app.flows.people.trail import OwnEvents
from app.flows.provider.front import FrontChannel
from app.flows.provider.tokens import TokenUseCases
from app.flows.services.events import ReadEvents
from app.flows.sessions.devices import Devices
from app.flows.sessions.logout import Logout, LogoutByToken
from app.flows.sessions.renewal import RenewOnUse
from app.flows.sessions.revocations import ListRevocations
from app.flows.sessions.session import Identify, RenewToken
from app.flows.sessions.verify import Verify
from app.flows.xrpc.call import CallPds


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """One use case for each thing a visitor can do."""

    start_login: StartLogin
    suggest_accounts: SuggestAccounts
    fetch_avatar: FetchAvatar
    look_up_ahead: LookUpAhead
    finish_login: FinishLogin
    replay_callback: ReplayCallback
    choose_username: ChooseUsername
    renew: RenewToken
    identify: Identify
    verify: Verify
    renew_on_use: RenewOnUse
    logout: Logout
    logout_by_token: LogoutByToken
    list_revocations: ListRevocations
    read_events: ReadEvents
    look_up_accounts: LookUpAccounts
    devices: Devices
    admission: Admission
    leave: LeavePlatform
    own_account: OwnAccount
    own_events: OwnEvents
    start_native: StartNativeLogin
    open_native: OpenNativeLogin
    confirm_native: ConfirmNativeLogin
    deny_by_flow: DenyByFlow
    await_native: AwaitNativeLogin
    refresh_app: RefreshApp
    permissions: Permissions
    provider: FrontChannel
    call_pds: CallPds
    tokens: TokenUseCases
