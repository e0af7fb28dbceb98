"""The browser's part of a native login, against stores in memory."""

from __future__ import annotations

import pytest

from app.flows.native.confirm import DenyByFlow


@pytest.fixture
def deny_by_flow(logins, clock):
    return DenyByFlow(logins=logins, clock=clock)


def test_deny_by_flow_denies_the_login_of_the_link(deny_by_flow, logins, started):
    assert deny_by_flow(["unknown", "link/secret"]) is True

    assert [login.status for login in logins.rows.values()] == ["denied"]


@pytest.mark.parametrize("secrets", [[], ["unknown"]])
def test_deny_by_flow_with_unknown_secrets_denies_nothing(
    deny_by_flow, logins, started, secrets
):
    assert deny_by_flow(secrets) is False

    assert [login.status for login in logins.rows.values()] == ["pending"]


def test_deny_by_flow_after_the_decision_changes_nothing(deny_by_flow, logins, allowed):
    assert deny_by_flow(["link/secret"]) is False

    assert [login.status for login in logins.rows.values()] == ["completed"]
