"""SECURITY.md, "A key has leaked": every step of every section, as the page has it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from app.atproto.errors import SessionEnded
from app.config import Settings
from tests.journeys.test_keys import (
    calls,
    kid_of,
    published_by_client,
    signing,
    token_of,
    verifies,
)
from tests.service import SECRET_KEY, Service, close, production
from tests.signed import signs_in

if TYPE_CHECKING:
    from tests.fakes.browser import Browser
    from tests.fakes.world import World

PAGE = Path(__file__).parents[2] / "SECURITY.md"
BLOCK = re.compile(r"^ *```(sh|ini)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ALICE = "alice.skyhost.social"
OLD, NEW = SECRET_KEY, bytes(range(64, 96))
NOTICED = 10
HS256 = {"token_algorithm": "HS256", "jwt_secret": OLD}


def steps(section: str) -> list[tuple[str, list[str]]]:
    """Return the blocks of a section: `sh` with commands, `ini` with settings."""
    text = PAGE.read_text().partition(f"\n### {section}\n")[2]
    assert text, f"no section {section}"
    blocks = BLOCK.findall(re.split(r"^###? ", text, flags=re.MULTILINE)[0])
    return [
        (kind, [line.strip() for line in body.splitlines()]) for kind, body in blocks
    ]


class Operator:
    """Does what the page says: runs commands, and restarts with other settings."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.opened: list[Service] = []
        self.said = ""

    def follows(self, section: str) -> None:
        kids = {
            "PLATFORM_KID": signing(self.service, "platform"),
            "CLIENT_KID": signing(self.service, "client"),
        }
        for kind, lines in steps(section):
            if kind == "ini":
                self.restarts(lines)
            else:
                for line in lines:
                    self._runs(line, kids)

    def restarts(self, lines: list[str]) -> None:
        """Start the service again, on the same database."""
        known = {"OLD": OLD, "NEW": NEW}
        changes: dict[str, Any] = {}
        for line in lines:
            name, _, value = line.removeprefix("LATCHKEY_").lower().partition("=")
            secret = known.get(value.upper())
            is_list = name.endswith("_fallbacks")
            changes[name] = (() if secret is None else (secret,)) if is_list else secret
        settings = self.service.settings
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        usual = production(path) | {"token_algorithm": settings.token_algorithm}
        self.service = Service(self.service.world, Settings(**{**usual, **changes}))
        self.opened.append(self.service)

    def _runs(self, line: str, kids: dict[str, str]) -> None:
        program, *words = (kids.get(word, word) for word in shlex.split(line))
        assert program == "latchkey"
        asks = {"drop", "end"} & set(words)
        result = self.service.app.test_cli_runner().invoke(
            args=words, input="y\n" if asks else ""
        )
        assert result.exit_code == 0, (line, result.output)
        self.said += result.output


@pytest.fixture
def open_operator() -> Iterator[Callable[[Service], Operator]]:
    made: list[Operator] = []

    def make(service: Service) -> Operator:
        made.append(Operator(service))
        return made[-1]

    yield make
    for one in made:
        for service in one.opened:
            close(service.app)


@pytest.fixture
def operator(
    service: Service, open_operator: Callable[[Service], Operator]
) -> Operator:
    return open_operator(service)


@pytest.fixture
def alice(browser: Browser, service: Service) -> Browser:
    return signs_in(service, browser, ALICE, username="alice")


def test_every_section_has_a_test() -> None:
    text = PAGE.read_text().partition("\n## A key has leaked\n")[2]

    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [
        "The platform's signing key",
        "The client key",
        "SECRET_KEY",
        "SECRET_KEY and a copy of the database",
        "A copy of the database, or a backup",
        "JWT_SECRET",
        "The cookie or the token of a person",
        "The password of the database or of Redis",  # test_leaked_passwords.py as well
        "The TLS key of the gRPC listener",  # rpc/test_tls.py: renewed files are used
    ]


def test_platform_signing_key(alice: Browser, operator: Operator, world: World) -> None:
    leaked = token_of(alice)

    operator.follows("The platform's signing key")
    world.clock.advance(NOTICED)

    assert not verifies(operator.service, leaked)
    assert kid_of(leaked) not in {
        jwk["kid"]
        for jwk in operator.service.get("/.well-known/jwks.json").json()["keys"]
    }
    alice.visits("/auth/login")
    assert verifies(operator.service, token_of(alice)), "without a sign-in"
    assert "At most 1 platform token ends" in operator.said


def test_client_key(alice: Browser, operator: Operator, world: World) -> None:
    leaked = signing(operator.service, "client")

    operator.follows("The client key")
    world.clock.advance(3_600)

    assert leaked not in published_by_client(operator.service)
    with pytest.raises(SessionEnded):
        calls(operator.service)
    assert alice.is_signed_in()
    assert alice.signs_in(ALICE, prompt="login").status == 200


def test_secret_key(alice: Browser, operator: Operator) -> None:
    before = operator.service.rows("SELECT secrets FROM oauth_sessions")

    operator.follows("SECRET_KEY")

    assert operator.service.settings.secret_key_fallbacks == ()
    assert operator.service.rows("SELECT secrets FROM oauth_sessions") != before
    calls(operator.service)
    assert alice.is_signed_in()


def test_secret_key_and_a_copy_of_the_database(
    alice: Browser, operator: Operator, world: World
) -> None:
    token = token_of(alice)
    old = {ring: signing(operator.service, ring) for ring in ("platform", "client")}
    operator.follows("SECRET_KEY")

    operator.follows("SECRET_KEY and a copy of the database")
    world.clock.advance(NOTICED)

    assert not verifies(operator.service, token)
    assert not alice.is_signed_in()
    assert not any(grant.alive for grant in world.skyhost.server.grants.all)
    for ring, kid in old.items():
        assert signing(operator.service, ring) != kid
    world.clock.advance(3_600)
    assert alice.signs_in(ALICE).status == 200


def test_copy_of_the_database(alice: Browser, operator: Operator) -> None:
    operator.follows("A copy of the database, or a backup")

    assert "LATCHKEY_SECRET_KEY" in operator.said
    assert alice.is_signed_in()


def test_jwt_secret(
    open_service: Callable[..., Service],
    open_operator: Callable[[Service], Operator],
) -> None:
    operator = open_operator(open_service(**HS256))
    browser = operator.service.browser()
    browser.signs_in(ALICE, username="alice")
    leaked = token_of(browser)

    for kind, lines in steps("JWT_SECRET"):
        assert kind == "ini"
        operator.restarts(lines)

    assert not verifies(operator.service, leaked)
    browser.visits("/auth/login")
    token = token_of(browser)
    assert verifies(operator.service, token), "without a sign-in"
    claims = jwt.decode(
        token, NEW, algorithms=["HS256"], options={"verify_aud": False}, leeway=1e9
    )
    assert claims["username"] == "alice"


def test_token_of_a_person(alice: Browser, operator: Operator, world: World) -> None:
    token = token_of(alice)

    operator.follows("The cookie or the token of a person")
    world.clock.advance(NOTICED)

    assert not verifies(operator.service, token)
    assert not any(grant.alive for grant in world.skyhost.server.grants.all)


def test_password_of_the_database(alice: Browser, operator: Operator) -> None:
    operator.follows("The password of the database or of Redis")

    assert "signed_in" in operator.said
    assert not alice.is_signed_in()
