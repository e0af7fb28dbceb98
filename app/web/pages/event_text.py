"""Audit events in words, as the account page shows them to their person.

The operator's name and reason stay with the operators.
"""

from __future__ import annotations

from typing import Final

from app.flows.people.trail import AuditEvent
from app.web.languages.choice import gettext as _

from .permission_text import in_words

ENDS: Final = {
    "logout": "Signed out",
    "logout by token": "Signed out in an app",
    "ended by the person": "Signed out from the account page",
    "signed in again": "Signed out by a new sign-in in the same browser",
    "too many sessions": "Signed out: too many devices were signed in",
    "app denied": "Signed out: the app was denied",
    "refresh token reused": "Signed out for safety: an app's key was used twice",
    "not a member": "Signed out: this account cannot join",
}
EVENTS: Final = {
    "signed_in": "Signed in",
    "app_signed_in": "Signed in an app",
    "signed_up": "Joined {platform}",
    "session_ended": "Signed out",
    "native_denied": "Denied an app",
    "account_disabled": "Account closed",
    "account_enabled": "Account opened again",
    "group_member_added": "Added to a group",
    "group_member_removed": "Removed from a group",
    "username_changed": "Username changed",
    "handle_changed": "Handle changed",
    "permission_withdrawn": "Permission taken back",
    "app_allowed": "Allowed an app",
    "app_removed": "Removed an app",
    "grant_ended": "Signed out of an app",
}
BY_OPERATOR: Final = "{what} by the people who run {platform}"
RENAMED: Final = "{what}: {former} is now {current}"


def event_in_words(event: AuditEvent, platform: str) -> str:
    """Return what a person reads about one of their events."""
    detail, reason = event.detail, str(event.detail.get("reason", ""))
    is_app = event.event == "signed_in" and "app" in detail
    name = "app_signed_in" if is_app else event.event
    known = name.replace("_", " ").capitalize()
    what = _(EVENTS.get(name, known)).format(platform=platform)
    if "operator" in detail:
        what = _(BY_OPERATOR).format(what=what, platform=platform)
    elif event.event == "session_ended":
        return _(ENDS[reason]) if reason in ENDS else what
    if event.event == "permission_withdrawn":
        phrases = in_words(str(detail.get("permission", "")))
        return f"{what}: {'; '.join(phrases)}"
    if named := detail.get("app") or detail.get("client"):
        return f"{what}: {named}"
    if "from" in detail and "to" in detail:
        names = {
            "former": detail["from"] or "-",
            "current": detail["to"] or "-",
        }
        return _(RENAMED).format(what=what, **names)
    return what
