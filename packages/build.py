"""Build the client library's wheel and source archive into a directory.

    python packages/latchkey-atproto/build.py dist

The package is app/atproto under another name, so it is put together first: recipe,
licence and package side by side in a directory of their own. The archive is complete;
a wheel built from it is this wheel. Needs flit_core and no network.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from flit_core import buildapi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "latchkey_atproto"
BUILDS = (buildapi.build_wheel, buildapi.build_sdist)


def build(destination: Path) -> list[Path]:
    """Build both; return where they are."""
    destination = destination.resolve()
    destination.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory:
        project = Path(directory) / NAME
        assemble(project)
        with chdir(project):  # where a build backend expects to be (PEP 517)
            names = [build_one(str(destination)) for build_one in BUILDS]
    return [destination / name for name in names]


def assemble(project: Path) -> None:
    """Put a project together that builds by itself."""
    package = project / "src" / NAME
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "app" / "atproto", package, ignore=no_caches)
    for source in (HERE / "pyproject.toml", HERE / "README.md", ROOT / "LICENSE"):
        shutil.copy(source, project)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for built in build(Path(sys.argv[1])):
        sys.stdout.write(f"{built}\n")
