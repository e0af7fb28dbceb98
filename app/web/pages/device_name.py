"""What a device is called: an app by its own name, a browser by what it says it is.

A user agent is a claim in a language of its own; the few words that people know are
picked out of it, and proves nothing.
"""

from __future__ import annotations

from typing import Final

from app.flows.ports import Session
from app.web.languages.choice import gettext as _

# In this order: most browsers also say the names of the ones that they descend from.
BROWSERS: Final = (
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "a Mac"),
    ("Linux", "Linux"),
)
LONGEST: Final = 60


def name_of(session: Session) -> str:
    """Return what a person may recognise a session by."""
    return session.app_name or name_of_device(session.device)


def name_of_device(user_agent: str) -> str:
    """Return what a person may recognise a browser by."""
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s", browser=browser, system=_(system))
    return browser or user_agent[:LONGEST].strip() or _("An unknown device")


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")
