"""How an app introduces itself: its name, its challenge, and the code to compare.

Pure. The name is anybody's claim and only has to be showable; the challenge binds the
await to the app that began (RFC 7636).
"""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from itertools import groupby

from app.atproto.crypto.proofs import challenge_of
from app.flows.errors import AppNameInvalid, CodeChallengeInvalid

UNNAMED = "An app"
LONGEST_APP_NAME = 64

MOST_MARKS = 4
"""Accents on one letter; a tower of them would cover what stands above and below."""

BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a symbol, says Unicode, and there is nothing to see."""

# No vowels, so no words, and nothing that looks like something else (RFC 8628 §6.1).
CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def parse_app_name(text: str | None) -> str:
    """Return what an app calls itself, as a page can show it.

    Raises:
        AppNameInvalid: it is empty, too long, or holds what cannot be seen.
    """
    if text is None:
        return UNNAMED
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_APP_NAME or not name.isprintable():
        raise AppNameInvalid("1 to 64 printable characters")
    if not _can_be_read(name):
        raise AppNameInvalid("nothing to see, or a tower of accents")
    return name


def parse_code_challenge(text: str | None) -> str | None:
    """Return an S256 challenge; there is no other method (RFC 7636 §4.2).

    Raises:
        CodeChallengeInvalid: no verifier could have it.
    """
    if text is not None and not CHALLENGE.fullmatch(text):
        raise CodeChallengeInvalid("43 characters of base64url")
    return text


def _can_be_read(name: str) -> bool:
    """Tell whether there is something to see, of the height of a line."""
    kinds = [unicodedata.category(char)[0] for char in name]
    seen = any(
        kind in "LNPS" and char not in BLANK
        for kind, char in zip(kinds, name, strict=True)
    )
    runs = [len(list(run)) for kind, run in groupby(kinds) if kind == "M"]
    return seen and max(runs, default=0) <= MOST_MARKS


def make_user_code() -> str:
    """Return a code that a person compares at a glance, such as `WDJB-MJHT`."""
    letters = [secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)]
    half = CODE_LENGTH // 2
    return f"{''.join(letters[:half])}-{''.join(letters[half:])}"


def is_proof(verifier: str | None, challenge: str | None) -> bool:
    """Tell whether a verifier is that of the challenge, if there was one."""
    if challenge is None:
        return True
    if verifier is None or not verifier.isascii():
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
