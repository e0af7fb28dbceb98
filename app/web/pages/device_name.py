"""What a device is called: an app by its own name, a browser by its user agent."""

from __future__ import annotations

from app.flows.ports import Session
from app.flows.sessions.device_name import browser_and_system
from app.web.languages.choice import gettext as _


def name_of(session: Session) -> str:
    """Return what a person may recognise a session by."""
    return session.app_name or name_of_device(session.device)


def name_of_device(user_agent: str) -> str:
    """Return what a person may recognise a browser by."""
    browser, system = browser_and_system(user_agent)
    if system:
        return _("%(browser)s on %(system)s", browser=browser, system=_(system))
    return browser or _("An unknown device")
