"""`doctor` on a running deployment: behind nginx with TLS, and in development."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.laboratory import Laboratory
from tests.lab.service import ROOT

SKIPPED = {"rate limits", "grpc"}


def examine(lab: Laboratory, **settings: str) -> dict[str, list[dict[str, Any]]]:
    """Run the command with the settings of the service; return its lines by check."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "doctor", "--json"]
    done = subprocess.run(
        command,
        env={**lab.service.environment, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    by_check: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, done.stdout.splitlines()):
        by_check.setdefault(line["check"], []).append(line)
    found = [line for lines in by_check.values() for line in lines if line["why"]]
    assert done.returncode == (1 if found else 0), done.stderr
    return by_check


def found(by_check: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    return {
        check: line["what"]
        for check, lines in by_check.items()
        for line in lines
        if line["state"] == "found"
    }


def test_doctor_of_a_deployment_behind_a_proxy_finds_nothing(
    prod_like: Laboratory,
) -> None:
    by_check = examine(prod_like)

    assert found(by_check) == {}
    skipped = {name for name, lines in by_check.items() if lines[0]["state"] != "ok"}
    assert skipped <= SKIPPED | {"clock"}


def test_doctor_of_loopback_development_finds_nothing(dev: Laboratory) -> None:
    assert found(examine(dev)) == {}


def test_doctor_with_other_settings_than_the_service_names_the_difference(
    prod_like: Laboratory,
) -> None:
    by_check = examine(
        prod_like,
        LATCHKEY_TRUSTED_PROXIES="2",
        LATCHKEY_PLC_URL="http://127.0.0.1:9",
        LATCHKEY_RPC_BIND="127.0.0.1:9",
        LATCHKEY_SCOPE_MAX="atproto",
        LATCHKEY_DNS_NAMESERVERS="127.0.0.1:9",
        LATCHKEY_RETURN_HOSTS="gone.platform.internal",
    )

    assert set(found(by_check)) == {
        "proxy",
        "plc",
        "grpc",
        "metadata",
        "dns",
        "siblings",
    }
