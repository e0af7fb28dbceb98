"""What a device is called, by the user agent that its browser sends.

A user agent is a claim in a language of its own; the few words that people know are
picked out of it, and it proves nothing.
"""

from __future__ import annotations

from typing import Final

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


def browser_and_system(user_agent: str) -> tuple[str, str]:
    """Return the names of the browser and of its system; the second may be "".

    A browser that is not known is called by its user agent, cut to LONGEST
    characters; "" is one that says nothing.
    """
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if browser:
        return browser, system
    return user_agent[:LONGEST].strip(), ""


def english_name_of(user_agent: str) -> str:
    """Return the name that the account page shows, in English."""
    browser, system = browser_and_system(user_agent)
    return f"{browser} on {system}" if system else browser or "An unknown device"


def _first(marks: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in marks if mark in text), "")
