"""The flows' collaborators in memory."""

from __future__ import annotations

import pytest

from app.flows.people.signup.admission import Admission, SignupRule
from app.flows.sessions.logout import EndSession
from app.flows.sessions.session import IssueToken
from tests.flows.memory import (
    FakeClient,
    FakeIssuer,
    MemoryAudit,
    MemoryInvitations,
    MemoryNativeLogins,
    MemorySessions,
    MemoryUsers,
    NoLimit,
)


@pytest.fixture
def sessions(clock):
    return MemorySessions(clock)


@pytest.fixture
def users():
    return MemoryUsers()


@pytest.fixture
def logins(sessions):
    return MemoryNativeLogins(sessions=sessions)


@pytest.fixture
def audit():
    return MemoryAudit()


@pytest.fixture
def client():
    return FakeClient()


@pytest.fixture
def limits():
    return NoLimit()


@pytest.fixture
def tokens(users):
    return IssueToken(users=users, issuer=FakeIssuer())


@pytest.fixture
def invitations():
    return MemoryInvitations()


@pytest.fixture
def admission(invitations, client, clock):
    return Admission(
        rule=SignupRule(everyone=True),
        invitations=invitations,
        handles=client,
        clock=clock,
    )


@pytest.fixture
def ending(client, sessions, audit, clock):
    return EndSession(client=client, sessions=sessions, audit=audit, clock=clock)
