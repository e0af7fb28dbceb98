"""The client library as a wheel of its own: built, installed, imported alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tarfile
import tomllib
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import app.atproto

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "packages" / "latchkey-atproto"
DECLARED = tomllib.loads((RECIPE / "pyproject.toml").read_text())["project"]
SERVICE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORT_ALL = """
import importlib, json, pkgutil
import latchkey_atproto as package

incomplete = {}
for module in pkgutil.walk_packages(package.__path__, "latchkey_atproto."):
    if not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            incomplete[module.name] = str(error)

frameworks = ["flask", "sqlalchemy", "werkzeug", "jinja2", "app"]
print(json.dumps({
    "names": sorted(package.__all__),
    "incomplete": incomplete,
    "frameworks": [name for name in frameworks if importlib.util.find_spec(name)],
}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source archive."""
    pytest.importorskip("flit_core", reason="no build backend here: make venv")
    destination = tmp_path_factory.mktemp("dist")
    result = run(sys.executable, RECIPE / "build.py", destination)
    wheel, archive = result.splitlines()
    return Path(wheel), Path(archive)


@pytest.fixture(scope="module")
def alone(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, what it asks for, and no more."""
    environment = tmp_path_factory.mktemp("alone")
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    run(sys.executable, "-m", "zipfile", "-e", built[0], packages)
    for name in closure(DECLARED["dependencies"]):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()} - {".."}:
            link = packages / top
            if not link.exists():
                link.symlink_to(str(installed.locate_file(top)))
    return environment / "bin" / "python"


def run(*command: object) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def closure(requirements: list[str]) -> set[str]:
    """What is installed when these are asked for."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        asked = waiting.pop()
        for extra in asked.extras | {""}:
            mark = f"{asked.name.lower()}[{extra}]"
            if mark in found:
                continue
            found.add(mark)
            for text in distribution(asked.name).requires or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return {mark.partition("[")[0] for mark in found}


# --- the wheel --------------------------------------------------------------------


def test_the_wheel_holds_the_library_its_types_and_its_licence(built):
    with ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    modules = {
        f"latchkey_atproto/{path.relative_to(ROOT / 'app' / 'atproto')}"
        for path in (ROOT / "app" / "atproto").rglob("*.py")
    }

    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged == modules | {"latchkey_atproto/py.typed"}
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_wheel_works_where_there_is_nothing_but_what_it_asks_for(alone):
    found = json.loads(run(alone, "-I", "-c", IMPORT_ALL))

    incomplete = found.pop("incomplete")
    assert list(incomplete) == ["latchkey_atproto.sdk"]
    assert "pip install 'latchkey-atproto[sdk]'" in incomplete["latchkey_atproto.sdk"]
    assert found == {"names": sorted(app.atproto.__all__), "frameworks": []}


def test_the_wheel_brings_the_command_line(built, alone, tmp_path):
    with ZipFile(built[0]) as wheel:
        [name] = [n for n in wheel.namelist() if n.endswith("/entry_points.txt")]
        scripts = wheel.read(name).decode()
    start = "import sys; from latchkey_atproto.__main__ import main; sys.exit(main())"
    state = tmp_path / "state"

    said = run(alone, "-I", "-c", start, "whoami", "--all", "--state-dir", state)

    assert "latchkey-atproto=latchkey_atproto.__main__:main" in scripts
    assert said == "Nobody is signed in.\n"
    assert "usage: latchkey-atproto " in run(alone, "-I", "-c", start, "--help")


def test_the_source_archive_builds_the_same_wheel(built, tmp_path):
    wheel, archive = built
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    build = f"from flit_core.buildapi import build_wheel as b; b({str(tmp_path)!r})"

    subprocess.run([sys.executable, "-c", build], cwd=project, timeout=120, check=True)

    with ZipFile(wheel) as first, ZipFile(tmp_path / wheel.name) as second:
        assert {i.filename: i.CRC for i in first.infolist()} == {
            i.filename: i.CRC for i in second.infolist()
        }


# --- what it declares -------------------------------------------------------------


def test_every_package_that_the_library_imports_is_declared():
    owners = packages_distributions()
    imported = {
        name
        for path in (ROOT / "app" / "atproto").rglob("*.py")
        for name in imports_of(path)
        if name not in sys.stdlib_module_names
    }

    extras = DECLARED["optional-dependencies"].values()
    declared = {
        Requirement(text).name
        for texts in (DECLARED["dependencies"], *extras)
        for text in texts
    }
    assert {owner.lower() for name in imported for owner in owners[name]} == declared


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_library_and_service_say_the_same_of_themselves():
    for name in ("version", "license", "requires-python"):
        assert DECLARED[name] == SERVICE[name]
    service = {Requirement(text).name: text for text in SERVICE["dependencies"]}
    library = {Requirement(text).name: text for text in DECLARED["dependencies"]}

    extras = DECLARED["optional-dependencies"]
    assert extras == {name: SERVICE["optional-dependencies"][name] for name in extras}
    shared = library.keys() & service.keys()
    assert {name: library[name] for name in shared} == {
        name: service[name] for name in shared
    }
