"""The locks: every package by version and hashes; extras agree with the service."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)", re.MULTILINE)
EXTRAS = ["postgres", "redis"]


def lock_of(name: str) -> str:
    path = (
        "requirements.txt" if name == "service" else f"ansible/requirements-{name}.txt"
    )
    return (ROOT / path).read_text("utf-8")


def versions(name: str) -> dict[str, str]:
    return {found["name"]: found["version"] for found in PINNED.finditer(lock_of(name))}


@pytest.mark.parametrize("name", ["service", "deploy", *EXTRAS])
def test_every_package_of_a_lock_has_hashes(name: str) -> None:
    blocks = re.split(r"^(?=\S+==)", lock_of(name), flags=re.MULTILINE)[1:]

    assert blocks
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_lock_of_an_extra_has_what_the_extra_asks_for(extra: str) -> None:
    locked = versions(extra)

    for line in PROJECT["optional-dependencies"][extra]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(locked[wanted.name])


@pytest.mark.parametrize("extra", EXTRAS)
def test_lock_of_an_extra_agrees_with_that_of_the_service(extra: str) -> None:
    """They are installed together: two versions of a package would be refused."""
    service, added = versions("service"), versions(extra)

    for name in service.keys() & added.keys():
        assert added[name] == service[name]
