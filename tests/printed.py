"""Examples of the pages, run as they are printed against a service on this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.service import Service

ROOT = Path(__file__).resolve().parents[1]
ISSUER = "https://auth.example.org"
"""The service of the examples; a test puts its own address in its place."""


def shown(language: str, page: str = "README.md") -> str:
    """Return the first example of a language in a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.split(f"```{language}\n")[1].split("```")[0]


@contextmanager
def listening(
    open_service: Callable[..., Service], **settings: Any
) -> Iterator[Service]:
    """Serve the application on this machine, under the address that it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        service = open_service(
            loopback=True,
            public_url=f"http://127.0.0.1:{port}",
            token_algorithm="RS256",
            **settings,
        )
        server = make_server("127.0.0.1", port, service.app, fd=listener.fileno())
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()
