"""The command line: discovery, exit codes, and errors in a form for scripts."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.atproto import errors
from app.atproto.cli.failures import EXPECTED, PROGRAM, Exit, explain
from app.atproto.cli.program import COMMANDS
from tests.atproto.terminal import Terminal
from tests.fakes import faults
from tests.fakes.world import plc_did

if TYPE_CHECKING:
    from tests.fakes.world import World


ROOT = Path(__file__).resolve().parents[3]
RECIPE = ROOT / "packages" / "latchkey-atproto" / "pyproject.toml"


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    return Terminal(world, tmp_path)


# --- discover -----------------------------------------------------------------------


@pytest.mark.parametrize("by", ["handle", "did", "url"])
def test_discover_says_where_an_account_is(
    terminal: Terminal, world: World, by: str
) -> None:
    alice = world.alice
    typed = {
        "handle": alice.handle,
        "did": alice.did,
        "url": f"https://skyhost.social/profile/{alice.handle}",
    }

    ended = terminal.runs("discover", typed[by], "--json")

    found = ended.json
    assert (found["did"], found["handle"]) == (alice.did, alice.handle)
    assert found["pds"] == "https://pds.skyhost.social"
    assert found["protected_resource"] == {
        "resource": "https://pds.skyhost.social",
        "authorization_servers": ["https://as.skyhost.social"],
    }
    assert found["authorization_server"]["issuer"] == "https://as.skyhost.social"


@pytest.mark.parametrize("typed", ["https://as.skyhost.social", "as.skyhost.social"])
def test_discover_takes_a_host_with_and_without_its_scheme(
    terminal: Terminal, world: World, typed: str
) -> None:
    world.network.lay(
        "https://as.skyhost.social/.well-known/atproto-did", faults.Says(404, b"", {})
    )

    ended = terminal.runs("discover", typed, "--json")

    assert ended.json["did"] is None
    assert ended.json["protected_resource"] is None
    assert ended.json["authorization_server"]["issuer"] == "https://as.skyhost.social"


def test_discover_is_read_by_people(terminal: Terminal, world: World) -> None:
    ended = terminal.runs("discover", world.alice.handle)

    rows = dict(line.split(maxsplit=1) for line in ended.text.splitlines())
    assert rows["DID"] == world.alice.did
    assert rows["PDS"] == "https://pds.skyhost.social"
    assert rows["issuer"] == "https://as.skyhost.social"


# --- exit codes ---------------------------------------------------------------------


def breaks(world: World) -> None:
    world.skyhost.pds.document = {"resource": "https://pds.other.social"}


def unplugs(world: World) -> None:
    world.network.unplug("pds.skyhost.social")


def has_no_oauth(world: World) -> None:
    url = "https://pds.skyhost.social/.well-known/oauth-protected-resource"
    world.network.lay(url, faults.Says(404, b"", {}))


def lacks_a_home(world: World) -> None:
    world.home("unknown.skyhost.social")


@pytest.mark.parametrize(
    ("typed", "trouble", "code", "error"),
    [
        ("alice.skyhost.social", unplugs, 5, "host_unreachable"),
        ("alice.skyhost.social", breaks, 7, "server_invalid"),
        ("alice.skyhost.social", has_no_oauth, 7, "host_without_oauth"),
        ("unknown.skyhost.social", lacks_a_home, 9, "handle_not_found"),
        (plc_did("unknown"), lacks_a_home, 9, "account_not_found"),
        ("two words", lacks_a_home, 2, "invalid_identifier"),
        ("did:foo:bar", lacks_a_home, 2, "invalid_identifier"),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    terminal: Terminal, world: World, typed: str, trouble, code: int, error: str
) -> None:
    trouble(world)

    plain = terminal.runs("login", typed)
    ended = terminal.runs("login", typed, "--json")

    assert plain.code == ended.code == code
    assert plain.text == ""
    assert plain.noise
    assert ended.json["error"] == error
    assert ended.json["error_description"]


def test_a_mistyped_handle_is_proposed(terminal: Terminal) -> None:
    ended = terminal.runs("login", "alice@skyhost.social", "--json")

    assert ended.code == 2
    assert ended.json["suggestion"] == "alice.skyhost.social"
    assert "Did you mean alice.skyhost.social?" in ended.json["error_description"]


def test_invalid_scope_is_refused_before_any_request(
    terminal: Terminal, world: World
) -> None:
    for scope in ("", "repo:app.relay.track", "atproto  two", "atproto openid"):
        ended = terminal.runs("login", world.alice.handle, "--scope", scope)
        assert ended.code == 2
    assert not world.network.log


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["login"],
        ["login", "a.b", "c.d"],
        ["whoami", "--frobnicate"],
        ["call"],
        ["call", "a.b.c", "--method", "PUT"],
        ["login", "a.b", "--timeout", "0"],
        ["login", "a.b", "--timeout", "soon"],
        ["whoami", "--ca-bundle", "/nowhere"],
        ["whoami", "--plc-url", "nowhere"],
        ["whoami", "--dns-nameservers", "dns.example.org"],
        ["whoami", "--dns-nameservers", "999.1.1.1"],
        ["whoami", "--account"],
    ],
    ids=" ".join,
)
def test_invalid_command_line_is_reported_as_text_and_json(
    terminal: Terminal, words: list[str]
) -> None:
    plain = terminal.runs(*words)
    ended = terminal.runs("--json", *words)

    assert plain.code == ended.code == 2
    assert "--help" in plain.noise
    assert ended.json["error"] == "invalid_usage"


def test_missing_argument_message_names_required_ones_only(terminal: Terminal) -> None:
    assert terminal.runs("call").noise.startswith(
        "the following arguments are required: NSID."
    )


@pytest.mark.parametrize("words", [[], *([one.name] for one in COMMANDS)], ids=str)
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_answer_and_do_nothing_else(
    terminal: Terminal,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    flag: str,
) -> None:
    ended = terminal.runs(*words, flag)

    said = capsys.readouterr().out
    start = f"usage: {PROGRAM}" if flag == "--help" else "latchkey-atproto 0."
    assert (ended.code, said.startswith(start)) == (0, True)
    assert not terminal.asked
    assert not terminal.state.exists()


def test_version_is_that_of_the_distribution(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = tomllib.loads(RECIPE.read_text())["project"]["version"]

    terminal.runs("--version")

    assert capsys.readouterr().out == f"latchkey-atproto {declared}\n"


def test_a_setting_of_the_environment_is_judged_as_well(terminal: Terminal) -> None:
    for name, value in (
        ("LAB_NETWORK", "perhaps"),
        ("PLC_URL", "nowhere"),
        ("CA_BUNDLE", "/nowhere"),
        ("DNS_NAMESERVERS", "x"),
    ):
        terminal.environ = {f"LATCHKEY_{name}": value}
        assert terminal.runs("whoami").code == 2


# --- the table ----------------------------------------------------------------------


def leaves() -> list[type[BaseException]]:
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind)
        and issubclass(kind, errors.AtprotoError)
        and not kind.__subclasses__()
    ]


@pytest.mark.parametrize("kind", leaves(), ids=lambda kind: kind.__name__)
def test_every_failure_of_the_library_has_a_name_of_its_own(
    kind: type[BaseException],
) -> None:
    failure = explain(kind.__new__(kind, "x"))

    assert failure.error != "failed"
    assert failure.exit != Exit.OK


def test_unexpected_exceptions_are_not_explained() -> None:
    assert not issubclass(ValueError, EXPECTED)
    assert not issubclass(SystemExit, EXPECTED)
