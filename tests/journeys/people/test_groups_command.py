"""`groups`: what an operator adds, removes and lists."""

from __future__ import annotations

import pytest

from tests.fakes.browser import Browser
from tests.journeys.people.commands import events, prints, runs
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
STRANGER = "did:plc:z72i7hdynmk6r22z27h6tvur"


@pytest.fixture
def alice(browser: Browser, service: Service) -> str:
    signs_in(service, browser, ALICE, username="alice")
    [(did,)] = service.rows("SELECT did FROM users")
    return str(did)


def test_groups_add_list_and_remove(service: Service, alice: str) -> None:
    by_carol = {"operator": "carol", "group": "staff"}
    reason = ("--reason", "hired")

    [added] = prints(service, "groups", "add", "staff", f"@{ALICE}", *reason)
    [again] = prints(service, "groups", "add", "staff", "alice")
    prints(service, "groups", "add", "staff", STRANGER)

    assert added == {"group": "staff", "did": alice, "changed": True}
    assert again == {**added, "changed": False}
    [row] = prints(service, "groups", "list")
    assert (row["group"], row["members"], row["did"]) == ("staff", 2, None)
    first, second = prints(service, "groups", "list", "staff")
    assert (first["did"], first["username"], first["members"]) == (alice, "alice", None)
    assert (second["did"], second["username"]) == (STRANGER, None)

    [removed] = prints(service, "groups", "remove", "staff", "alice")
    [none] = prints(service, "groups", "remove", "staff", "alice")

    assert (removed["changed"], none["changed"]) == (True, False)
    assert dict(events(service, "group_member_added")) == {
        alice: {**by_carol, "reason": "hired"},
        STRANGER: by_carol,
    }
    assert events(service, "group_member_removed") == [(alice, by_carol)]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("add", "Staff", "alice"), "no name of a group"),
        (("add", "a,b", "alice"), "no name of a group"),
        (("add", "x" * 33, "alice"), "no name of a group"),
        (("add", "staff", "nemo"), "no account is 'nemo'"),
        (("remove", "staff", "alice"), "no group is 'staff'"),
        (("list", "staff"), "no group is 'staff'"),
    ],
)
def test_groups_refuses_in_one_line(
    service: Service, alice: str, command: tuple[str, ...], said: str
) -> None:
    result = runs(service, "groups", *command)

    assert result.exit_code == 1
    assert said in result.output
    assert service.rows("SELECT * FROM groups") == []


@pytest.mark.parametrize(
    ("bound", "said"),
    [("MOST_GROUPS", "there are 2 groups"), ("MOST_OF_ONE", "is in 2 groups")],
)
def test_groups_add_beyond_a_bound_is_refused(
    service: Service,
    alice: str,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    said: str,
) -> None:
    monkeypatch.setattr(f"app.flows.people.groups.{bound}", 2)
    for name in ("one", "two"):
        prints(service, "groups", "add", name, "alice")

    result = runs(service, "groups", "add", "three", "alice")

    assert (result.exit_code, said in result.output) == (1, True)
    assert runs(service, "groups", "add", "two", "alice").exit_code == 0
