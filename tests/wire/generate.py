"""Writes the Python files of `app/wire` from its .proto: `make proto`.

The compiler imports the messages from the root of the .proto files; ours lies inside a
package, so that one import is made relative. The descriptor keeps the .proto's name,
`latchkey/v1/auth.proto`: an app may hold files of its own that were made from it.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

WIRE = Path(__file__).resolve().parents[2] / "app" / "wire"
PROTO = "latchkey/v1/auth.proto"

ABSOLUTE = "from latchkey.v1 import auth_pb2"
RELATIVE = "from . import auth_pb2"


def generate(target: Path) -> list[Path]:
    """Write the messages, their types and the service's stubs below `target`."""
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={WIRE}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--grpc_python_out={target}",
            PROTO,
        ]
    )
    if status:
        raise SystemExit(status)
    folder = (target / PROTO).parent
    stubs = folder / "auth_pb2_grpc.py"
    stubs.write_text(stubs.read_text("utf-8").replace(ABSOLUTE, RELATIVE), "utf-8")
    return [folder / "auth_pb2.py", folder / "auth_pb2.pyi", stubs]


if __name__ == "__main__":
    for path in generate(WIRE):
        print(path.relative_to(Path.cwd()), file=sys.stderr)
