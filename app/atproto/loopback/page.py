"""The final HTML page in the browser after a sign-in to a program on this machine.

It has no script, image or link, and nothing of the answer. The Content-Security-Policy
allows its style by hash and nothing else.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

STYLE: Final = (
    ":root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}"
    "body{max-width:34rem;margin:15vh auto 0;padding:0 1.5rem}"
    "h1{font-size:1.5rem;line-height:1.25}"
)
PAGE: Final = Template(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"<title>$title</title>\n<style>{STYLE}</style>\n</head>\n"
    "<body>\n<main>\n<h1>$title</h1>\n<p>$text</p>\n</main>\n</body>\n</html>\n"
)
HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; style-src 'sha256-"
        f"{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every response. The page's address contains an authorization code, so the
page is not stored and sends no Referer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of the sign-in, in words for the person at the browser."""

    status: int
    title: str
    text: str

    def page(self, program: str) -> bytes:
        """Return the page with the program's name."""
        text = self.text.format(program=program)
        return PAGE.substitute(title=escape(self.title), text=escape(text)).encode()


SIGNED_IN: Final = Outcome(
    200, "You are signed in", "Go back to {program}. You can close this page."
)
DECLINED: Final = Outcome(
    200,
    "You did not sign in",
    "You said no, and nothing was shared. You can close this page.",
)
FAILED: Final = Outcome(
    400,
    "You are not signed in",
    "Something went wrong on the way. Go back to {program}: it says what.",
)
STRAY: Final = Outcome(
    400,
    "This page belongs to another sign-in",
    "It may be an old one. Go back to {program} and use the address that it shows.",
)
