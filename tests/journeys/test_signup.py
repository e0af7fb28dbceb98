"""A newcomer picks a username: once, first come first served, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.service import HOME, Service

ALICE = "alice.skyhost.social"
SIGNUP = f"{HOME}/auth/signup"
ACCOUNT = f"{HOME}/auth/account"


def newcomer(service: Service, handle: str = ALICE) -> Page:
    """A person on the sign-up page."""

    def play() -> Page:
        return service.browser().opens_login().types(handle).approves()

    page = service.steps.take(f"arrive: {handle}", play)
    assert page.url == SIGNUP
    return page


@pytest.fixture(scope="module")
def undecided(standing: Service) -> Page:
    """The page of a person who finds no name."""
    return newcomer(standing)


def usernames(service: Service) -> list[str]:
    return [name for (name,) in service.rows("SELECT username FROM users")]


@pytest.mark.parametrize(
    ("handle", "suggestion"),
    [
        (ALICE, "alice"),
        ("maria-clara.skyhost.social", "maria-clara"),
        ("admin.skyhost.social", None),
        ("al.skyhost.social", None),
    ],
)
def test_the_first_label_of_the_handle_is_suggested(
    service: Service, world: World, handle: str, suggestion: str | None
) -> None:
    """UX rule 12; a reserved or short one is not offered as it is."""
    world.settle(handle, world.skyhost)

    offered = newcomer(service, handle).form_with("username").fields["username"]

    if suggestion is not None:
        assert offered == suggestion
    else:
        assert offered != handle.split(".", maxsplit=1)[0]


def test_a_suggestion_is_free(service: Service, world: World) -> None:
    world.settle("alice.paints.ink", world.skyhost)
    newcomer(service).chooses("alice")

    page = newcomer(service, "alice.paints.ink")

    offered = page.form_with("username").fields["username"]
    assert offered
    assert offered != "alice"
    assert page.chooses(offered).url == ACCOUNT


@pytest.mark.parametrize("typed", ["Alice", " alice ", "ALICE"])
def test_a_username_is_folded(service: Service, typed: str) -> None:
    newcomer(service).chooses(typed)

    assert usernames(service) == ["alice"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "username_invalid"),
        ("al", "username_invalid"),
        ("a" * 33, "username_invalid"),
        ("-alice", "username_invalid"),
        ("alice-", "username_invalid"),
        ("al--ice", "username_invalid"),
        ("al.ice", "username_invalid"),
        ("al ice", "username_invalid"),
        ("al_ice", "username_invalid"),
        ("\u0430lice", "username_invalid"),
        ("al\u0131ce", "username_invalid"),
        ("alice\x00", "username_invalid"),
        ("<b>alice</b>", "username_invalid"),
        ("\u212aevin", "username_invalid"),
        ("admin", "username_reserved"),
        ("ADMIN", "username_reserved"),
        ("adm1n", "username_reserved"),
        ("adrnin", "username_reserved"),
        ("root", "username_reserved"),
        ("r00t", "username_reserved"),
    ],
)
def test_invalid_username_shows_the_form_with_its_error(
    standing: Service, undecided: Page, typed: str, code: str
) -> None:
    """The same page, and what was typed is still there."""
    page = undecided.chooses(typed)

    assert (page.status, page.error) == (400, code)
    assert page.form_with("username").fields["username"] == typed
    assert usernames(standing) == []


def test_username_after_an_invalid_one_is_taken(service: Service) -> None:
    page = newcomer(service).chooses("-alice")

    assert page.error == "username_invalid"
    assert page.chooses("alice").url == ACCOUNT


@pytest.mark.parametrize("typed", ["bobby-rno", "8obby", "b0bby-mo", "BOBBY-MO"])
def test_a_name_that_looks_like_another_is_taken(
    service: Service, world: World, typed: str
) -> None:
    """0 and o, rn and m: a hurried reader takes them for one another."""
    newcomer(service, "bob.skyhost.social").chooses("bobby-mo")

    page = newcomer(service).chooses(typed)

    if typed == "8obby":
        assert page.url == ACCOUNT
        return
    assert (page.status, page.error) == (400, "username_taken")
    assert usernames(service) == ["bobby-mo"]


def test_of_two_people_who_want_one_name_one_gets_it(
    service: Service, world: World
) -> None:
    """The database decides; the other one is told clearly and picks another."""
    handles = [f"racer{number}.skyhost.social" for number in range(4)]
    for handle in handles:
        world.settle(handle, world.skyhost)
    pages = [newcomer(service, handle) for handle in handles]
    start = threading.Barrier(len(pages))
    arrived: list[Page] = []

    def choose(page: Page) -> None:
        start.wait(30)
        arrived.append(page.chooses("winner"))

    threads = [threading.Thread(target=choose, args=(page,)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    outcomes = sorted(page.error or "signed up" for page in arrived)
    assert outcomes == ["signed up", *["username_taken"] * 3]
    assert usernames(service) == ["winner"]
    loser = next(page for page in arrived if page.error)
    assert loser.chooses("second").url == ACCOUNT


def test_signup_submitted_twice_creates_one_account(service: Service) -> None:
    """The same person, the same answer."""
    page = newcomer(service)
    page.chooses("alice")

    assert page.chooses("alice").url == ACCOUNT
    assert usernames(service) == ["alice"]


def test_a_username_is_chosen_once_per_account(service: Service) -> None:
    page = newcomer(service)
    page.chooses("alice")

    assert page.chooses("another").url == ACCOUNT
    assert usernames(service) == ["alice"]


def test_signup_without_a_proved_account_redirects_to_login(browser: Browser) -> None:
    """To the page: to the sign-in form. To the form: nothing is made."""
    assert browser.visits("/auth/signup").url == f"{HOME}/auth/login"

    page = browser.posts("/auth/signup", {"username": "alice"})

    assert isinstance(page, Page)
    assert page.url == f"{HOME}/auth/login"


def test_a_program_is_told_that_it_is_not_signed_in(service: Service) -> None:
    answer = service.get("/auth/signup")

    assert answer.status == 401
    assert answer.json()["error"] == "not_signed_in"


def test_a_newcomer_has_no_token_and_no_account_yet(service: Service) -> None:
    """Signed in, without an account of the platform."""
    browser = newcomer(service).browser

    assert browser.jar.get("platform_token") is None
    assert browser.visits("/auth/session").status == 401
    assert browser.visits("/auth/account").url == SIGNUP
    assert usernames(service) == []


def test_newcomer_returns_within_an_hour_and_picks_a_username(
    service: Service, world: World
) -> None:
    browser = newcomer(service).browser
    world.clock.advance(3_599)

    assert browser.visits("/auth/login").chooses("alice").url == ACCOUNT

    world.clock.advance(29 * 24 * 3600)

    assert browser.visits("/auth/login").url == ACCOUNT


def test_newcomer_after_an_hour_is_signed_out_and_its_grant_revoked(
    service: Service, world: World
) -> None:
    """Else every account of a stranger's server would leave rows for thirty days."""
    browser = newcomer(service).browser
    world.clock.advance(3_601)

    assert browser.visits("/auth/signup").url == f"{HOME}/auth/login"
    service.app.test_cli_runner().invoke(args=["sweep"])
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT did FROM oauth_sessions") == []


def test_another_device_may_finish_what_one_began(service: Service) -> None:
    newcomer(service)

    arrived = service.browser().signs_in(ALICE, username="alice")

    assert arrived.url == ACCOUNT


def test_a_newcomer_may_leave_for_good(service: Service, world: World) -> None:
    """Signing out on the sign-up page ends the session and its grant."""
    page = newcomer(service)

    page.browser.signs_out()

    assert page.browser.visits("/auth/signup").url == f"{HOME}/auth/login"
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_signup_with_a_username_redirects_to_target(browser: Browser) -> None:
    browser.signs_in(ALICE, username="alice")

    assert browser.visits("/auth/signup").url == ACCOUNT


def test_reserved_username_of_the_operator_is_refused(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(reserved_usernames=("wombat",))

    assert newcomer(service).chooses("w0mbat").error == "username_reserved"
