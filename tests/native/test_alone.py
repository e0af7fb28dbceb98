"""The package by itself: imports, public names, exceptions, exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import app.native
from app.native import NativeError, errors
from app.native.cli.exit_codes import Exit, exit_code

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Imports the package in a process where nothing but `requests` is at hand, tells what
# came with it, and what happens to who chooses gRPC.
ALONE = """
import importlib, pkgutil, sys

class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is not at hand here", name=name)

REFUSED = set(sys.argv[1:])
sys.meta_path.insert(0, Refuser())
import app.native as package
for module in pkgutil.walk_packages(package.__path__, "app.native."):
    if not {"__main__", "cli", "grpc_transport", "wire"} & set(module.name.split(".")):
        importlib.import_module(module.name)
print(*[name for name in sys.modules if name.startswith("app.")])
try:
    importlib.import_module("app.native.grpc_transport")
except package.TransportMissing as error:
    print(error)
print(package.open_store(package.default_directory("x")).__class__.__name__)
try:
    importlib.import_module("app.native.__main__")
except SystemExit as error:
    print(error)
"""
NOT_AT_HAND = [
    *("flask", "werkzeug", "jinja2", "click", "sqlalchemy", "psycopg", "gevent"),
    *("grpc", "google", "keyring", "dns", "jwt", "joserfc", "authlib", "cryptography"),
    *("requests_hardened", "limits"),
]


@pytest.mark.process
def test_import_works_without_the_services_packages(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", ALONE, *NOT_AT_HAND],
        cwd=ROOT,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    modules, missing, store, no_click = result.stdout.splitlines()
    assert {name.split(".")[1] for name in modules.split()} == {"native"}
    assert "grpcio" in missing
    assert store == "FileStore"
    assert "the package click" in no_click


def test_package_and_project_have_one_version():
    assert app.native.__version__ == PROJECT["version"]


def test_former_names_are_aliases():
    assert app.native.ServerUnknown is app.native.NotALatchkeyServer


def test_all_public_names_exist():
    assert len(set(app.native.__all__)) == len(app.native.__all__)
    assert all(hasattr(app.native, name) for name in app.native.__all__)


def kinds(base: type) -> set[type]:
    return {base}.union(*[kinds(kind) for kind in base.__subclasses__()])


FAILURES = {kind for kind in kinds(NativeError) if kind.__module__ == errors.__name__}


def test_every_exception_is_in_the_tree_and_public():
    drawn = re.findall(r"(?m)^    [ │├└─]*(\w+)", errors.__doc__ or "")

    assert {kind.__name__ for kind in FAILURES} == set(drawn)
    assert {kind.__name__ for kind in FAILURES} <= set(app.native.__all__)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ServerUrlInvalid", 2),
        ("LoginDenied", 3),
        ("LoginExpired", 4),
        ("AwaitTimedOut", 4),
        ("ServerUnreachable", 5),
        ("NotALatchkeyServer", 5),
        ("LoginRefused", 6),
        ("LoginSuperseded", 8),
        ("LoginCancelled", 8),
        ("SessionStoreFailed", 1),
        ("KeyringUnusable", 1),
    ],
)
def test_each_exception_has_its_exit_code(kind, code):
    error = getattr(errors, kind)
    takes_nothing = kind.startswith(("Login", "Await")) and kind != "LoginRefused"

    assert exit_code(error() if takes_nothing else error("x")) == code
    assert code in set(Exit)
