"""SECRET_KEY, _FILE, databases, the development key; no secret in a message."""

from __future__ import annotations

import base64
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import SettingsInvalid, keep_development_key
from app.config.rules import missing_packages
from tests.config.reading import PRODUCTION, SECRET_KEY, read, refusal


def test_production_needs_a_secret_key_and_says_how_to_make_one():
    (line,) = refusal(PRODUCTION, SECRET_KEY="")

    assert line.startswith("LATCHKEY_SECRET_KEY: is required with https")
    assert "secrets.token_urlsafe(32)" in line


@pytest.mark.parametrize(
    "key",
    [
        "canary",
        "canary canary canary canary canary canary!!",
        secrets.token_urlsafe(31),
        secrets.token_urlsafe(33),
        base64.b64encode(b"\xff" * 32).decode(),
        base64.urlsafe_b64encode(bytes(32)).decode(),
        "A" * 41,
    ],
    ids=["word", "words", "31 bytes", "33 bytes", "base64", "zeros", "letters"],
)
def test_secret_key_that_is_not_32_random_bytes_is_refused_without_quoting_it(key):
    (line,) = refusal(PRODUCTION, SECRET_KEY=key)

    assert line.startswith("LATCHKEY_SECRET_KEY: ")
    assert key not in line


def test_a_secret_key_may_be_padded():
    raw = secrets.token_bytes(32)

    padded = base64.urlsafe_b64encode(raw).decode()

    assert padded.endswith("=")
    assert read(PRODUCTION, SECRET_KEY=padded).secret_key == raw


def test_secret_key_fallbacks_are_listed_newest_first():
    former = [secrets.token_bytes(32) for _ in range(2)]
    text = ",".join(base64.urlsafe_b64encode(key).decode() for key in former)

    assert read(PRODUCTION, SECRET_KEY_FALLBACKS=text).secret_key_fallbacks == (
        *former,
    )


def test_secret_key_among_its_fallbacks_is_refused():
    (line,) = refusal(PRODUCTION, SECRET_KEY_FALLBACKS=SECRET_KEY)

    assert line == "LATCHKEY_SECRET_KEY_FALLBACKS: holds SECRET_KEY itself"


def test_a_secret_may_come_from_a_file(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text(f"{SECRET_KEY}\n")

    settings = read(PRODUCTION, SECRET_KEY="", SECRET_KEY_FILE=str(file))

    assert settings == read(PRODUCTION)


def test_secret_set_by_value_and_by_file_is_refused(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text(SECRET_KEY)

    (line,) = refusal(PRODUCTION, SECRET_KEY_FILE=str(file))

    assert "is set together with LATCHKEY_SECRET_KEY_FILE" in line


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not text"),
        (b"x" * 70_000, "is too long for a secret"),
    ],
)
def test_secret_file_without_a_secret_is_refused(tmp_path, content, why):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    (line,) = refusal(PRODUCTION, SECRET_KEY="", SECRET_KEY_FILE=str(file))

    assert line.startswith("LATCHKEY_SECRET_KEY: ")
    assert why in line


def test_repr_of_settings_has_no_secret(tmp_path):
    canary = secrets.token_urlsafe(32)
    url = f"postgresql://latchkey:{canary}@127.0.0.1/latchkey"

    shown = repr(
        read(PRODUCTION, TOKEN_ALGORITHM="HS256", JWT_SECRET=canary, DATABASE_URL=url)
    )

    assert canary not in shown
    assert "secret" not in shown


@pytest.mark.parametrize("url", ["sqlite:////var/lib/latchkey.db", "sqlite://"])
def test_sqlite_is_a_database(url):
    assert read(DATABASE_URL=url).database_url == url


@pytest.mark.parametrize("url", ["mysql://canary", "canary", "postgres://canary"])
def test_unknown_database_url_is_refused_without_quoting_it(url):
    (line,) = refusal(DATABASE_URL=url)

    assert line == (
        "LATCHKEY_DATABASE_URL: must begin with sqlite:/// or postgresql://"
    )


def test_unknown_rate_limit_storage_is_refused():
    (line,) = refusal(RATE_LIMIT_STORAGE="memcached://canary")

    assert line.startswith("LATCHKEY_RATE_LIMIT_STORAGE: must be memory:// or begin")


@pytest.mark.parametrize(
    ("installed", "line"),
    [
        (
            "redis",
            (
                "DATABASE_URL: PostgreSQL needs the packages of "
                "ansible/requirements-postgres.txt"
            ),
        ),
        (
            "psycopg",
            (
                "RATE_LIMIT_STORAGE: Redis needs the packages of "
                "ansible/requirements-redis.txt"
            ),
        ),
    ],
)
def test_database_or_storage_without_its_package_is_refused(installed, line):
    (problem,) = missing_packages(
        database_url="postgresql://127.0.0.1/latchkey",
        rate_limit_storage="redis://127.0.0.1",
        is_installed=lambda package: package == installed,
    )

    assert str(problem) == f"LATCHKEY_{line}"


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


def test_development_key_is_made_once_with_mode_0600(tmp_path):
    directory = tmp_path / "var"

    key = keep_development_key(directory)

    assert len(key) == 32
    assert keep_development_key(directory) == key
    assert stat.S_IMODE((directory / "secret_key").stat().st_mode) == 0o600
    assert names(directory) == {"secret_key", "secret_key.lock"}


def test_concurrent_starts_use_one_development_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(keep_development_key, [tmp_path] * 32))

    assert len(keys) == 1
    assert names(tmp_path) == {"secret_key", "secret_key.lock"}


def test_malformed_development_key_is_refused_and_not_replaced(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text("canary")
    file.chmod(0o600)

    with pytest.raises(SettingsInvalid, match="32 random bytes") as caught:
        keep_development_key(tmp_path)

    assert "canary" not in str(caught.value)
    assert file.read_text() == "canary"


def test_development_key_that_other_users_may_read_is_refused(tmp_path):
    file = tmp_path / "secret_key"
    file.write_text(SECRET_KEY)
    file.chmod(0o644)

    with pytest.raises(SettingsInvalid, match="other users may have read"):
        keep_development_key(tmp_path)
