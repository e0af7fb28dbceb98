"""Build the wheel and the source archive of a package of this repository.

    python packages/build.py packages/latchkey-atproto dist

A recipe is a folder with a pyproject.toml and a README. Its `tool.latchkey.source` is
the package's folder in this repository, which has another name there. So the project is
assembled first: recipe, licence and package side by side in a temporary directory. The
archive is complete: a wheel built from it is the same. Needs flit_core and no network.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from flit_core import buildapi

ROOT = Path(__file__).resolve().parents[1]
BUILDS = (buildapi.build_wheel, buildapi.build_sdist)


def build(recipe: Path, destination: Path) -> list[Path]:
    """Build both; return their paths."""
    recipe, destination = recipe.resolve(), destination.resolve()
    destination.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory:
        project = Path(directory) / recipe.name
        assemble(recipe, project)
        with chdir(project):  # where a build backend expects to be (PEP 517)
            names = [build_one(str(destination)) for build_one in BUILDS]
    return [destination / name for name in names]


def assemble(recipe: Path, project: Path) -> None:
    """Assemble a project that builds by itself; links become the files they name."""
    tool = tomllib.loads((recipe / "pyproject.toml").read_text("utf-8"))["tool"]
    package = project / "src" / tool["flit"]["module"]["name"]
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / tool["latchkey"]["source"], package, ignore=no_caches)
    for source in (recipe / "pyproject.toml", recipe / "README.md", ROOT / "LICENSE"):
        shutil.copy(source, project)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for built in build(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.write(f"{built}\n")
