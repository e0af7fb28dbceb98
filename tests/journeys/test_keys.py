"""`keys` commands beside a running service: who notices what, and what ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.atproto.errors import SessionEnded
from app.atproto.http.types import Deadline
from app.factory.web import create_app
from app.flows.keys.life_cycle import LONGEST_LOGIN, RETIRED_MARGIN
from tests.fakes.pds import GET_SESSION
from tests.fakes.world import World
from tests.service import Service, close, outside_of
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

    from tests.fakes.browser import Browser

ALICE = "alice.skyhost.social"
ROSIE = "rosies.garden"
MINUTE, DAY = 60, 86_400
NOTICED = 10
"""Seconds after which every process has noticed a change of the rings."""


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


@pytest.fixture
def other_node(service: Service, world: World) -> Iterator[Flask]:
    """A second node on the same database, which has read the rings."""
    app = create_app(service.settings, outside=outside_of(world, service.settings))
    app.test_client().get("/.well-known/jwks.json")
    yield app
    close(app)


def runs(service: Service, *arguments: str, code: int = 0, answer: str = "") -> str:
    result = service.app.test_cli_runner().invoke(args=arguments, input=answer)
    assert result.exit_code == code, result.output
    return result.output


def reads(service: Service, *arguments: str) -> list[dict[str, Any]]:
    """Run a command with `--json` and return what stdout has."""
    result = service.app.test_cli_runner().invoke(args=[*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def listed(service: Service, ring: str) -> dict[str, str]:
    """Return the keys of a ring's own algorithm, without those of id_tokens."""
    lines = reads(service, "keys", "list")
    own = [one for one in lines if (one["ring"], one["alg"]) == (ring, "ES256")]
    return {one["kid"]: one["status"] for one in own}


def signing(service: Service, ring: str) -> str:
    (kid,) = [k for k, status in listed(service, ring).items() if status == "active"]
    return kid


def published(service: Service) -> set[str]:
    keys = service.get("/.well-known/jwks.json").json()["keys"]
    return {jwk["kid"] for jwk in keys if jwk["alg"] == "ES256"}


def published_by_client(service: Service) -> set[str]:
    document = service.get("/oauth-client-metadata.json").json()
    return {jwk["kid"] for jwk in document["jwks"]["keys"]}


def token_of(browser: Browser) -> str:
    cookie = browser.jar.get("platform_token")
    assert cookie is not None
    return cookie.value


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def verifies(service: Service, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return service.get("/auth/verify", **headers).status == 200


def calls(service: Service, index: int = 0) -> None:
    """Call a PDS with a kept session, after its access token has expired."""
    rows = service.rows("SELECT did, session_id FROM oauth_sessions ORDER BY rowid")
    deadline = Deadline.after(10.0, service.world.clock.monotonic)
    service.client.restore(*rows[index]).request("GET", GET_SESSION, deadline=deadline)


# --- rotate ---------------------------------------------------------------------------


def test_rotated_platform_key_signs_after_fifteen_minutes_and_no_token_ends(
    alice: Browser, service: Service, world: World
) -> None:
    old, token = signing(service, "platform"), token_of(alice)

    (new,) = reads(service, "keys", "rotate", "platform")

    world.clock.advance(NOTICED)
    assert published(service) == {old, new["kid"]}
    alice.visits("/auth/login")
    assert kid_of(token_of(alice)) == old

    world.clock.advance(15 * MINUTE)
    alice.visits("/auth/login")
    assert kid_of(token_of(alice)) == new["kid"]
    assert verifies(service, token)
    assert listed(service, "platform") == {old: "retired", new["kid"]: "active"}


def test_retired_platform_key_is_deleted_by_the_sweep_after_its_last_token(
    alice: Browser, service: Service, world: World
) -> None:
    old = signing(service, "platform")
    runs(service, "keys", "rotate", "platform")
    world.clock.advance(15 * MINUTE - 1)
    alice.visits("/auth/login")
    token = token_of(alice)

    world.clock.advance(DAY - 60)
    runs(service, "sweep")
    assert verifies(service, token)

    world.clock.advance(61 + RETIRED_MARGIN)
    runs(service, "sweep")
    assert old not in listed(service, "platform")
    assert old not in published(service)


def test_session_at_the_host_outlives_the_rotation_of_the_client_key(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirements 3.18, 7.3: it is refreshed with the key of its login."""
    old = signing(service, "client")
    (new,) = reads(service, "keys", "rotate", "client")
    world.clock.advance(60 * MINUTE)

    calls(service)
    service.browser().signs_in(ROSIE, username="rosie")

    bound = dict(service.rows("SELECT did, client_kid FROM oauth_sessions"))
    assert bound == {world.alice.did: old, world.rosie.did: new["kid"]}
    assert published_by_client(service) == {old, new["kid"]}


def test_client_key_is_deleted_when_no_session_is_bound_to_it(
    alice: Browser, service: Service, world: World
) -> None:
    old = signing(service, "client")
    runs(service, "keys", "rotate", "client")
    world.clock.advance(60 * MINUTE + LONGEST_LOGIN)
    runs(service, "sweep")
    (line,) = [one for one in reads(service, "keys", "list") if one["kid"] == old]
    assert (line["status"], line["sessions"]) == ("retired", 1)

    alice.signs_out()
    runs(service, "sweep")

    assert old not in listed(service, "client")


def test_sign_in_across_the_moment_in_which_the_next_client_key_signs(
    service: Service, world: World
) -> None:
    """Requirement 6.7: the code is exchanged with the key of the pushed request."""
    runs(service, "keys", "rotate", "client")
    world.clock.advance(60 * MINUTE - 1)
    at_host = service.browser().opens_login().types(ALICE)
    world.clock.advance(NOTICED)

    assert at_host.approves().chooses("alice").status == 200
    assert service.rows("SELECT COUNT(*) FROM oauth_sessions") == [(1,)]


def test_rotate_now_says_what_breaks_and_asks(service: Service) -> None:
    before = listed(service, "platform")

    said = runs(service, "keys", "rotate", "platform", "--now", code=1, answer="n\n")

    assert "up to 15 minutes" in said
    assert listed(service, "platform") == before

    runs(service, "keys", "rotate", "platform", "--now", "--yes")
    assert sorted(listed(service, "platform").values()) == ["active", "retired"]


def test_token_of_a_key_that_was_made_a_second_ago_passes_on_another_node(
    alice: Browser, service: Service, world: World, other_node: Flask
) -> None:
    world.clock.advance(NOTICED)
    service.get("/.well-known/jwks.json")  # this node reads the ring now
    world.clock.advance(4)
    other_node.test_client().get("/.well-known/jwks.json")  # and the other one here
    runs(service, "keys", "rotate", "platform", "--now", "--yes")
    world.clock.advance(1)
    alice.visits("/auth/login")

    headers = {"Authorization": f"Bearer {token_of(alice)}"}
    answer = other_node.test_client().get("/auth/verify", headers=headers)

    assert answer.status_code == 200


# --- drop -----------------------------------------------------------------------------


def test_dropped_platform_key_is_refused_everywhere_within_ten_seconds(
    alice: Browser, service: Service, world: World, other_node: Flask
) -> None:
    token, old = token_of(alice), signing(service, "platform")
    headers = {"Authorization": f"Bearer {token}"}
    assert verifies(service, token)
    assert other_node.test_client().get("/auth/verify", headers=headers) is not None

    (dropped,) = reads(service, "keys", "drop", "platform", old, "--yes")
    world.clock.advance(4.9)
    verifies(service, token)  # refreshes no cache for longer than the ring allows
    other_node.test_client().get("/auth/verify", headers=headers)
    world.clock.advance(5)

    assert dropped["tokens"] == 1
    assert not verifies(service, token)
    answer = other_node.test_client().get("/auth/verify", headers=headers)
    assert answer.status_code == 401
    assert old not in published(service)


def test_dropped_key_is_refused_although_its_token_was_just_verified(
    alice: Browser, service: Service, world: World
) -> None:
    token = token_of(alice)
    world.clock.advance(NOTICED)
    service.get("/.well-known/jwks.json")  # the ring is read now
    world.clock.advance(4)
    assert verifies(service, token)
    runs(service, "keys", "drop", "platform", signing(service, "platform"), "--yes")
    world.clock.advance(1)

    assert not verifies(service, token)


def test_dropped_platform_key_signs_no_person_out(
    alice: Browser, service: Service, world: World
) -> None:
    """The session behind the cookie renews the token without asking the host."""
    runs(service, "keys", "drop", "platform", signing(service, "platform"), "--yes")
    world.clock.advance(NOTICED)
    pushed = len(world.network.sent(path="/oauth/par"))

    alice.visits("/auth/login")

    assert verifies(service, token_of(alice))
    assert len(world.network.sent(path="/oauth/par")) == pushed


def test_dropped_client_key_ends_its_sessions_without_a_request(
    alice: Browser, service: Service, world: World
) -> None:
    """Requirement 7.4: a request with another key would be worse than none."""
    old = signing(service, "client")
    (dropped,) = reads(service, "keys", "drop", "client", old, "--yes")
    world.clock.advance(60 * MINUTE)
    asked = len(world.network.sent(path="/oauth/token"))

    with pytest.raises(SessionEnded) as ended:
        calls(service)

    assert (ended.value.reason, dropped["sessions"]) == ("key_gone", 1)
    assert len(world.network.sent(path="/oauth/token")) == asked
    assert old not in published_by_client(service)
    assert alice.visits("/auth/session").status == 200


def test_drop_says_what_ends_and_asks(alice: Browser, service: Service) -> None:
    before = listed(service, "client")
    kid = signing(service, "client")

    said = runs(service, "keys", "drop", "client", kid, code=1, answer="n\n")

    assert "1 session at a host ends" in said
    assert listed(service, "client") == before


def test_drop_of_an_unknown_key_is_refused(service: Service) -> None:
    said = runs(service, "keys", "drop", "platform", "nothing", "--yes", code=1)

    assert "has no key nothing" in said


def test_drop_takes_a_key_id_that_begins_with_a_hyphen(service: Service) -> None:
    said = runs(service, "keys", "drop", "platform", "-y7zrI4-h", "--yes", code=1)

    assert "has no key -y7zrI4-h" in said


def test_commands_refuse_a_ring_that_does_not_exist(service: Service) -> None:
    runs(service, "keys", "rotate", "other", code=2)


def test_dropped_key_of_a_setting_is_not_imported_again(
    open_service: Callable[..., Service], prepared: Any
) -> None:
    service = open_service(client_jwk_path=prepared.client_key)
    kid = signing(service, "client")
    assert kid == "client-of-the-tests"
    runs(service, "keys", "drop", "client", kid, "--yes", "--reason", "leaked")

    runs(service, "init")

    assert kid not in listed(service, "client")
    ((detail,),) = service.rows(
        "SELECT detail FROM audit_events WHERE event = 'key_deleted'"
    )
    assert json.loads(detail)["reason"] == "leaked"
    runs(service, "keys", "import", "client", str(prepared.client_key), code=1)


# --- import ---------------------------------------------------------------------------


def test_imported_key_signs_by_itself(
    alice: Browser, service: Service, world: World, tmp_path: Path
) -> None:
    """FINDINGS F14: it stayed `next` for ever."""
    file = own_key(tmp_path)

    (added,) = reads(service, "keys", "import", "platform", str(file))
    world.clock.advance(15 * MINUTE)
    alice.visits("/auth/login")

    assert added["status"] == "next"
    assert kid_of(token_of(alice)) == added["kid"]


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_import_of_a_file_that_others_can_read_or_change_is_refused(
    service: Service, tmp_path: Path, mode: int
) -> None:
    file = own_key(tmp_path, mode)
    before = reads(service, "keys", "list")

    said = runs(service, "keys", "import", "platform", str(file), code=1)

    assert f"{file} is a file of mode 0{mode:o}" in said
    assert reads(service, "keys", "list") == before


def test_import_of_a_file_that_the_group_can_read_is_done(
    service: Service, tmp_path: Path
) -> None:
    file = own_key(tmp_path, 0o640)

    runs(service, "keys", "import", "platform", str(file))


def test_import_from_standard_input_is_done(service: Service, tmp_path: Path) -> None:
    raw = own_key(tmp_path, 0o644).read_text()
    runner = service.app.test_cli_runner()

    result = runner.invoke(args=["keys", "import", "platform", "-"], input=raw)

    assert result.exit_code == 0, result.output


def test_init_names_a_key_file_of_a_setting_that_others_can_read(
    open_service: Callable[..., Service], tmp_path: Path
) -> None:
    file = own_key(tmp_path, 0o644)
    service = open_service(signing_key_path=file)

    said = runs(service, "init")

    assert f"warning: {file} is a file of mode 0644" in said


def own_key(tmp_path: Path, mode: int = 0o600) -> Path:
    """Return a file with a new private key of an operator's own."""
    file = tmp_path / "own.pem"
    file.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    file.chmod(mode)
    return file


def test_import_of_a_file_that_is_no_key_is_refused(
    service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "own.pem"
    file.write_text("nothing")
    file.chmod(0o600)

    runs(service, "keys", "import", "platform", str(file), code=1)


# --- KEY_ROTATION ---------------------------------------------------------------------


def test_sweep_rotates_by_itself_and_signs_no_person_out(
    open_service: Callable[..., Service], world: World
) -> None:
    service = open_service(key_rotation=7 * DAY)
    browser = service.browser()
    browser.signs_in(ALICE, username="alice")
    first = {ring: signing(service, ring) for ring in ("platform", "client")}

    for _ in range(2 * 15):
        world.clock.advance(DAY / 2)
        runs(service, "sweep")
        calls(service)
        assert browser.visits("/auth/login").status == 200
        assert browser.is_signed_in()

    assert signing(service, "platform") != first["platform"]
    assert signing(service, "client") != first["client"]
    assert first["platform"] not in published(service)
    assert first["client"] in published_by_client(service), "a session is bound to it"


def test_copy_of_the_jwks_that_is_fifteen_minutes_old_verifies_every_token(
    open_service: Callable[..., Service], world: World
) -> None:
    """A service needs to fetch nothing because of an unknown key id."""
    service = open_service(key_rotation=DAY)
    browser = service.browser()
    browser.signs_in(ALICE, username="alice")
    world.clock.advance(DAY - 20 * MINUTE)
    copies, signed = [], set()

    for _ in range(12):
        world.clock.advance(5 * MINUTE)
        runs(service, "sweep")
        copies.append(published(service))
        browser.visits("/auth/login")
        signed.add(kid_of(token_of(browser)))
        assert kid_of(token_of(browser)) in copies[max(0, len(copies) - 4)]

    assert len(signed) == 2, "the key was rotated meanwhile"


def test_sign_ins_go_on_at_a_host_that_keeps_our_metadata_for_ten_minutes(
    open_service: Callable[..., Service], world: World
) -> None:
    """Requirement 3.11: the reference server does not fetch an unknown key."""
    service = open_service(key_rotation=DAY)
    service.browser().signs_in(ALICE, username="alice")
    world.clock.advance(DAY - 20 * MINUTE)

    # The host reads our metadata four minutes before the next key is published.
    for _ in range(24):
        world.clock.advance(4 * MINUTE)
        runs(service, "sweep")
        assert service.browser().signs_in(ALICE).error is None

    bound = service.rows("SELECT DISTINCT client_kid FROM oauth_sessions")
    assert len(bound) == 2, "the key was rotated meanwhile"


def test_two_nodes_rotate_once(
    open_service: Callable[..., Service], world: World
) -> None:
    service = open_service(key_rotation=DAY)
    nodes = [
        create_app(service.settings, outside=outside_of(world, service.settings))
        for _ in range(2)
    ]
    world.clock.advance(30 * DAY)

    for node in (*nodes, *nodes):
        assert node.test_cli_runner().invoke(args=["sweep"]).exit_code == 0

    assert sorted(listed(service, "platform").values()) == ["active", "next"]
    for node in nodes:
        close(node)
