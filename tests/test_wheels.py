"""The packages of packages/ as wheels: built, installed alone, imported, run."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import packages_distributions
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import app.atproto
import app.native
import latchkey_verify
from tests.wheel import ROOT, Package, run

pytestmark = pytest.mark.process

SERVICE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIBRARY, NATIVE = Package("latchkey-atproto"), Package("latchkey-native")
VERIFY = Package("latchkey-verify")
PACKAGES = pytest.mark.parametrize(
    "package", [LIBRARY, NATIVE, VERIFY], ids=lambda p: p.name
)
LOADED_BY_NAME = {"keyring"}

IMPORT_ALL = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])

incomplete = {}
for module in pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}."):
    if not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            incomplete[module.name] = str(error)

others = ["flask", "sqlalchemy", "werkzeug", "jinja2", "app"]
print(json.dumps({
    "names": sorted(package.__all__),
    "incomplete": incomplete,
    "others": [name for name in others if importlib.util.find_spec(name)],
}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a function that builds a package once: its wheel, its source archive."""
    pytest.importorskip("flit_core", reason="no build backend here: make venv")
    made = {}

    def build(package):
        if package not in made:
            made[package] = package.build(tmp_path_factory.mktemp("dist"))
        return made[package]

    return build


@pytest.fixture(scope="module")
def alone(built, tmp_path_factory):
    """Return a function that installs a package and what it requires, once."""
    made = {}

    def install(package, *extras):
        if (package, extras) not in made:
            wheel, _ = built(package)
            folder = tmp_path_factory.mktemp("alone")
            made[package, extras] = package.install(wheel, folder, *extras)
        return made[package, extras]

    return install


# --- the wheels -------------------------------------------------------------------


@PACKAGES
def test_wheel_holds_the_package_its_types_and_its_licence(built, package):
    with ZipFile(built(package)[0]) as wheel:
        names = set(wheel.namelist())
    modules = {
        f"{package.module}/{path.relative_to(package.source)}" for path in package.files
    }

    packaged = {name for name in names if ".dist-info/" not in name}
    assert {name for name in packaged if name.endswith(".py")} == modules
    assert f"{package.module}/py.typed" in packaged
    assert any(name.endswith("/LICENSE") for name in names)


@PACKAGES
def test_source_archive_builds_the_same_wheel(built, package, tmp_path):
    wheel, archive = built(package)
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    build = f"from flit_core.buildapi import build_wheel as b; b({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", build], cwd=project, timeout=120, check=True)

    with ZipFile(wheel) as first, ZipFile(tmp_path / wheel.name) as second:
        assert {i.filename: i.CRC for i in first.infolist()} == {
            i.filename: i.CRC for i in second.infolist()
        }


def test_library_wheel_alone_imports_all_but_its_extras(alone):
    found = json.loads(run(alone(LIBRARY), "-I", "-c", IMPORT_ALL, "latchkey_atproto"))

    incomplete = found.pop("incomplete")
    assert list(incomplete) == ["latchkey_atproto.aio", "latchkey_atproto.sdk"]
    assert "pip install 'latchkey-atproto[aio]'" in incomplete["latchkey_atproto.aio"]
    assert "pip install 'latchkey-atproto[sdk]'" in incomplete["latchkey_atproto.sdk"]
    assert found == {"names": sorted(app.atproto.__all__), "others": []}


def test_library_wheel_with_aio_imports_all_but_the_sdk_adapters(alone):
    python = alone(LIBRARY, "aio")

    found = json.loads(run(python, "-I", "-c", IMPORT_ALL, "latchkey_atproto"))

    incomplete = found.pop("incomplete")
    assert list(incomplete) == ["latchkey_atproto.aio.sdk", "latchkey_atproto.sdk"]
    for message in incomplete.values():
        assert "pip install 'latchkey-atproto[sdk]'" in message


def test_native_wheel_alone_imports_all_but_its_extras(alone):
    found = json.loads(run(alone(NATIVE), "-I", "-c", IMPORT_ALL, "latchkey_native"))

    incomplete = found.pop("incomplete")
    extras = tuple(
        f"latchkey_native.{name}" for name in ("cli", "grpc", "transports.grpc", "wire")
    )
    assert incomplete
    assert all(name.startswith(extras) for name in incomplete)
    assert found == {"names": sorted(app.native.__all__), "others": []}


def test_verify_wheel_alone_imports_all_but_flask(alone):
    found = json.loads(run(alone(VERIFY), "-I", "-c", IMPORT_ALL, "latchkey_verify"))

    assert list(found.pop("incomplete")) == ["latchkey_verify.flask"]
    assert found == {"names": sorted(latchkey_verify.__all__), "others": []}


def test_native_wheel_with_extras_imports_all(alone):
    python = alone(NATIVE, "cli", "grpc", "keyring")

    found = json.loads(run(python, "-I", "-c", IMPORT_ALL, "latchkey_native"))

    assert found["incomplete"] == {}


# --- their command lines ----------------------------------------------------------


@pytest.mark.parametrize("package", [LIBRARY, NATIVE], ids=lambda p: p.name)
def test_wheel_declares_its_command(built, package):
    with ZipFile(built(package)[0]) as wheel:
        [name] = [n for n in wheel.namelist() if n.endswith("/entry_points.txt")]
        scripts = wheel.read(name).decode()

    assert f"{package.name}={package.module}.__main__:main" in scripts


def start(package: Package) -> str:
    return f"import sys; from {package.module}.__main__ import main; sys.exit(main())"


def test_library_command_runs_alone(alone, tmp_path):
    command = [alone(LIBRARY), "-I", "-c", start(LIBRARY)]

    said = run(*command, "whoami", "--all", "--state-dir", tmp_path / "state")

    assert said == "Nobody is signed in.\n"
    assert "usage: latchkey-atproto " in run(*command, "--help")


def test_native_command_runs_with_its_extra(alone, tmp_path):
    command = [alone(NATIVE, "cli"), "-I", "-c", start(NATIVE)]

    said = run(*command, "logout", "--json", "--state-dir", tmp_path / "state")

    assert json.loads(said) == {"was_signed_in": False}
    assert run(*command, "--version") == f"{SERVICE['version']}\n"


def test_native_command_without_its_extra_names_click(alone):
    script = f"try:\n import {NATIVE.module}.__main__\nexcept SystemExit as e: print(e)"

    assert "the package click" in run(alone(NATIVE), "-I", "-c", script)


# --- what they declare ------------------------------------------------------------


@PACKAGES
def test_every_import_is_declared_and_every_declaration_imported(package):
    owners = packages_distributions()
    extras = package.project["optional-dependencies"].values()
    declared = {
        Requirement(text).name
        for texts in (package.project["dependencies"], *extras)
        for text in texts
    }

    used = {owner.lower() for name in package.imports() for owner in owners[name]}
    undeclared = [
        name
        for name in package.imports()
        if not declared & {owner.lower() for owner in owners[name]}
    ]
    assert undeclared == []
    assert declared - used <= LOADED_BY_NAME


@PACKAGES
def test_package_and_service_declare_the_same(package):
    for name in ("version", "license", "requires-python"):
        assert package.project[name] == SERVICE[name]
    service = {Requirement(text).name: text for text in SERVICE["dependencies"]}
    optional = SERVICE["optional-dependencies"]
    extras = package.project["optional-dependencies"]
    required = [
        *package.project["dependencies"],
        *(t for e in extras.values() for t in e),
    ]
    library = {Requirement(text).name: text for text in required}

    assert {name: texts for name, texts in extras.items() if name in optional} == {
        name: texts for name, texts in optional.items() if name in extras
    }
    shared = library.keys() & service.keys()
    assert {name: library[name] for name in shared} == {
        name: service[name] for name in shared
    }
