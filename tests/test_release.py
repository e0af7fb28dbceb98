"""One number for a release: the service, its wheels, the changelog, the schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

import app.native
import latchkey_verify
from app.atproto.cli import failures
from app.config import VERSION
from app.stores.sql.versions import CURRENT

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "project",
    [".", *(f"packages/latchkey-{name}" for name in ("atproto", "native", "verify"))],
)
def test_project_has_the_number_of_the_release(project):
    text = (ROOT / project / "pyproject.toml").read_text(encoding="utf-8")

    assert tomllib.loads(text)["project"]["version"] == VERSION


def test_modules_of_the_wheels_have_the_number_of_the_release():
    assert failures.VERSION == VERSION
    assert app.native.__version__ == VERSION
    assert latchkey_verify.__version__ == VERSION


def test_node_package_has_the_number_of_the_release():
    text = (ROOT / "packages/latchkey-verify-js/package.json").read_text("utf-8")

    assert json.loads(text)["version"] == VERSION


def test_changelog_and_upgrade_notes_have_a_section_for_the_release():
    released = re.findall(
        r"^## (\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2}$",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    notes = (ROOT / "docs/upgrading.md").read_text(encoding="utf-8")

    assert released[0] == VERSION
    assert f"\n## {VERSION}\n" in notes


def test_schema_is_named_after_a_release_that_is_not_newer():
    numbers = [[int(part) for part in one.split(".")] for one in (CURRENT, VERSION)]

    assert numbers[0] <= numbers[1]
