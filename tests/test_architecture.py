"""The layout that the README draws: what imports what, what runs without what."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Imports a package with everything below it, where some names cannot be imported: a
# finder that stands before all others refuses them.
IMPORT_WITHOUT = """
import importlib
import pkgutil
import sys

class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is not at hand here")

REFUSED = set(sys.argv[2:])
sys.meta_path.insert(0, Refuser())
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    is_command_line = "cli" in module.name.split(".")
    if module.name.endswith(".__main__") or ("click" in REFUSED and is_command_line):
        continue
    importlib.import_module(module.name)
"""

FRAMEWORKS = ["flask", "werkzeug", "jinja2", "sqlalchemy", "grpc", "click", "gevent"]


def import_without(module: str, refused: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, module, *refused],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.process
def test_the_client_library_works_without_any_framework():
    result = import_without("app.atproto", FRAMEWORKS)

    assert result.returncode == 0, result.stderr


@pytest.mark.process
def test_the_command_line_of_the_library_needs_click_alone():
    refused = [name for name in FRAMEWORKS if name != "click"]

    result = import_without("app.atproto", refused)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("layer", ["app.tokens", "app.flows", "app.failures"])
@pytest.mark.process
def test_the_rules_of_the_service_work_without_any_framework(layer):
    result = import_without(layer, FRAMEWORKS)

    assert result.returncode == 0, result.stderr


@pytest.mark.process
def test_grpc_is_served_without_the_web_and_without_a_database():
    refused = [name for name in FRAMEWORKS if name != "grpc"]

    result = import_without("app.rpc", refused)

    assert result.returncode == 0, result.stderr


@pytest.mark.process
def test_the_front_end_does_need_its_framework():
    result = import_without("app.blueprints", FRAMEWORKS)

    assert result.returncode != 0
    assert "is not at hand here" in result.stderr


@pytest.mark.process
def test_every_import_contract_holds():
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stdout
    assert " 0 broken" in result.stdout


def test_gunicorn_conf_imports_names_that_exist() -> None:
    """Only a started server reads the file, and no quick test starts one."""
    tree = ast.parse((ROOT / "gunicorn.conf.py").read_text(encoding="utf-8"))
    imported = [
        (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app")
        for alias in node.names
    ]

    assert imported
    for module, name in imported:
        assert hasattr(importlib.import_module(module), name), (module, name)


def test_folders_of_app_have_at_most_sixteen_modules() -> None:
    folders = {path.parent for path in (ROOT / "app").rglob("*.py")}
    modules = {
        str(folder.relative_to(ROOT)): sum(
            path.name != "__init__.py" for path in folder.glob("*.py")
        )
        for folder in folders
    }

    assert {name: count for name, count in modules.items() if count > 16} == {}
