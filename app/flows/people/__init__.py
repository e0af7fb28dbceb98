"""Use cases of accounts: sign-up, usernames, and what operators do about people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.flows.services.keys import ManageServiceKeys

from .accounts import ManageAccounts
from .deletion import DeleteAccount
from .groups import ManageGroups
from .sessions import ManageSessions
from .signup.admission import SignupRule
from .signup.invitations import ManageInvitations
from .trail import ReadAudit
from .who import FindAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleUseCases:
    """The use cases of commands about accounts, and about who may ask for them."""

    find: FindAccount
    accounts: ManageAccounts
    sessions: ManageSessions
    delete: DeleteAccount
    audit: ReadAudit
    groups: ManageGroups
    invitations: ManageInvitations
    service_keys: ManageServiceKeys
    signup_rule: SignupRule
    token_lifetime: float
    username_hold: float
    clock: Callable[[], float]
