"""GET /auth/events and service keys: what a service of the platform reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.flows.services.keys import PREFIX
from tests.journeys.people.commands import events, prints, runs
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.browser import Browser
    from tests.fakes.network import Answer
    from tests.service import Service

ALICE = "alice.skyhost.social"


def made(service: Service, may: str = "users,events", name: str = "wiki") -> str:
    [printed] = prints(service, "service-keys", "create", name, "--may", may)
    key: str = printed["key"]
    return key


def asks(service: Service, key: str, query: str = "", **headers: str) -> Answer:
    sent = {"Authorization": f"Bearer {key}", **headers}
    return service.get(f"/auth/events{query}", **sent)


def reads(service: Service, key: str, query: str = "") -> dict[str, Any]:
    answer = asks(service, key, query)
    assert answer.status == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def kinds(page: dict[str, Any]) -> list[str]:
    return [event["event"] for event in page["events"]]


@pytest.fixture
def alice(service: Service, browser: Browser) -> Browser:
    signs_in(service, browser, ALICE, username="alice")
    return browser


@pytest.fixture
def key(service: Service, alice: Browser) -> str:
    return made(service)


def test_service_reads_the_life_of_an_account_in_order(
    service: Service, key: str
) -> None:
    start = reads(service, key, "?after=latest")
    for command in (["disable", "alice"], ["enable", "alice"]):
        runs(service, "users", *command, "--yes")
    runs(service, "users", "rename", "alice", "liddell")
    runs(service, "users", "delete", "liddell", "--yes")

    page = reads(service, key, f"?after={start['next']}")

    # What came before the deletion is no longer told of the account.
    assert kinds(page) == ["deleted"]
    assert page["events"][0]["did"].startswith("did:plc:")
    assert page["events"][0].keys() == {"id", "event", "did", "at"}
    assert kinds(reads(service, key, f"?after={page['next']}")) == []


def test_events_name_the_session_and_the_usernames(service: Service, key: str) -> None:
    runs(service, "users", "rename", "alice", "liddell")
    runs(service, "users", "disable", "liddell", "--yes")

    page = reads(service, key)

    assert kinds(page) == ["signed_up", "renamed", "disabled", "session_ended"]
    up, renamed, _, ended = page["events"]
    assert (up["username"], up["handle"]) == ("alice", ALICE)
    assert (renamed["username"], renamed["former_username"]) == ("liddell", "alice")
    assert service.rows("SELECT sid FROM sessions") == [(ended["sid"],)]
    assert "@" not in repr(page)
    assert page["more"] is False


@pytest.mark.parametrize(
    "cursor", ["x", "-1-", "1", "01-", "1-zz", f"{'9' * 19}-", "1-" + "a" * 17]
)
def test_what_is_no_cursor_is_400(service: Service, key: str, cursor: str) -> None:
    answer = asks(service, key, f"?after={cursor}")

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("which", ["swept", "of another database", "ahead"])
def test_cursor_whose_events_are_gone_is_410(
    service: Service, key: str, which: str
) -> None:
    runs(service, "users", "disable", "alice", "--yes")
    cursor = {"swept": "0-", "ahead": "7-", "of another database": f"1-{'0' * 16}"}
    if which == "swept":
        service.rows("DELETE FROM service_events WHERE seq <= 2")

    answer = asks(service, key, f"?after={cursor[which]}")

    assert (answer.status, answer.json()["error"]) == (410, "cursor_expired")


def test_cursor_whose_own_event_was_swept_goes_on(service: Service, key: str) -> None:
    cursor = reads(service, key)["next"]
    service.rows("DELETE FROM service_events")
    assert reads(service, key, f"?after={cursor}")["next"] == cursor

    runs(service, "users", "disable", "alice", "--yes")

    page = reads(service, key, f"?after={cursor}")
    assert kinds(page) == ["disabled", "session_ended"]


def test_request_without_a_good_service_key_is_refused(
    service: Service, alice: Browser, key: str
) -> None:
    token = alice.jar.get("platform_token")
    assert token is not None
    lacking = made(service, "users", "other")

    for wrong in ("", PREFIX, f"{key}x", token.value):
        assert asks(service, wrong).status == 401, wrong
    refused = asks(service, lacking)
    assert (refused.status, refused.json()["error"]) == (403, "call_not_allowed")
    assert service.get("/auth/events").status == 401
    from_a_page = asks(service, key, Origin="https://app.platform.cafe")
    assert (from_a_page.status, from_a_page.json()["error"]) == (403, "cross_site")


def test_wrong_service_keys_are_limited(open_service: Callable[..., Service]) -> None:
    service = open_service(rate_limit_failed_tokens_per_address="2/minute")

    statuses = [asks(service, PREFIX).status for _ in range(3)]

    assert statuses == [401, 401, 429]


def test_service_key_opens_accounts_where_users_visible_is_none(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(users_visible="none")
    signs_in(service, service.browser(), ALICE, username="alice")
    may, may_not = made(service, "users"), made(service, "events", "other")

    def shows(key: str) -> Answer:
        return service.get("/auth/users/alice", Authorization=f"Bearer {key}")

    assert shows(may).json()["username"] == "alice"
    assert shows(may_not).status == 403
    runs(service, "service-keys", "revoke", "wiki", "--yes")
    assert shows(may).status == 401


def test_service_keys_commands_print_the_key_once_and_are_audited(
    service: Service,
) -> None:
    key = made(service, "events, users")
    asks(service, key)

    [row] = prints(service, "service-keys", "list")
    runs(service, "service-keys", "revoke", "wiki", "--yes", "--reason", "leaked")

    assert (row["name"], row["may"], row["created_by"]) == (
        "wiki",
        "users,events",
        "carol",
    )
    assert row["used"] is not None
    assert key not in repr(row)
    assert prints(service, "service-keys", "list") == []
    by = {"operator": "carol", "service_key": "wiki"}
    assert events(service, "service_key_created") == [
        (None, {**by, "may": "users,events"})
    ]
    assert events(service, "service_key_revoked") == [
        (None, {**by, "reason": "leaked"})
    ]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("create", "Wiki", "--may", "users"), 1, "no name of a key"),
        (("create", "wiki", "--may", "users"), 1, "already"),
        (("create", "wiki2", "--may", "users,root"), 2, "users or events"),
        (("create", "wiki2"), 2, "--may"),
        (("revoke", "nemo", "--yes"), 1, "no service key"),
    ],
)
def test_service_keys_command_with_a_mistake_says_which(
    service: Service, key: str, command: tuple[str, ...], code: int, said: str
) -> None:
    result = runs(service, "service-keys", *command)

    assert result.exit_code == code
    assert said in result.output


def test_last_use_of_a_key_is_written_once_a_minute(service: Service, key: str) -> None:
    used = "SELECT used_at FROM service_keys"
    asks(service, key)
    first = service.rows(used)
    service.world.clock.advance(59)
    asks(service, key)
    assert service.rows(used) == first
    service.world.clock.advance(1)
    asks(service, key)
    assert service.rows(used) != first
