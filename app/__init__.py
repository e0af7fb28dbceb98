"""Latchkey: sign-in for platforms whose users own their identity.

`create_app` is imported late, so that `app.atproto` can be imported without Flask.
"""

from __future__ import annotations

from typing import Any

__all__ = ["create_app"]


def create_app(*arguments: Any, **options: Any) -> Any:
    """Return the WSGI application, see `app.factory.create_app`."""
    from app.factory import create_app as create

    return create(*arguments, **options)
