"""Who may join: SIGNUP_ALLOW and invitations, in browsers and for native apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.flows.people.signup.admission import SignupRule
from tests.fakes import faults
from tests.fakes.app import App, confirms, follows
from tests.fakes.browser import Browser
from tests.fakes.page import Page
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import HOME, Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
ACCOUNT = f"{HOME}/auth/account"
WELL_KNOWN = f"https://{ALICE}/.well-known/atproto-did"


def allowing(open_service: Callable[..., Service], text: str) -> Service:
    """Open a service that lets these accounts sign up."""
    return open_service(signup_allow=SignupRule.parse(text))


def arrives(browser: Browser, handle: str = ALICE) -> Page:
    """Prove an account, and see what the service says to it."""
    return browser.opens_login().types(handle).approves()


def invites(service: Service, *options: str) -> str:
    """Make an invitation and return the path of its link."""
    [made] = prints(service, "invitations", "create", *options)
    assert made["link"].startswith(f"{HOME}/auth/invitation?code=")
    return made["link"]


def accounts(service: Service) -> list[str]:
    return [name for (name,) in service.rows("SELECT username FROM users")]


# --- the list -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["everyone", f"@{ALICE}", "*.skyhost.social", "@other.example.com, *.social"],
)
def test_account_that_is_named_signs_up(
    open_service: Callable[..., Service], text: str
) -> None:
    service = allowing(open_service, text)

    page = arrives(service.browser())

    assert page.chooses("alice").url == ACCOUNT


def test_account_that_is_named_by_did_signs_up_without_a_look_up(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, world.alice.did)
    page = arrives(service.browser())
    world.network.lay(WELL_KNOWN, faults.Refuses())

    assert page.chooses("alice").url == ACCOUNT


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "invited",
        f"@{BOB}",
        "*.alice.skyhost.social",
        "*.garden",
        "did:plc:" + "a" * 24,
    ],
)
def test_account_that_is_not_named_meets_a_polite_page(
    open_service: Callable[..., Service], world: World, text: str
) -> None:
    service = allowing(open_service, text)
    browser = service.browser()

    page = arrives(browser)

    assert page.status == 403
    assert page.error == "not_a_member"
    assert "This account cannot join The Platform" in page.text
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert service.rows("SELECT count(*) FROM sessions") == [(0,)]
    assert not browser.is_signed_in()


def test_rule_below_a_domain_leaves_the_domain_itself_out(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "*.rosies.garden")

    assert arrives(service.browser(), "rosies.garden").error == "not_a_member"


def test_member_is_not_affected_by_the_rule(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, "none")
    service.rows(
        "INSERT INTO users (did, username, skeleton, handle_checked_at, created_at)"
        " VALUES (?, 'alice', 'allce', 0, 0)",
        world.alice.did,
    )

    assert arrives(service.browser()).url == ACCOUNT


# --- a fresh look-up ------------------------------------------------------------------


def test_handle_that_is_lost_before_the_sign_up_no_longer_counts(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, f"@{ALICE}")
    browser = service.browser()
    page = arrives(browser)
    world.home(ALICE).did = world.bob.did

    refused = page.chooses("alice")

    assert refused.status == 403
    assert refused.error == "not_a_member"
    assert accounts(service) == []
    assert world.skyhost.server.grants.alive(world.alice.did) == []
    assert browser.opens_login().form_with("identifier")


def test_handle_that_only_its_domain_claims_does_not_count(
    open_service: Callable[..., Service], world: World
) -> None:
    """Both directions: the account has to claim the handle as well."""
    service = allowing(open_service, "@vip.cafe")
    world.home("vip.cafe").did = world.alice.did

    assert arrives(service.browser()).error == "not_a_member"


def test_handle_that_only_the_account_claims_does_not_count(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, "*.vip.cafe")
    stranger = world.settle("one.vip.cafe", world.skyhost, https=False)

    page = service.browser().opens_login().types(stranger.did).approves()

    assert page.error == "not_a_member"


def test_host_of_the_handle_that_is_down_is_not_called_a_refusal(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, f"@{ALICE}")
    page = arrives(service.browser())
    world.network.lay(WELL_KNOWN, faults.Refuses())

    failed = page.chooses("alice")

    assert failed.error == "host_unreachable"
    assert accounts(service) == []
    world.network.mend(WELL_KNOWN)
    again = failed.browser.visits("/auth/signup")
    assert again.chooses("alice").url == ACCOUNT


# --- invitations ----------------------------------------------------------------------


def test_invitation_lets_a_newcomer_sign_up_once(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service)
    alice, bob = service.browser(), service.browser()

    page = alice.visits(link)
    assert page.url == f"{HOME}/auth/login"
    assert "You are invited to The Platform" in page.text
    assert page.types(ALICE).approves().chooses("alice").url == ACCOUNT

    assert bob.visits(link).error == "not_a_member"
    assert arrives(bob, BOB).error == "not_a_member"
    [row] = prints(service, "invitations", "list")
    assert (row["uses"], row["used"], row["created_by"]) == (1, 1, "carol")


def test_opening_an_invitation_uses_nothing_up(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service)
    for _ in range(3):
        service.browser().visits(link)

    browser = service.browser()
    browser.visits(link)

    assert arrives(browser).chooses("alice").url == ACCOUNT


def test_refused_username_uses_no_invitation_up(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service, "--uses", "2")
    first, second = service.browser(), service.browser()
    first.visits(link)
    second.visits(link)
    arrives(first).chooses("alice")

    taken = arrives(second, BOB).chooses("alice")

    assert taken.error == "username_taken"
    assert service.rows("SELECT used FROM invitations") == [(1,)]
    assert taken.chooses("bobby").url == ACCOUNT
    assert service.rows("SELECT used FROM invitations") == [(2,)]


def test_last_use_of_an_invitation_goes_to_one_of_two_newcomers(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service)
    first, second = service.browser(), service.browser()
    first.visits(link)
    second.visits(link)
    pages = arrives(first), arrives(second, BOB)

    assert pages[0].chooses("alice").url == ACCOUNT
    refused = pages[1].chooses("bobby")

    assert refused.status == 403
    assert refused.error == "not_a_member"
    assert accounts(service) == ["alice"]


def test_newcomer_whom_the_list_names_uses_no_invitation_up(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, f"invited,@{ALICE}")
    browser = service.browser()
    browser.visits(invites(service))

    arrives(browser).chooses("alice")

    assert service.rows("SELECT used FROM invitations") == [(0,)]


def test_invitation_is_enough_while_the_host_of_the_handle_is_down(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, "invited,*.garden")
    browser = service.browser()
    browser.visits(invites(service))
    page = arrives(browser)
    world.network.lay(WELL_KNOWN, faults.Refuses())

    assert page.chooses("alice").url == ACCOUNT


@pytest.mark.parametrize("rule", ["none", f"@{BOB}"])
def test_invitation_counts_only_where_the_rule_says_invited(
    open_service: Callable[..., Service], rule: str
) -> None:
    service = allowing(open_service, rule)
    made = runs(service, "invitations", "create", "--json")
    assert "SIGNUP_ALLOW does not have `invited`" in made.stderr
    browser = service.browser()
    browser.visits(invites(service))

    assert arrives(browser).error == "not_a_member"


def test_invitation_ends_with_its_time(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service, "--expires", "2h")
    world.clock.advance(2 * 3600)

    page = service.browser().visits(link)

    assert page.status == 403
    assert "This invitation has ended" in page.text


def test_revoked_invitation_ends_at_once_for_those_who_opened_it_too(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    [made] = prints(service, "invitations", "create", "--reason", "for a friend")
    browser = service.browser()
    browser.visits(made["link"])

    result = runs(service, "invitations", "revoke", made["id"], "--yes")

    assert result.exit_code == 0
    assert arrives(browser).error == "not_a_member"
    assert runs(service, "invitations", "revoke", made["id"], "--yes").exit_code == 1
    created, revoked = (
        events(service, name)[0][1]
        for name in ("invitation_created", "invitation_revoked")
    )
    assert created["operator"] == revoked["operator"] == "carol"
    assert created["reason"] == "for a friend"


def test_secret_of_an_invitation_is_stored_nowhere(
    open_service: Callable[..., Service], caplog: pytest.LogCaptureFixture
) -> None:
    service = allowing(open_service, "invited")
    link = invites(service)
    secret = link.partition("code=")[2]
    browser = service.browser()
    browser.visits(link)

    arrives(browser).chooses("alice")

    tables = service.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (name,) in tables:
        assert secret not in repr(service.rows(f"SELECT * FROM {name}"))  # noqa: S608
    assert secret not in caplog.text
    assert secret not in runs(service, "invitations", "list").output


def test_invitation_is_forgotten_after_the_sign_up(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    browser = service.browser()
    browser.visits(invites(service, "--uses", "5"))

    arrives(browser).chooses("alice")

    assert [one.name for one in browser.jar if "invitation" in one.name] == []


def test_member_who_opens_an_invitation_goes_on_as_always(
    open_service: Callable[..., Service],
) -> None:
    service = open_service()
    browser = service.browser()
    arrives(browser).chooses("alice")

    assert browser.visits(invites(service)).url == ACCOUNT


@pytest.mark.parametrize("code", ["", "unknown", "%00", "a" * 4000])
def test_link_of_no_invitation_is_refused(service: Service, code: str) -> None:
    page = service.browser().visits(f"/auth/invitation?code={code}")

    assert page.status == 403
    assert page.error == "not_a_member"


@pytest.mark.parametrize(
    "options",
    [("--uses", "0"), ("--uses", "x"), ("--expires", "0d"), ("--expires", "7")],
)
def test_invitation_with_impossible_options_is_wrong_usage(
    service: Service, options: tuple[str, str]
) -> None:
    assert runs(service, "invitations", "create", *options).exit_code == 2


# --- native apps ----------------------------------------------------------------------


def test_newcomer_of_an_app_who_may_not_join_is_refused_and_the_app_is_told(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, "invited")
    app = App(service)
    app.starts(ALICE, app_name="Sketch")

    page = follows(service.browser(), app).approves()

    assert page.status == 403
    assert page.error == "not_a_member"
    assert "the app was not signed in" in page.text
    assert app.status() == "denied"
    assert world.skyhost.server.grants.alive(world.alice.did) == []


def test_newcomer_of_an_app_joins_with_an_invitation(
    open_service: Callable[..., Service],
) -> None:
    service = allowing(open_service, "invited")
    browser, app = service.browser(), App(service)
    browser.visits(invites(service))
    app.starts(ALICE, app_name="Sketch")

    page = follows(browser, app).approves().chooses("alice")
    page.presses(decision="allow")

    assert app.status() == "completed"
    assert service.rows("SELECT used FROM invitations") == [(1,)]


def test_newcomer_of_an_app_whose_handle_is_lost_is_refused_and_the_app_is_told(
    open_service: Callable[..., Service], world: World
) -> None:
    service = allowing(open_service, f"@{ALICE}")
    app = App(service)
    app.starts(ALICE)
    page = follows(service.browser(), app).approves()
    world.home(ALICE).did = world.bob.did

    refused = page.chooses("alice")

    assert refused.error == "not_a_member"
    assert app.status() == "denied"
    assert accounts(service) == []


def test_disabled_account_of_an_app_is_refused_and_the_app_is_told(
    service: Service,
) -> None:
    signs_in(service, service.browser(), ALICE, username="alice")
    runs(service, "users", "disable", "alice", "--yes")
    app = App(service)
    app.starts(ALICE)

    page = follows(service.browser(), app).approves()

    assert page.error == "account_disabled"
    assert "the app was not signed in" in page.text
    assert app.status() == "denied"


def test_disabling_denies_the_app_that_waits_for_an_answer(service: Service) -> None:
    signs_in(service, service.browser(), ALICE, username="alice")
    browser, app = service.browser(), App(service)
    app.starts(ALICE)
    page = follows(browser, app).approves()
    assert page.form_that_says(decision="allow")

    [done] = prints(service, "users", "disable", "alice", "--yes")

    assert done["apps_denied"] == 1
    assert app.status() == "denied"
    after = page.presses(decision="allow")
    assert app.status() == "denied"
    assert "Access denied" in after.text


def test_disabling_keeps_the_token_from_an_app_that_was_allowed(
    service: Service,
) -> None:
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App(service)
    app.starts(ALICE)
    confirms(service.browser(), app)

    runs(service, "users", "disable", "alice", "--yes")

    assert app.status() == "expired"


def test_deleting_denies_the_app_that_waits_and_blanks_its_login(
    service: Service,
) -> None:
    signs_in(service, service.browser(), ALICE, username="alice")
    app = App(service)
    app.starts(ALICE)
    follows(service.browser(), app).approves()
    [(before,)] = service.rows("SELECT secrets FROM native_logins")

    runs(service, "users", "delete", "alice", "--yes")

    assert app.status() == "denied"
    [(after, did, sid)] = service.rows("SELECT secrets, did, sid FROM native_logins")
    assert after != before
    assert len(after) < len(before)
    assert (did, sid) == (None, None)
