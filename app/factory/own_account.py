"""The use cases of the account page, each built with its collaborators."""

from __future__ import annotations

from app.flows.account import OwnAccount
from app.flows.account.apps import OwnApps
from app.flows.account.data import DownloadData
from app.flows.account.ended import ExplainEnd
from app.flows.account.handle import VerifyHandle
from app.flows.account.permissions import WithdrawPermission
from app.flows.account.username import ChangeUsername, CheckUsername
from app.flows.people.signup.usernames import Usernames

from .container import Parts


def own_account_of(parts: Parts, usernames: Usernames) -> OwnAccount:
    """Return what people do with their own account."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    sessions, users = stores.sessions, stores.users
    return OwnAccount(
        change_username=ChangeUsername(
            sessions=sessions,
            users=users,
            renames=stores.accounts,
            usernames=usernames,
            limits=parts.limits,
            audit=stores.audit,
            together=stores.database.together,
            clock=clock,
            interval=settings.username_changes,
            username_hold=settings.username_hold,
        ),
        check_username=CheckUsername(
            sessions=sessions, users=users, usernames=usernames, limits=parts.limits
        ),
        verify_handle=VerifyHandle(
            sessions=sessions,
            users=users,
            client=parts.client,
            limits=parts.limits,
            audit=stores.audit,
            clock=clock,
        ),
        withdraw=WithdrawPermission(
            sessions=sessions,
            users=users,
            client=parts.client,
            audit=stores.audit,
            clock=clock,
        ),
        apps=OwnApps(
            sessions=sessions,
            users=users,
            grants=stores.app_grants,
            consents=stores.consents,
            audit=stores.audit,
            together=stores.database.together,
            clock=clock,
        ),
        explain_end=ExplainEnd(sessions=sessions, trail=stores.audit_trail),
        download=DownloadData(
            sessions=sessions,
            users=users,
            stored=stores.own_data,
            limits=parts.limits,
            clock=clock,
        ),
    )
