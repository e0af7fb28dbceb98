"""The use cases of accounts that commands and pages share, and those of commands."""

from __future__ import annotations

from app.factory.container import Parts
from app.factory.provider.grants import manage_grants
from app.factory.use_cases import delete_account
from app.flows.people import PeopleUseCases
from app.flows.people.accounts import ManageAccounts
from app.flows.people.groups import ManageGroups
from app.flows.people.sessions import ManageSessions
from app.flows.people.signup.invitations import ManageInvitations
from app.flows.people.trail import ReadAudit
from app.flows.people.who import FindAccount
from app.flows.services.keys import ManageServiceKeys
from app.flows.sessions.logout import EndSession


def people_of(parts: Parts) -> PeopleUseCases:
    """Return what `users`, `sessions`, `audit` and `invitations` work with."""
    settings, stores, clock = parts.settings, parts.stores, parts.outside.clock
    find = FindAccount(directory=stores.accounts)
    sessions = ManageSessions(
        sessions=stores.sessions,
        live=stores.live_sessions,
        native_logins=stores.native_logins,
        ending=EndSession(
            client=parts.client,
            sessions=stores.sessions,
            audit=stores.audit,
            clock=clock,
        ),
        audit=stores.audit,
        clock=clock,
    )
    return PeopleUseCases(
        find=find,
        accounts=ManageAccounts(
            accounts=stores.accounts,
            sessions=sessions,
            end_grants=manage_grants(parts).end_all,
            audit=stores.audit,
            together=stores.database.together,
            clock=clock,
            username_hold=settings.username_hold,
        ),
        sessions=sessions,
        delete=delete_account(parts),
        audit=ReadAudit(trail=stores.audit_trail, clock=clock),
        groups=ManageGroups(
            groups=stores.groups, find=find, audit=stores.audit, clock=clock
        ),
        invitations=ManageInvitations(
            invitations=stores.invitations,
            audit=stores.audit,
            clock=clock,
            public_url=settings.public_url,
        ),
        service_keys=ManageServiceKeys(
            keys=stores.service_keys, audit=stores.audit, clock=clock
        ),
        signup_rule=settings.signup_allow,
        token_lifetime=settings.token_lifetime,
        username_hold=settings.username_hold,
        clock=clock,
    )
