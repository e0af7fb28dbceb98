"""The command line: signing in, being signed in, signing out."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.atproto.client_metadata.builders import build_native_client
from tests.atproto.terminal import Terminal
from tests.fakes import faults
from tests.fakes.consent import ConsentPage, SentBack
from tests.fakes.directory import json_response
from tests.fakes.world import World

TRACKS = "atproto repo:app.relay.track"
CLIENT_ID = "https://relay.app/client.json"


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    return Terminal(world, tmp_path)


def publishes(world: World, **changes: Any) -> None:
    """Publish a native client's metadata at relay.app."""
    document = build_native_client(
        client_id=CLIENT_ID,
        redirect_uris=["app.relay:/callback", "http://127.0.0.1/signed-in"],
        scope=TRACKS,
    ).document()
    world.network.serve("relay.app", json_response({**document, **changes}))


# --- login --------------------------------------------------------------------------


def test_login_opens_the_browser_and_waits_for_it(
    terminal: Terminal, world: World
) -> None:
    ended = terminal.signs_in(world.alice.handle)

    assert ended.text.startswith(f"Signed in as {world.alice.handle}.\n")
    assert len(terminal.opened) == 1
    [page] = terminal.pages
    assert "You are signed in" in page
    assert "Go back to the terminal" in page
    [session] = terminal.sessions()
    assert (session.did, session.scope) == (world.alice.did, "atproto")


def test_login_prints_the_address_in_any_case(terminal: Terminal, world: World) -> None:
    ended = terminal.signs_in(world.alice.handle)

    [url] = terminal.opened
    assert f"\n{url}\n" in ended.noise
    assert url not in ended.text


def test_login_without_a_browser_opens_none(terminal: Terminal, world: World) -> None:
    ended = terminal.runs("login", world.alice.handle, "--no-browser", "--timeout=0.1")

    assert not terminal.opened
    assert "https://as.skyhost.social/oauth/authorize?" in ended.noise
    assert ended.code == 8


def test_login_asks_for_the_scope_that_was_named(
    terminal: Terminal, world: World
) -> None:
    ended = terminal.signs_in(world.alice.handle, "--scope", TRACKS, "--json")

    assert ended.json["scope"] == TRACKS
    assert ended.json["missing"] == []


def test_login_says_what_was_not_granted(terminal: Terminal, world: World) -> None:
    world.skyhost.server.lies.granted_scope = "atproto"

    ended = terminal.signs_in(world.alice.handle, "--scope", TRACKS)

    assert "Not granted: repo:app.relay.track" in ended.text


def test_login_reads_a_bare_word_and_says_how(terminal: Terminal, world: World) -> None:
    ended = terminal.signs_in("alice", "--handle-suffix", ".skyhost.social")

    assert "Reading alice as alice.skyhost.social." in ended.noise


def test_login_begins_at_a_host_when_one_is_named(
    terminal: Terminal, world: World
) -> None:
    terminal.decides = lambda page: page.approves(world.bob.handle)

    ended = terminal.signs_in("https://pds.skyhost.social", "--json")

    assert ended.json["did"] == world.bob.did


def test_login_prints_one_json_object_for_scripts(
    terminal: Terminal, world: World
) -> None:
    document = terminal.signs_in(world.alice.handle, "--json").json

    assert document["did"] == world.alice.did
    assert document["handle"] == world.alice.handle
    assert document["pds"] == "https://pds.skyhost.social"
    assert document["issuer"] == "https://as.skyhost.social"
    assert not [name for name in document if "token" in name or "key" in name]


def test_denied_login_ends_with_exit_code_4(terminal: Terminal, world: World) -> None:
    terminal.decides = ConsentPage.denies

    ended = terminal.runs("login", world.alice.handle, "--json")

    assert ended.code == 4
    assert ended.json["error"] == "access_denied"
    assert "You did not sign in" in terminal.pages[0]
    assert not terminal.sessions()


def test_login_without_answer_ends_with_exit_code_8(
    terminal: Terminal, world: World
) -> None:
    ended = terminal.runs(
        "login", world.alice.handle, "--no-browser", "--timeout=0.1", "--json"
    )

    assert ended.code == 8
    assert ended.json["error"] == "timed_out"


def test_an_interrupted_login_ends_quietly(terminal: Terminal, world: World) -> None:
    def interrupts(_page: ConsentPage) -> SentBack:
        raise KeyboardInterrupt

    terminal.decides = interrupts

    ended = terminal.runs("login", world.alice.handle)

    assert ended.code == 130
    assert ended.noise.endswith("Stopped.\n")
    assert not terminal.sessions()


def test_a_login_that_waits_leaves_nothing_on_the_disk(
    terminal: Terminal, world: World
) -> None:
    terminal.runs("login", world.alice.handle, "--no-browser", "--timeout=0.1")

    assert not [path for path in terminal.home.rglob("*") if path.is_file()]


def test_a_second_login_ends_the_first_at_its_host(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)
    [first] = terminal.sessions()
    terminal.signs_in(world.alice.handle, "--scope", TRACKS)

    [second] = terminal.sessions()
    assert second.session_id != first.session_id
    alive = [grant for grant in world.skyhost.server.grants.all if grant.alive]
    assert [grant.scope for grant in alive] == [TRACKS]


# --- login by paste -----------------------------------------------------------------


def test_an_address_is_pasted_where_there_is_no_browser(
    terminal: Terminal, world: World
) -> None:
    terminal.pastes = ["back"]

    ended = terminal.runs("login", world.alice.handle, "--paste", "--json")

    assert ended.code == 0
    assert ended.json["did"] == world.alice.did
    assert not terminal.opened


def test_a_wrong_paste_is_asked_again(terminal: Terminal, world: World) -> None:
    terminal.pastes = ["https://example.org/", "back"]

    ended = terminal.runs("login", world.alice.handle, "--paste")

    assert ended.code == 0
    assert "That is not it: the address does not begin with" in ended.noise


def test_pasting_is_given_up_in_the_end(terminal: Terminal, world: World) -> None:
    terminal.pastes = ["one", "two", "three", "four"]

    ended = terminal.runs("login", world.alice.handle, "--paste", "--json")

    assert ended.code == 2
    assert terminal.pastes == ["four"]


# --- who this program is ------------------------------------------------------------


def test_the_development_id_is_used_unless_told(
    terminal: Terminal, world: World
) -> None:
    ended = terminal.signs_in(world.alice.handle, "--json")

    assert ended.json["client_id"].startswith("http://localhost?scope=atproto&")


@pytest.mark.parametrize("by_environment", [True, False])
def test_a_published_client_is_used_when_named(
    terminal: Terminal, world: World, by_environment: bool
) -> None:
    publishes(world)
    words = ["--client-id", CLIENT_ID]
    if by_environment:
        words = []
        terminal.environ["LATCHKEY_CLIENT_ID"] = CLIENT_ID

    ended = terminal.signs_in(world.alice.handle, "--json", *words)

    assert ended.json["client_id"] == CLIENT_ID
    assert "/signed-in?" in terminal.way_back[0]
    assert terminal.runs("refresh").code == 0


def test_of_two_redirects_the_one_that_every_machine_has_is_taken(
    terminal: Terminal, world: World
) -> None:
    publishes(world, redirect_uris=["http://[::1]/six", "http://127.0.0.1/four"])

    terminal.signs_in(world.alice.handle, "--client-id", CLIENT_ID)

    assert urlsplit(terminal.way_back[0]).path == "/four"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://relay.app/another.json"},
        {"redirect_uris": ["app.relay:/callback"]},
        {"redirect_uris": "http://127.0.0.1/"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"scope": "atproto"},
        {"scope": None},
    ],
    ids=str,
)
def test_published_metadata_that_does_not_fit_is_refused(
    terminal: Terminal, world: World, changes: dict[str, Any]
) -> None:
    publishes(world, **changes)

    ended = terminal.runs(
        "login", "alice.skyhost.social", "--client-id", CLIENT_ID, "--scope", TRACKS
    )

    assert ended.code == 2
    assert not world.network.sent(path="/oauth/par")


@pytest.mark.parametrize("client_id", ["http://relay.app/c.json", "relay", "file:///x"])
def test_a_client_id_that_is_no_public_url_is_never_fetched(
    terminal: Terminal, world: World, client_id: str
) -> None:
    ended = terminal.runs("login", world.alice.handle, "--client-id", client_id)

    assert ended.code == 7
    assert not world.network.log


# --- being signed in ----------------------------------------------------------------


def test_whoami_asks_the_host(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    world.network.forget()

    ended = terminal.runs("whoami")

    assert ended.code == 0
    assert ended.text.startswith(world.alice.handle)
    assert world.network.sent(path="/xrpc/com.atproto.server.getSession")


def test_whoami_notices_that_the_host_ended_the_session(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)
    for grant in world.skyhost.server.grants.all:
        grant.alive = False

    ended = terminal.runs("whoami", "--json")

    assert ended.code == 3
    assert ended.json["error"] == "not_signed_in"
    assert not terminal.sessions()


def test_whoami_with_grant_refused_in_own_words_asks_to_sign_in_again(
    terminal: Terminal, world: World
) -> None:
    """Requirement 7.17: exit code 3, and the session is kept for a day."""
    terminal.signs_in(world.alice.handle)
    for grant in world.skyhost.server.grants.all:
        grant.alive = False
    world.network.lay(
        "https://as.skyhost.social/oauth/token",
        faults.Says(
            400,
            b'{"error": "Session expired"}',
            {"Content-Type": "application/json"},
        ),
    )

    ended = terminal.runs("whoami", "--json")

    assert ended.code == 3
    assert ended.json["error"] == "not_signed_in"
    assert terminal.sessions()


def test_whoami_offline_sends_no_request(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    world.network.forget()

    ended = terminal.runs("--json", "whoami", "--offline")

    assert ended.json["did"] == world.alice.did
    assert not world.network.log


def test_the_last_one_signed_in_is_meant_unless_named(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)
    world.clock.advance(1)
    terminal.signs_in(world.rosie.handle)

    last = terminal.runs("whoami", "--json", "--offline")
    named = terminal.runs(
        "whoami", "--json", "--offline", "--account", world.alice.handle
    )
    by_did = terminal.runs(
        "whoami", "--json", "--offline", "--account", world.alice.did
    )
    both = terminal.runs("whoami", "--json", "--all")

    assert last.json["did"] == world.rosie.did
    assert named.json["did"] == by_did.json["did"] == world.alice.did
    assert len(both.json["accounts"]) == 2


@pytest.mark.parametrize("command", ["whoami", "refresh", "logout", "call a.b.c"])
def test_without_a_session_nothing_can_be_done(
    terminal: Terminal, world: World, command: str
) -> None:
    ended = terminal.runs(*command.split(), "--json")

    assert ended.code == 3
    assert ended.json["error"] == "not_signed_in"
    assert "login" in ended.json["error_description"]
    assert not world.network.log


def test_refresh_gets_new_tokens(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    [before] = terminal.sessions()

    ended = terminal.runs("refresh", "--json")

    [after] = terminal.sessions()
    assert ended.code == 0
    assert after.refresh_token != before.refresh_token
    assert ended.json["expires_at"] == after.expires_at


# --- logout -------------------------------------------------------------------------


def test_logout_ends_the_session_here_and_there(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)

    ended = terminal.runs("logout", "--json")

    assert ended.code == 0
    [one] = ended.json["ended"]
    assert (one["did"], one["revoked_at"]) == (
        world.alice.did,
        "https://as.skyhost.social",
    )
    assert not terminal.sessions()
    assert not any(grant.alive for grant in world.skyhost.server.grants.all)


def test_logout_of_one_leaves_the_other(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    terminal.signs_in(world.rosie.handle)

    terminal.runs("logout", "--account", world.alice.handle)

    assert [session.did for session in terminal.sessions()] == [world.rosie.did]


def test_logout_of_all_ends_every_session(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    terminal.signs_in(world.rosie.handle)

    ended = terminal.runs("logout", "--all")

    assert ended.text.count("Signed out") == 2
    assert not terminal.sessions()


def test_logout_works_when_the_host_is_gone(terminal: Terminal, world: World) -> None:
    terminal.signs_in(world.alice.handle)
    world.network.unplug("as.skyhost.social")

    assert terminal.runs("logout").code == 0
    assert not terminal.sessions()


# --- what is kept, and what is shown ------------------------------------------------


def test_sessions_are_readable_by_their_owner_alone(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)

    files = [path for path in terminal.state.iterdir() if path.is_file()]
    assert "sessions.json" in {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(terminal.state.stat().st_mode) == 0o700


def test_session_file_open_to_others_is_refused(
    terminal: Terminal, world: World
) -> None:
    terminal.signs_in(world.alice.handle)
    (terminal.state / "sessions.json").chmod(0o644)

    ended = terminal.runs("whoami", "--json")

    assert ended.code == 1
    assert ended.json["error"] == "storage_unusable"
    assert "chmod 600" in ended.json["error_description"]


def test_no_secret_is_ever_shown(terminal: Terminal, world: World) -> None:
    seen: set[str] = set()
    for command in (
        ["login", world.alice.handle, "--scope", TRACKS],
        ["login", world.alice.handle],
        ["whoami"],
        ["refresh"],
        ["call", "com.atproto.server.getSession"],
        ["logout"],
    ):
        for form in ([], ["--json"]):
            assert terminal.runs(*command, "--verbose", *form).code == 0 or form
            seen |= set(terminal.secrets())
    terminal.decides = ConsentPage.denies
    terminal.runs("login", world.alice.handle, "--verbose")
    seen |= set(terminal.secrets())

    assert len(seen) > 12
    shown = "".join(terminal.printed + terminal.pages)
    assert not [secret for secret in seen if secret in shown]


def test_the_state_directory_can_be_another(
    terminal: Terminal, world: World, tmp_path: Path
) -> None:
    terminal.environ["LATCHKEY_STATE_DIR"] = str(tmp_path / "by environment")
    terminal.signs_in(world.alice.handle)
    terminal.signs_in(world.rosie.handle, "--state-dir", str(tmp_path / "by option"))

    for name in ("by environment", "by option"):
        assert (tmp_path / name / "sessions.json").exists()


# --- another network ----------------------------------------------------------------


def test_the_network_can_be_another(terminal: Terminal, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    options = (
        "--lab-network --plc-url http://localhost:2582 --handle-suffix .test"
        " --dns-nameservers 127.0.0.1:5353,[::1]:54,192.0.2.1,2001:db8::1"
    )

    terminal.runs("discover", "x.test", "--ca-bundle", str(bundle), *options.split())

    [asked] = terminal.asked
    assert asked.policy.allow_http
    assert asked.plc_url == "http://localhost:2582"
    assert asked.ca_bundle == str(bundle)
    assert asked.handle_suffix == ".test"
    assert asked.nameservers == (
        ("127.0.0.1", 5353),
        ("::1", 54),
        ("192.0.2.1", 53),
        ("2001:db8::1", 53),
    )


def test_the_environment_says_the_same(terminal: Terminal) -> None:
    terminal.environ |= {
        "LATCHKEY_LAB_NETWORK": "on",
        "LATCHKEY_PLC_URL": "http://localhost:2582",
        "LATCHKEY_DNS_NAMESERVERS": "127.0.0.1:5353",
    }

    terminal.runs("discover", "x.test")

    [asked] = terminal.asked
    assert asked.policy.allow_http
    assert asked.plc_url == "http://localhost:2582"
    assert asked.nameservers == (("127.0.0.1", 5353),)


def test_the_network_is_the_public_one_unless_told(terminal: Terminal) -> None:
    terminal.runs("discover", "alice.skyhost.social")

    [asked] = terminal.asked
    assert not asked.policy.allow_http
    assert not asked.policy.allow_private
    assert asked.plc_url == "https://plc.directory"
