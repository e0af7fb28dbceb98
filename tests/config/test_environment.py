"""Settings.from_environment, its messages, and the generated reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config import VERSION, Settings, SettingsInvalid
from app.config.docs import configuration_page, env_example
from tests.config.reading import PRODUCTION, SECRET_KEY, read, refusal

ROOT = Path(__file__).resolve().parents[2]


def test_all_problems_are_reported_at_once_a_line_each():
    lines = refusal(
        TOKEN_LIFETIME="long", BIND="here", SCOPE="all", TRUSTED_PROXIES="x"
    )

    assert [line.partition(":")[0] for line in lines] == [
        "LATCHKEY_SCOPE",
        "LATCHKEY_TOKEN_LIFETIME",
        "LATCHKEY_BIND",
        "LATCHKEY_TRUSTED_PROXIES",
    ]


def test_problem_caused_by_another_is_not_reported():
    lines = refusal(PUBLIC_URL="nonsense", COOKIE_DOMAIN="platform.internal")

    assert [line.partition(":")[0] for line in lines] == ["LATCHKEY_PUBLIC_URL"]


def test_a_misspelt_variable_is_reported_with_the_nearest_name():
    (warning,) = read(COKIE_DOMAIN="platform.internal").warnings

    assert warning == (
        "LATCHKEY_COKIE_DOMAIN is not a setting; did you mean LATCHKEY_COOKIE_DOMAIN?"
    )


def test_misspelt_variable_is_reported_beside_the_missing_setting():
    lines = refusal(PRODUCTION, SECRET_KEY="", SECRET_KEI=SECRET_KEY)

    assert lines[1].startswith("LATCHKEY_SECRET_KEI is not a setting; did you mean")


def test_file_variable_of_a_setting_that_is_no_secret_is_reported():
    (warning,) = read(PUBLIC_URL_FILE="/run/secrets/url").warnings

    assert warning.startswith("LATCHKEY_PUBLIC_URL_FILE is not a setting")


def test_variables_without_our_prefix_are_ignored():
    settings = Settings.from_environment({"PUBLIC_URL": "nonsense", "HOME": "/"})

    assert settings == read()


def test_settings_from_keywords_follow_the_same_rules():
    with pytest.raises(SettingsInvalid, match="LATCHKEY_SECRET_KEY: is required"):
        Settings(public_url="https://auth.platform.internal")


def test_settings_never_change():
    with pytest.raises(AttributeError):
        read().public_url = "https://evil.org"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "write"),
    [(".env.example", env_example), ("docs/configuration.md", configuration_page)],
)
def test_written_reference_matches_the_settings(path, write):
    written = (ROOT / path).read_text(encoding="utf-8")

    assert written == write(), "run `make docs-config`"


def test_empty_variables_of_the_example_file_mean_the_defaults():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line[1:].split("=")[0] for line in lines if line.startswith("#LATCHKEY_")]
    empty = dict.fromkeys(names, "")

    assert len(names) > 25
    assert Settings.from_environment(empty) == read()


def test_the_version_is_the_projects():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1] == VERSION
