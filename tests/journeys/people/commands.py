"""Runs the operator's commands on a service of the tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from click.testing import Result

    from tests.service import Service


def runs(service: Service, *arguments: str, answer: str = "") -> Result:
    """Run a command; `answer` is typed at its question."""
    runner = service.app.test_cli_runner(env={"SUDO_USER": "carol"})
    return runner.invoke(args=list(arguments), input=answer)


def prints(service: Service, *arguments: str) -> list[Any]:
    """Run a command with --json, and return what it prints on stdout."""
    result = runs(service, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def adds_client(service: Service, *arguments: str) -> dict[str, Any]:
    """Have an operator register an app; return what is printed."""

    def play() -> dict[str, Any]:
        [added] = prints(service, "clients", "add", *arguments)
        return added

    return service.steps.take(f"clients add {arguments}", play)


def events(service: Service, name: str) -> list[tuple[Any, dict[str, Any]]]:
    """Return DID and detail of the audit events of a name, the oldest first."""
    found = service.rows(
        "SELECT did, detail FROM audit_events WHERE event = ? ORDER BY id", name
    )
    return [(did, json.loads(detail)) for did, detail in found]
