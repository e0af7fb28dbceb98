"""gunicorn's settings as plain attributes, in a worker that is about to serve."""

from __future__ import annotations

from typing import Any


def settle(cfg: Any) -> None:
    """Keep each setting's value on the configuration itself.

    gunicorn looks thirty of them up for each request, by two calls each, which is an
    eighth of what /auth/verify takes. A worker's never change: a reload starts others.
    """
    values = {name: setting.get() for name, setting in cfg.settings.items()}
    # Those that a property of gunicorn's computes stay computed.
    vars(cfg).update((n, v) for n, v in values.items() if not hasattr(type(cfg), n))
