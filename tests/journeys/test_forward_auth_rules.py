"""/auth/verify with `?group=` and `?user=`: whom it lets in, and what others see."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.fakes.browser import Browser, query_of
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import runs
from tests.service import HOME, Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
FORUM = "https://forum.platform.cafe/t/42?page=2&sort=new"
NAVIGATION = {"Accept": "text/html", "X-Original-URL": FORUM}


@pytest.fixture
def alice(browser: Browser, service: Service) -> dict[str, str]:
    """The header of a request of Alice, who is in two groups."""
    signs_in(service, browser, ALICE, username="alice")
    for group in ("staff", "admin"):
        assert runs(service, "groups", "add", group, "alice").exit_code == 0
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return {"Cookie": f"platform_token={cookie.value}"}


def status(service: Service, query: str, alice: dict[str, str]) -> int:
    return service.get(f"/auth/verify?{query}", **alice).status


def test_verify_names_the_groups_of_a_person(
    service: Service, alice: dict[str, str]
) -> None:
    answer = service.get("/auth/verify", **alice)

    assert answer.headers["X-Auth-Request-Groups"] == "admin,staff"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("group=staff", 200),
        ("group=cooks,staff", 200),
        ("group=cooks", 403),
        ("group=staf", 403),
        ("user=alice", 200),
        ("user=bob,Alice", 200),
        ("user=bob", 403),
        ("group=staff&user=bob", 403),
        ("group=cooks&user=alice", 403),
        ("group=staff&user=alice", 200),
        ("group=", 400),
        ("user=", 400),
        ("group=staff,", 400),
        ("group=Staff", 400),
        ("group=staff&group=cooks", 400),
        ("group=" + ",".join(["staff"] * 51), 400),
        ("user=" + "a" * 2_049, 400),
    ],
)
def test_verify_lets_in_whom_the_rule_names(
    service: Service, alice: dict[str, str], query: str, expected: int
) -> None:
    assert status(service, query, alice) == expected


def test_verify_lets_in_a_did(
    service: Service, world: World, alice: dict[str, str]
) -> None:
    did = quote(world.alice.did)

    assert status(service, f"user=bob,{did}", alice) == 200
    assert status(service, f"user={did}x", alice) == 403


def test_verify_with_an_unreadable_rule_refuses_a_stranger_too(
    service: Service,
) -> None:
    assert service.get("/auth/verify?redirect=1&group=", **NAVIGATION).status == 400
    assert service.get("/auth/verify?group=staff").status == 401


def test_change_of_a_group_holds_within_ten_seconds(
    service: Service, world: World, alice: dict[str, str]
) -> None:
    assert status(service, "group=staff", alice) == 200
    runs(service, "groups", "remove", "staff", "alice")
    runs(service, "groups", "add", "cooks", "alice")

    world.clock.advance(10)

    assert status(service, "group=staff", alice) == 403
    assert status(service, "group=cooks", alice) == 200


def test_refusal_of_a_navigation_is_a_page_that_offers_another_account(
    service: Service, alice: dict[str, str]
) -> None:
    answer = service.get("/auth/verify?redirect=1&group=cooks", **NAVIGATION, **alice)

    assert answer.status == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    page = Page(browser=service.browser(), answer=answer, url=FORUM)
    assert "alice" in page.text
    [other] = [link for link in page.links if "prompt=select_account" in link]
    assert other.startswith(f"{HOME}/auth/login?")
    assert query_of(other)["return_to"] == FORUM


def test_refusal_page_needs_nothing_of_the_host_that_shows_it(
    service: Service, alice: dict[str, str]
) -> None:
    """A proxy shows it on the host of its service, where our paths lead nowhere."""
    answer = service.get("/auth/verify?group=cooks", **NAVIGATION, **alice)

    for attribute in ('href="', 'src="', 'action="'):
        for rest in answer.body.decode().split(attribute)[1:]:
            assert rest.startswith(f"{HOME}/")
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src {HOME};" in policy
    assert "'self'" not in policy
    assert "form-action 'none'; frame-ancestors 'none'" in policy


def test_refusal_of_a_background_request_is_json(
    service: Service, alice: dict[str, str]
) -> None:
    answer = service.get("/auth/verify?group=cooks", **alice)

    assert (answer.status, answer.json()["error"]) == (403, "not_allowed_here")
    assert "alice" in answer.json()["error_description"]
    assert "X-Auth-Request-User" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/t/42"])
def test_query_that_envoy_appends_is_no_rule(
    service: Service, alice: dict[str, str], path: str
) -> None:
    """It is the query of the person's request, who may ask for any user or group."""
    for query in ("user=bob", "group=", "group=cooks", "user=a&user=b"):
        assert service.get(f"/auth/verify{path}?{query}", **alice).status == 200
    stranger = service.get(f"/auth/verify{path}?redirect=1", **NAVIGATION)
    assert stranger.status == 401
