"""Latchkey: sign-in for platforms whose users own their identity.

What starts it is imported late, so that `app.atproto` can be imported without Flask.
"""

from __future__ import annotations

from typing import Any

__all__ = ["create_app", "serve_metrics", "serve_rpc", "version"]


def create_app(*arguments: Any, **options: Any) -> Any:
    """Return the WSGI application, see `app.factory.web.create_app`."""
    from app.factory.web import create_app as create

    return create(*arguments, **options)


def serve_rpc() -> None:
    """Serve gRPC until told to stop, see `app.factory.rpc.serve_rpc`."""
    from app.factory.rpc import serve_rpc as serve

    serve()


def serve_metrics() -> None:
    """Serve metrics, see `app.factory.metrics.serve_metrics`."""
    from app.factory.metrics import serve_metrics as serve

    serve()


def version() -> str:
    """Return the version of the service."""
    from app.factory.rpc import version as read

    return read()
