"""Why this browser is signed out, for the person whose session ended elsewhere."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from app.flows.account.ended import SessionEnd
from app.web.context import site
from app.web.languages.choice import gettext as _
from app.web.responses import in_utc

from .device_name import name_of_device
from .templating import plain_time

BY_PERSON = "ended by the person"
TOO_MANY = "too many sessions"

MOMENT = Markup('<time datetime="%(iso)s" data-zone="UTC">%(plain)s</time>')


def end_notice(end: SessionEnd) -> dict[str, Any]:
    """Return the notice: when it ended, and from which device or by whom."""
    return {
        "code": None,
        "title": _("You were signed out here"),
        "text": _text(end),
        "tone": "neutral",
        "reference": None,
    }


def _text(end: SessionEnd) -> Markup:
    """Return the text as HTML: the script shows the time in the person's zone.

    The name of a browser is its own claim; it is escaped.
    """
    text, named = _told(end)
    when = MOMENT % {"iso": in_utc(end.at), "plain": plain_time(end.at)}
    return escape(text) % {**named, "when": when}


def _told(end: SessionEnd) -> tuple[str, dict[str, str]]:
    """Return the text, and what it names beside the time."""
    if end.by_operator:
        text = _("The people who run %(platform)s ended this session on %(when)s.")
        return text, {"platform": site().platform_name}
    if end.reason == BY_PERSON and end.device:
        text = _(
            "It was done from %(device)s on %(when)s. If that was not you, sign in and "
            'press "Sign out everywhere else" on your account page.'
        )
        return text, {"device": name_of_device(end.device)}
    if end.reason == TOO_MANY:
        text = _(
            "Your account was signed in on too many devices, so this one was signed "
            "out on %(when)s."
        )
        return text, {}
    return _("This session ended on %(when)s."), {}
