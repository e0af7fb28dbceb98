"""Every code block of a page is run by a test, or a reason says why not.

Commands of operators are read by the commands themselves, on each page.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pytest

from app.commands import Administration, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("packages/*/README.md")),
]
BLOCK = re.compile(r"(?ms)^ *```(?P<info>[^\n]*)\n(?P<text>.*?)^ *```$")

APPS = "e2e/apps/test_apps.py::test_newcomer_signs_up_on_the_way_to_the_app"
PRESETS = (
    "flows/provider/test_presets.py"
    "::test_page_shows_the_configuration_that_the_preset_prints"
)
PROXIES = (
    "proxies/test_proxies.py"
    "::test_person_is_named_and_what_the_client_says_is_not_passed"
)
CACHE = "proxies/test_proxies.py::test_cache_answers_repeated_requests_and_no_others"
NGINX = "proxies/test_proxies.py::test_nginx_takes_what_other_pages_print"
SAMPLE = (
    "e2e/test_platform.py"
    "::test_one_sign_in_is_known_and_one_sign_out_is_noticed_on_every_host"
)
SNIPPETS = "e2e/test_native_snippets.py::test_the_program_signs_in_and_calls_a_service"
NODE = "verify/test_node.py::test_express_and_hono_programs_greet_or_refuse"
EXAMPLES = "verify/test_examples.py::"

RUN: dict[str, tuple[int, str]] = {
    "README.md python": (
        1,
        "test_readme_verification.py::test_who_is_it_with_garbage_returns_none",
    ),
    "README.md js": (
        1,
        (
            "test_readme_verification.py"
            "::test_who_is_it_in_javascript_survives_clocks_garbage_and_outage"
        ),
    ),
    "docs/apps.md toml": (1, APPS),
    "docs/apps.md apacheconf": (1, APPS),
    "docs/apps.md ini": (2, PRESETS),
    "docs/apps.md py": (1, APPS),
    "docs/apps.md yaml": (1, PRESETS),
    "docs/apps.md python": (
        1,
        (
            "e2e/apps/test_apps.py"
            "::test_app_of_make_app_signs_in_is_removed_and_asks_again"
        ),
    ),
    "docs/async.md python": (
        1,
        (
            "e2e/test_async_page.py"
            "::test_the_application_signs_in_writes_a_record_and_signs_out"
        ),
    ),
    "docs/cli.md": (7, "atproto/cli/test_page.py::test_the_page_shows_what_is_printed"),
    "docs/deployment.md nginx": (1, NGINX),
    "docs/several-nodes.md nginx": (1, NGINX),
    "docs/events.md python": (
        1,
        (
            "journeys/test_events_page.py"
            "::test_printed_consumer_handles_each_event_and_goes_on_where_it_stopped"
        ),
    ),
    "docs/events.md bash": (
        1,
        "journeys/test_events_page.py::test_printed_curl_reads_the_events",
    ),
    "docs/forward-auth.md nginx": (1, PROXIES),
    "docs/forward-auth.md nginx upstream": (1, PROXIES),
    "docs/forward-auth.md nginx cache": (1, CACHE),
    "docs/forward-auth.md nginx cached": (1, CACHE),
    "docs/forward-auth.md caddyfile": (1, PROXIES),
    "docs/forward-auth.md lua": (1, PROXIES),
    "docs/forward-auth.md haproxy": (1, PROXIES),
    "docs/grpc.md python": (
        1,
        "rpc/test_journeys.py::test_the_example_of_the_page_signs_a_person_in",
    ),
    "docs/library.md python": (
        12,
        "atproto/test_library_page.py::test_the_page_does_what_it_says",
    ),
    "docs/native-client.md": (
        1,
        "native/test_page.py::test_page_commands_print_what_it_shows",
    ),
    "docs/native-client.md python": (
        3,
        "native/test_page.py::test_page_code_signs_in_and_out",
    ),
    "docs/native-snippets.md python": (1, SNIPPETS),
    "docs/native-snippets.md javascript": (1, SNIPPETS),
    "docs/native-snippets.md go": (1, SNIPPETS),
    "docs/platform.md html": (1, SAMPLE),
    "docs/platform.md python": (1, SAMPLE),
    "docs/platform.md js": (1, SAMPLE),
    "docs/services-safely.md python csrf": (
        1,
        EXAMPLES + "test_csrf_program_takes_forms_of_its_own_pages_alone",
    ),
    "docs/services-safely.md python websocket": (
        1,
        EXAMPLES + "test_websocket_program_accepts_its_own_pages_alone",
    ),
    "docs/services.md python": (
        1,
        EXAMPLES + "test_flask_program_greets_or_leads_to_the_sign_in",
    ),
    "docs/services.md python fastapi": (
        1,
        EXAMPLES + "test_fastapi_program_greets_or_answers_401",
    ),
    "docs/services.md python django": (
        1,
        EXAMPLES + "test_django_program_greets_or_leads_to_the_sign_in",
    ),
    "docs/services.md js express": (1, NODE),
    "docs/services.md js hono": (1, NODE),
    "docs/services.md js": (
        1,
        (
            "journeys/test_static_page.py"
            "::test_script_of_a_static_page_tells_who_it_is_and_leads_to_the_login"
        ),
    ),
    "docs/xrpc.md js": (
        1,
        (
            "journeys/test_calls_page.py"
            "::test_page_without_a_permission_asks_once_for_all_and_keeps_the_draft"
        ),
    ),
    "docs/xrpc.md python": (
        1,
        "test_docs.py::test_the_example_of_a_call_writes_a_record",
    ),
    "packages/latchkey-verify/README.md python": (
        1,
        "verify/test_agreement.py::test_printed_lines_of_the_package_run",
    ),
    "packages/latchkey-verify-go/README.md go": (
        1,
        (
            "verify/test_attacks.py"
            "::test_own_tests_of_the_go_file_pass_and_the_printed_program_compiles"
        ),
    ),
    "packages/latchkey-verify-js/README.md js": (
        1,
        "verify/test_node.py::test_printed_lines_know_the_person_until_the_sign_out",
    ),
}
"""By page and language: how many blocks there are, and the test that runs them."""

COMMANDS = "its commands are read below; a deployed host runs them"
SHOWN = "shows what is sent or printed, or how files lie"

NOT_RUN: dict[str, tuple[int, str]] = {
    "README.md": (4, "three targets of make, and how files lie"),
    "README.md sh": (1, COMMANDS),
    "docs/appearance.md": (1, SHOWN),
    "docs/apps.md sh": (7, COMMANDS),
    "docs/architecture.md": (1, SHOWN),
    "docs/architecture.md python": (1, "how calls follow each other, with dots in it"),
    "docs/async.md": (1, "builds the wheel, as tests/test_wheels.py does"),
    "docs/async.md sql": (1, "one statement for a store of another program"),
    "docs/deployment.md": (1, SHOWN),
    "docs/deployment.md sh": (12, COMMANDS),
    "docs/deployment.md ini": (1, "a setting of journald"),
    "docs/events.md sh": (1, COMMANDS),
    "docs/events.md json": (1, SHOWN),
    "docs/forward-auth.md yaml": (
        2,
        "no packages of Debian; the page says what was tried",
    ),
    "docs/grpc.md sh": (2, "grpcurl, as e2e/test_grpc.py does; and a compiler"),
    "docs/health.md": (1, SHOWN),
    "docs/health.md sh": (1, COMMANDS),
    "docs/health.md json": (1, SHOWN),
    "docs/keys.md sh": (3, COMMANDS),
    "docs/library.md": (2, "builds and installs wheels, as tests/test_wheels.py does"),
    "docs/logs.md": (3, "a search, and one line each of nginx and Caddy"),
    "docs/metrics.md yaml": (1, "where Prometheus finds the service"),
    "docs/native-client.md sh": (1, "installs a wheel, as tests/test_wheels.py does"),
    "docs/native.md": (2, SHOWN),
    "docs/people.md sh": (5, COMMANDS),
    "docs/permissions.md": (1, SHOWN),
    "docs/permissions.md json": (1, SHOWN),
    "docs/platform.md sh": (1, "starts the laboratory, as the end-to-end tests do"),
    "docs/provider.md sh": (5, COMMANDS),
    "docs/several-nodes.md yaml": (1, "an inventory, as tests/deploy writes one"),
    "docs/several-nodes.md sh": (1, "the playbook, which tests/deploy runs"),
    "docs/xrpc.md": (2, SHOWN),
}
"""Blocks that no test runs, and why."""


def blocks() -> Iterator[tuple[str, str]]:
    """Yield page and language of each block, and its text."""
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            name = f"{page.relative_to(ROOT)} {block['info']}".strip()
            yield name, block["text"]


def test_each_block_is_run_or_has_a_reason() -> None:
    assert not RUN.keys() & NOT_RUN.keys()
    told = {name: count for name, (count, _) in (RUN | NOT_RUN).items()}

    assert Counter(name for name, _ in blocks()) == told


@pytest.mark.parametrize("test", sorted({test for _, test in RUN.values()}))
def test_test_of_a_block_exists(test: str) -> None:
    file, _, name = test.partition("::")
    code = (ROOT / "tests" / file).read_text(encoding="utf-8")

    assert re.search(rf"(?m)^(async )?def {name}\(", code)


COMMAND = re.compile(r"(?m)^(?:\$ )?(?:sudo )?(?:latchkey|flask --app wsgi) (.*)$")


def printed_commands() -> list[str]:
    """Return what operators are told to type, without comments and redirections."""
    return [
        shlex.join(shlex.split(re.split(" >", line)[0], comments=True))
        for _, text in blocks()
        for line in COMMAND.findall(text.replace("\\\n", " "))
    ]


def parsed(line: str) -> None:
    """Read a command line as the command does. Raises `click.UsageError`."""
    # Making the commands reads nothing of the administration; running them does.
    administration = cast("Administration", None)
    command: click.Command = click.Group(
        commands={
            each.name or "": each for each in commands(administration, release="")
        }
    )
    words = shlex.split(line.replace("PRESET", "generic"))
    parent = None
    while isinstance(command, click.Group):
        if not words or words[0] not in command.commands:
            break
        parent = click.Context(command, info_name=words[0], parent=parent)
        command = command.commands[words.pop(0)]
    with suppress(click.exceptions.Exit):  # --help
        command.make_context("latchkey", words, parent=parent)


def test_printed_commands_are_found() -> None:
    assert len(printed_commands()) > 35


@pytest.mark.parametrize("line", sorted(set(printed_commands())))
def test_printed_command_is_taken(line: str) -> None:
    parsed(line)
