"""Ask little first, more later (requirement 8.10): a service sends people for a
wider session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.atproto.errors import SessionEnded
from app.atproto.http.types import Deadline
from app.atproto.scopes.scope import ScopeSet
from tests.fakes import faults
from tests.fakes.browser import AtHost, Browser, query_of
from tests.fakes.network import FakeNetwork
from tests.fakes.page import Page
from tests.fakes.pds import GET_SESSION
from tests.fakes.world import World
from tests.service import Service
from tests.signed import signs_in

ALICE = "alice.skyhost.social"
BOB = "bob.skyhost.social"
FORUM = "https://forum.platform.cafe/t/42?page=2"
SCOPE_MAX = (
    "atproto repo:app.relay.track repo:app.relay.list blob:image/* account:email"
)
TRACK = "repo:app.relay.track"
EACH_ACTION = "repo:app.relay.list?action=update&action=create&action=delete"
PAR = "https://as.skyhost.social/oauth/par"


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    return open_service(scope_max=SCOPE_MAX)


@pytest.fixture(scope="module")
def standing(open_standing: Callable[..., Service]) -> Service:
    """The same for cases that change nothing."""
    return open_standing(scope_max=SCOPE_MAX)


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def asks(browser: Browser, scope: str, return_to: str = FORUM, **more: str) -> Page:
    """A service sends the person to us for a permission."""
    return browser.opens_login(scope=scope, return_to=return_to, **more)


def agrees(page: Page) -> AtHost:
    """Press the one button, with nothing to type."""
    [form] = page.forms
    assert form.visible == set()
    at_host = page.submits(form)
    assert isinstance(at_host, AtHost), at_host.error
    return at_host


def declines(page: Page) -> Page:
    """Follow the one link."""
    [link] = page.links[-1:]
    return page.browser.visits(link, site="same-origin")


def pushed(network: FakeNetwork) -> set[str]:
    return set(network.sent(path="/oauth/par")[-1].form["scope"].split(" "))


def granted(browser: Browser) -> Any:
    """What the service can see; None when the session at the host is over."""
    return browser.visits("/auth/session", accept="application/json").json["scope"]


def token_works(service: Service, token: str) -> bool:
    answer = service.get("/auth/session", Authorization=f"Bearer {token}")
    return answer.status == 200


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return cookie.value


# --- a wider session ------------------------------------------------------------------


def test_the_metadata_declares_the_most_that_is_ever_asked(service: Service) -> None:
    """Requirements 4.6, 8.10."""
    declared = service.get("/oauth-client-metadata.json").json()["scope"]

    assert set(declared.split()) == set(SCOPE_MAX.split())


def test_a_sign_in_asks_for_little(alice: Browser, network: FakeNetwork) -> None:
    assert pushed(network) == {"atproto"}
    assert granted(alice) == "atproto"


def test_the_person_reads_what_more_is_asked_and_agrees_with_one_press(
    alice: Browser, network: FakeNetwork
) -> None:
    page = asks(alice, f"{TRACK} account:email")

    assert page.status == 200
    assert "You are signed in as alice (alice.skyhost.social)" in page.text
    assert "add, change and delete your public records of app.relay.track" in page.text
    assert "see your e-mail address" in page.text
    arrived = agrees(page).approves()
    assert arrived.url == FORUM
    assert pushed(network) == {"atproto", TRACK, "account:email"}
    assert ScopeSet.parse(granted(alice)).allows(TRACK)


def test_the_request_names_the_person_by_their_did(
    alice: Browser, network: FakeNetwork, world: World
) -> None:
    agrees(asks(alice, TRACK))

    hint = network.sent(path="/oauth/par")[-1].form["login_hint"]
    assert hint == world.alice.did


def test_the_wider_session_replaces_the_old_one(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirements 8.10, 6.15: and the old grant is revoked at the host."""
    old = token_of(alice)

    agrees(asks(alice, TRACK)).approves()

    first, second = world.skyhost.server.grants.all
    assert (first.alive, second.alive) == (False, True)
    assert not token_works(service, old)
    assert token_works(service, token_of(alice))
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(1,)]


def test_the_old_session_stays_until_the_new_one_is_there(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 8.10: leaving at the host loses nothing."""
    old = token_of(alice)

    agrees(asks(alice, TRACK))

    [grant] = world.skyhost.server.grants.all
    assert grant.alive
    assert token_works(service, old)


def test_a_second_permission_joins_the_first(
    alice: Browser, network: FakeNetwork
) -> None:
    """Requirement 8.10: an upgrade never narrows."""
    agrees(asks(alice, TRACK)).approves()

    page = asks(alice, "account:email")

    assert "app.relay.track" not in page.text
    agrees(page).approves()
    assert pushed(network) == {"atproto", TRACK, "account:email"}
    assert ScopeSet.parse(granted(alice)).missing(f"{TRACK} account:email") == ()


def test_a_part_of_a_permission_is_asked_for_as_the_metadata_spells_it(
    alice: Browser, network: FakeNetwork
) -> None:
    """Requirement 4.6: servers compare the words with those of the metadata."""
    page = asks(alice, f"{TRACK}?action=create")

    assert "add your public records of app.relay.track" in page.text
    agrees(page).approves()
    assert pushed(network) == {"atproto", TRACK}


def test_a_visitor_who_is_not_signed_in_is_asked_for_all_at_once(
    browser: Browser, network: FakeNetwork
) -> None:
    page = asks(browser, TRACK).types(ALICE).approves().chooses("alice")

    assert page.url == FORUM
    assert pushed(network) == {"atproto", TRACK}
    assert granted(browser) == f"atproto {TRACK}"


# --- what is granted already ----------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        "atproto repo:app.relay.track repo:app.relay.list",
        "repo?collection=app.relay.list&collection=app.relay.track atproto",
        f"{EACH_ACTION} atproto repo?collection=app.relay.track",
    ],
)
def test_what_is_granted_in_any_spelling_is_not_asked_for_again(
    alice: Browser, world: World, network: FakeNetwork, spelling: str
) -> None:
    """Requirement 8.9."""
    world.skyhost.server.lies.granted_scope = spelling
    agrees(asks(alice, f"{TRACK} repo:app.relay.list")).approves()
    network.forget()

    page = asks(alice, f"repo:app.relay.list {TRACK}?action=create")

    assert page.url == FORUM
    assert network.sent(path="/oauth/par") == []
    assert granted(alice) == spelling


def test_an_expanded_permission_set_is_granted(
    open_service: Callable[..., Service], world: World, network: FakeNetwork
) -> None:
    """Requirement 8.9: and asked for again as the set, when something joins it."""
    include = "include:app.relay.authTracks"
    service = open_service(scope_max=f"atproto {include} account:email")
    world.skyhost.server.expands_include = {include: TRACK}
    browser = signs_in(
        service,
        service.browser(),
        ALICE,
        username="alice",
        scope=include,
        return_to=FORUM,
    )
    assert granted(browser) == f"atproto {TRACK}"

    assert asks(browser, include).url == FORUM
    agrees(asks(browser, "account:email"))
    assert pushed(network) == {"atproto", include, "account:email"}


def test_a_grant_of_less_than_was_asked_is_taken(alice: Browser, world: World) -> None:
    """Requirement 8.8: the person left something out; the service can see what
    there is.
    """
    world.skyhost.server.lies.granted_scope = f"atproto {TRACK}"

    arrived = agrees(asks(alice, f"{TRACK} account:email")).approves()

    assert arrived.url == FORUM
    assert granted(alice) == f"atproto {TRACK}"
    assert "see your e-mail address" in asks(alice, "account:email").text


# --- no -------------------------------------------------------------------------------


def unchanged(service: Service, world: World, token: str) -> bool:
    """Nothing is different: the old token, the old session, the old grant."""
    [grant] = world.skyhost.server.grants.all
    calls = service.client.restore(
        *service.rows("SELECT did, session_id FROM oauth_sessions")[0]
    )
    deadline = Deadline.after(10.0, world.clock.monotonic)
    answer = calls.request("GET", GET_SESSION, deadline=deadline)
    return grant.alive and answer.status == 200 and token_works(service, token)


def test_scope_upgrade_declined_here_changes_nothing(
    alice: Browser, service: Service, world: World, network: FakeNetwork
) -> None:
    token = token_of(alice)
    page = asks(alice, TRACK)
    network.forget()

    assert declines(page).url == FORUM
    assert network.sent(path="/oauth/par") == []
    assert unchanged(service, world, token)


def test_scope_upgrade_denied_at_the_host_changes_nothing(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)

    assert agrees(asks(alice, TRACK)).denies().url == FORUM
    assert unchanged(service, world, token)
    assert granted(alice) == "atproto"


def test_a_failure_at_the_host_leaves_everything_and_offers_the_way_back(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)

    page = agrees(asks(alice, TRACK)).meets("server_error")

    assert (page.status, page.error) == (502, "host_unreachable")
    assert unchanged(service, world, token)
    assert declines(page).url == FORUM
    assert agrees(page).approves().url == FORUM
    assert ScopeSet.parse(granted(alice)).allows(TRACK)


def test_a_host_that_is_down_leaves_everything_and_offers_the_way_back(
    alice: Browser, service: Service, world: World, network: FakeNetwork
) -> None:
    token = token_of(alice)
    page = asks(alice, TRACK)
    network.lay(PAR, faults.bad_gateway())

    failed = page.submits(page.forms[0])

    assert isinstance(failed, Page)
    assert (failed.status, failed.error) == (502, "host_unreachable")
    assert failed.forms == page.forms
    assert declines(failed).url == FORUM
    assert unchanged(service, world, token)


def test_scope_upgrade_approved_by_another_account_changes_nothing(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 6.11: the session of the approving account is revoked."""
    token = token_of(alice)

    page = agrees(asks(alice, TRACK)).approves(BOB)

    assert (page.status, page.error) == (403, "account_mismatch")
    assert "nothing has changed" in page.text
    first, second = world.skyhost.server.grants.all
    assert (first.alive, second.alive) == (True, False)
    assert token_works(service, token)
    assert declines(page).url == FORUM


def test_declining_after_sign_out_does_not_sign_in(
    alice: Browser,
) -> None:
    at_host = agrees(asks(alice, TRACK))
    alice.signs_out()

    page = at_host.denies()

    assert (page.status, page.error) == (400, "access_denied")
    assert not alice.is_signed_in()
    assert page.form_with("identifier").fields["scope"] == TRACK


# --- two tabs -------------------------------------------------------------------------


def test_of_two_upgrades_side_by_side_the_later_one_takes_nothing_away(
    alice: Browser, service: Service, world: World, network: FakeNetwork
) -> None:
    """Requirement 8.10: it was begun before the first permission was there, and
    does without.
    """
    first = agrees(asks(alice, TRACK))
    second = agrees(asks(alice, "account:email"))
    first.approves()
    token = token_of(alice)

    page = second.approves()

    assert "see your e-mail address" in page.text
    assert granted(alice) == f"atproto {TRACK}"
    assert token_works(service, token)
    assert [one.alive for one in world.skyhost.server.grants.all] == [
        False,
        True,
        False,
    ]
    assert agrees(page).approves().url == FORUM
    assert pushed(network) == {"atproto", TRACK, "account:email"}
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(1,)]


def test_of_two_upgrades_side_by_side_the_wider_one_is_taken(alice: Browser) -> None:
    first = agrees(asks(alice, TRACK))
    second = agrees(asks(alice, f"{TRACK} account:email"))

    assert first.approves().url == FORUM
    assert second.approves().url == FORUM
    assert ScopeSet.parse(granted(alice)).missing(f"{TRACK} account:email") == ()


def test_who_declines_in_a_second_tab_keeps_what_the_first_one_brought(
    alice: Browser,
) -> None:
    first = agrees(asks(alice, TRACK))
    second = agrees(asks(alice, "account:email"))
    first.approves()

    assert second.denies().url == FORUM
    assert granted(alice) == f"atproto {TRACK}"


# --- what may be asked ----------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    [
        "identity:*",
        "repo:*",
        "repo:app.relay.track repo:app.relay.other",
        "account:email?action=manage",
        "blob:*/*",
        "transition:generic",
        "openid",
        "repo:app.relay.track  blob:image/*",
        'repo:"quoted"',
    ],
)
@pytest.mark.parametrize("who", ["signed_in", "visitor"])
def test_more_than_the_most_is_refused(
    request: pytest.FixtureRequest, standing: Service, scope: str, who: str
) -> None:
    browser: Browser = request.getfixturevalue(who)
    standing.world.network.forget()

    page = asks(browser, scope)

    assert (page.status, page.error) == (400, "invalid_scope")
    assert standing.world.network.sent(path="/oauth/par") == []
    assert all("scope" not in form.fields for form in page.forms)


def test_more_than_the_most_is_refused_in_a_form_as_well(
    alice: Browser, network: FakeNetwork
) -> None:
    page = asks(alice, TRACK)
    network.forget()

    refused = page.submits(page.forms[0], scope="repo:*")

    assert isinstance(refused, Page)
    assert (refused.status, refused.error) == (400, "invalid_scope")
    assert network.sent(path="/oauth/par") == []


def test_scope_beyond_the_metadata_offers_to_continue_without(alice: Browser) -> None:
    page = asks(alice, "identity:*")

    [onward] = [link for link in page.links if "return_to" in link]
    assert alice.visits(onward, site="same-origin").url == FORUM


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_scope_upgrade_with_a_foreign_return_to_is_refused(
    alice: Browser, target: str
) -> None:
    page = asks(alice, TRACK, return_to=target)

    assert (page.status, page.error) == (400, "invalid_return_to")
    assert target not in "".join(page.links)
    assert all("return_to" not in form.fields for form in page.forms)


def test_another_site_cannot_press_the_button(
    alice: Browser, network: FakeNetwork
) -> None:
    """Requirement 9.8."""
    page = asks(alice, TRACK)
    network.forget()

    refused = alice.posts(
        "/auth/login", page.forms[0].fields, origin="https://evil.example",
        site="cross-site",
    )  # fmt: skip

    assert isinstance(refused, Page)
    assert (refused.status, refused.error) == (403, "cross_site")
    assert network.sent(path="/oauth/par") == []


# --- the field survives ---------------------------------------------------------------


def test_what_is_asked_survives_errors_and_retries(
    browser: Browser, world: World, network: FakeNetwork
) -> None:
    page = asks(browser, TRACK, prompt="select_account").tries("two words")
    assert isinstance(page, Page)
    at_host = page.types(ALICE)

    again = browser.navigates(
        "GET", at_host.page.sends_back("login_required").url, site="cross-site"
    )

    assert isinstance(again, AtHost)
    assert pushed(network) == {"atproto", TRACK}
    page = again.denies()
    assert page.types(ALICE).approves().chooses("alice").url == FORUM
    assert pushed(network) == {"atproto", TRACK}


def test_what_is_asked_survives_forgetting_an_account(alice: Browser) -> None:
    alice.posts("/auth/logout", {"keep": "1"})
    page = asks(alice, TRACK)

    page = page.presses(forget=alice.world.alice.did)

    assert isinstance(page, Page)
    assert query_of(page.url)["scope"] == TRACK
    assert page.form_with("identifier").fields["scope"] == TRACK


def test_a_link_that_expired_leads_back_to_the_same_question(
    alice: Browser, world: World
) -> None:
    at_host = agrees(asks(alice, TRACK))
    url = at_host.answer()
    world.clock.advance(301)  # the life of a code

    page = alice.visits(url, site="cross-site")

    assert (page.status, page.error) == (400, "login_expired")
    assert page.forms[0].fields["scope"] == TRACK


def test_other_account_in_the_browser_is_asked_for_the_base_scope(
    alice: Browser, network: FakeNetwork
) -> None:
    agrees(asks(alice, TRACK)).approves()

    alice.opens_login(prompt="login").types(BOB)

    assert pushed(network) == {"atproto"}


# --- a session at the host that is over (requirement 7.18) ----------------------------


@pytest.fixture
def cut_off(alice: Browser, service: Service, world: World) -> Browser:
    """A person whose wider session has died at the host; the cookie is still good."""
    agrees(asks(alice, TRACK)).approves()
    live = service.client.restore(
        *service.rows("SELECT did, session_id FROM oauth_sessions")[0]
    )
    world.skyhost.server.grants.all[-1].alive = False
    with pytest.raises(SessionEnded):
        live.request(
            "GET", GET_SESSION, deadline=Deadline.after(10.0, world.clock.monotonic)
        )
    return alice


def test_a_dead_session_at_the_host_is_told(cut_off: Browser) -> None:
    assert granted(cut_off) is None


def test_dead_grant_is_reconnected_with_one_press(
    cut_off: Browser, world: World, network: FakeNetwork
) -> None:
    """The former permissions are asked for again."""
    page = cut_off.opens_login(
        prompt="login", identifier=world.alice.did, return_to=FORUM
    )

    assert "Connect your account again" in page.text
    assert "your public records of app.relay.track" in page.text
    assert agrees(page).approves().url == FORUM
    assert pushed(network) == {"atproto", TRACK}
    assert granted(cut_off) == f"atproto {TRACK}"


def test_declined_reconnect_returns_without_a_loop(
    cut_off: Browser, world: World
) -> None:
    page = cut_off.opens_login(
        prompt="login", identifier=world.alice.did, return_to=FORUM
    )

    assert declines(page).url == FORUM
    assert agrees(page).denies().url == FORUM
    assert cut_off.is_signed_in()


def test_reconnect_with_a_scope_asks_for_both(cut_off: Browser) -> None:
    page = asks(cut_off, "account:email")

    assert "see your e-mail address" in page.text
    assert agrees(page).approves().url == FORUM
    assert ScopeSet.parse(granted(cut_off)).missing(f"{TRACK} account:email") == ()


def test_reconnecting_replaces_a_session_that_lives(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 7.18: `prompt=login` always ends in a fresh session."""
    page = alice.opens_login(
        prompt="login", identifier=world.alice.did, return_to=FORUM
    )

    arrived = page.types(world.alice.did).approves()

    assert arrived.url == FORUM
    first, second = world.skyhost.server.grants.all
    assert (first.alive, second.alive) == (False, True)
    assert service.rows("SELECT count(*) FROM oauth_sessions") == [(1,)]
