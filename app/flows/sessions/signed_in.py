"""The session and the account of a session cookie, for what changes an account."""

from __future__ import annotations

from app.flows.errors import AccountDisabled, NotSignedIn
from app.flows.ports import Session, Sessions, User, Users


def any_account_of(
    secret: str | None, *, sessions: Sessions, users: Users
) -> tuple[Session, User]:
    """Return the live session of a cookie's secret and its account, disabled or not.

    Raises:
        NotSignedIn: no live session has this secret, it waits for a sign-up or for the
            confirmation of an app, or it has no account.
    """
    session = sessions.by_secret(secret) if secret else None
    if session is None or session.pending_for is not None:
        raise NotSignedIn("no live session")
    user = users.get(session.did)
    if user is None:
        raise NotSignedIn("no account")
    return session, user


def account_of(
    secret: str | None, *, sessions: Sessions, users: Users
) -> tuple[Session, User]:
    """Return what `any_account_of` does, unless the account is disabled.

    Raises:
        NotSignedIn: as `any_account_of` does.
        AccountDisabled: the platform has disabled this account.
    """
    session, user = any_account_of(secret, sessions=sessions, users=users)
    if user.disabled_at is not None:
        raise AccountDisabled(user.did)
    return session, user
