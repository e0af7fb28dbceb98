"""What an app is told of a person, in plain words for the consent page."""

from __future__ import annotations

from app.flows.provider.registration import Registration
from app.web.languages.choice import gettext as _


def told(scope: str, registered: Registration) -> list[str]:
    """Return what the app learns, each a phrase that stands in a list."""
    words = scope.split()
    phrases = [_("Your permanent account ID (DID), so that it knows you again")]
    if "profile" in words:
        phrases.append(_("Your username, your name and your handle"))
    if "email" in words and registered.email == "placeholder":
        phrases.append(_("A made-up e-mail address that receives no mail"))
    if "email" in words and registered.email == "account":
        phrases.append(_("The e-mail address of your account at its host"))
    if "groups" in words:
        phrases.append(_("Which groups of this platform you are in"))
    if "offline_access" in words:
        phrases.append(
            _("All of this also while you are signed out, until you remove it")
        )
    return phrases
