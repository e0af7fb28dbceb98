"""Why this browser is signed out, for the person whose session ended elsewhere."""

from __future__ import annotations

from typing import Any

from app.flows.account.ended import SessionEnd
from app.web.context import site
from app.web.languages.choice import gettext as _

from .device_name import name_of_device
from .templating import plain_time

BY_PERSON = "ended by the person"
TOO_MANY = "too many sessions"


def end_notice(end: SessionEnd) -> dict[str, Any]:
    """Return the notice: when it ended, and from which device or by whom."""
    return {
        "code": None,
        "title": _("You were signed out here"),
        "text": _text(end),
        "tone": "neutral",
        "reference": None,
    }


def _text(end: SessionEnd) -> str:
    when = plain_time(end.at)
    if end.by_operator:
        return _(
            "The people who run %(platform)s ended this session on %(when)s.",
            platform=site().platform_name,
            when=when,
        )
    if end.reason == BY_PERSON and end.device:
        return _(
            "It was done from %(device)s on %(when)s. If that was not you, sign in and "
            "end all other sessions on your account page.",
            device=name_of_device(end.device),
            when=when,
        )
    if end.reason == TOO_MANY:
        return _(
            "Your account was signed in on too many devices, so this one was signed "
            "out on %(when)s.",
            when=when,
        )
    return _("This session ended on %(when)s.", when=when)
