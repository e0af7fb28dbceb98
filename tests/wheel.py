"""A package of packages/: its recipe, its wheel, and an environment with it alone."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Package:
    """A recipe in packages/, and the folder that it makes a distribution of."""

    name: str

    @cached_property
    def recipe(self) -> Path:
        return ROOT / "packages" / self.name

    @cached_property
    def tool(self) -> dict[str, Any]:
        return self._document["tool"]

    @cached_property
    def project(self) -> dict[str, Any]:
        return self._document["project"]

    @cached_property
    def source(self) -> Path:
        return ROOT / self.tool["latchkey"]["source"]

    @cached_property
    def module(self) -> str:
        return self.tool["flit"]["module"]["name"]

    @cached_property
    def files(self) -> list[Path]:
        """Python files, those behind links as well."""
        folders = [
            self.source,
            *(each for each in self.source.iterdir() if is_link(each)),
        ]
        return sorted({path for each in folders for path in each.rglob("*.py")})

    @cached_property
    def _document(self) -> dict[str, Any]:
        return tomllib.loads((self.recipe / "pyproject.toml").read_text("utf-8"))

    def build(self, destination: Path) -> tuple[Path, Path]:
        """Return the wheel and the source archive."""
        builder = ROOT / "packages" / "build.py"
        wheel, archive = run(
            sys.executable, builder, self.recipe, destination
        ).splitlines()
        return Path(wheel), Path(archive)

    def install(self, wheel: Path, environment: Path, *extras: str) -> Path:
        """Return a Python with the wheel and what it and its extras require alone."""
        venv.create(environment, with_pip=False, symlinks=True)
        (packages,) = environment.glob("lib/python*/site-packages")
        run(sys.executable, "-m", "zipfile", "-e", wheel, packages)
        optional = self.project["optional-dependencies"]
        required = [text for extra in extras for text in optional[extra]]
        for name in closure([*self.project["dependencies"], *required]):
            installed = distribution(name)
            for top in {file.parts[0] for file in installed.files or ()} - {".."}:
                link = packages / top
                if not link.exists():
                    link.symlink_to(str(installed.locate_file(top)))
        return environment / "bin" / "python"

    def imports(self) -> set[str]:
        """Return the packages that its files import, without the standard library."""
        return {
            name
            for path in self.files
            for name in imports_of(path)
            if name not in sys.stdlib_module_names
        }


def is_link(path: Path) -> bool:
    return path.is_symlink() and path.is_dir()


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
    """Return the distributions that these requirements install."""
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


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
