"""Opens a page in the system's browser, as a process that shares nothing with this one.

A browser prints on the stdout that it inherits, where a script reads the app's output
(`--json`), and some browsers run in the foreground until they are closed. So the child
gets no stdin, stdout or stderr, and a session of its own: Ctrl-C does not reach it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import webbrowser
from collections.abc import Sequence
from typing import Final

FAILS_WITHIN: Final = 1.0
"""Seconds after which a browser that is still running counts as opened."""

TEXT_BROWSERS: Final = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})
"""They need this process's terminal."""


def open_in_browser(url: str) -> bool:
    """Show a URL in the system's browser; return whether one could be started.

    Raises webbrowser.Error or OSError when there is no browser.
    """
    browser = webbrowser.get()
    if browser.basename in TEXT_BROWSERS:
        return False
    if isinstance(browser, webbrowser.GenericBrowser):  # $BROWSER and xdg-open
        words = [word.replace("%s", url) for word in browser.args]
        return _start([browser.name, *words])
    if sys.platform == "darwin":
        return _start(["/usr/bin/open", url])
    return browser.open(url)  # the others detach themselves


def _start(command: Sequence[str]) -> bool:
    child = subprocess.Popen(  # noqa: S603 # chosen by the person's system
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return child.wait(FAILS_WITHIN) == 0
    except subprocess.TimeoutExpired:
        threading.Thread(
            target=child.wait, name="latchkey-browser", daemon=True
        ).start()
        return True
