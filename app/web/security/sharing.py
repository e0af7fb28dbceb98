"""Routes that pages of the platform's other hosts may ask by `fetch` (CORS)."""

from __future__ import annotations

from flask import Blueprint, Response

from . import cors
from .access import access


@access("call")
def preflight(**_: str) -> Response:
    """Tell a browser that a page of the platform may ask; the same for all paths."""
    return Response(status=204)


def answer_preflights(bp: Blueprint, *rules: str) -> None:
    """Give routes their preflight; their views provide no OPTIONS of their own."""
    for rule in rules:
        bp.add_url_rule(
            rule,
            view_func=preflight,
            methods=["OPTIONS"],
            provide_automatic_options=False,
        )


def share(bp: Blueprint, *rules: str) -> None:
    """Give routes their preflight, and let pages of the platform read the answers."""
    answer_preflights(bp, *rules)
    bp.after_request(_readable)


def _readable(response: Response) -> Response:
    cors.allow(response, exposed="")
    return response
