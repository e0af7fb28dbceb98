"""App identity of a native login: the app's name, its PKCE challenge, the user code.

Pure functions. The name is an unverified claim and only has to be printable; the
challenge binds the token to the app that started the login (RFC 7636).
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
"""Combining marks on one letter; a stack of them would cover the lines around it."""

BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that Unicode classes as letters or symbols and fonts show as blank."""

# No vowels, so no words, and no look-alike characters (RFC 8628 section 6.1).
CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def parse_app_name(text: str | None) -> str:
    """Return the name of an app, as a page can show it.

    Raises:
        AppNameInvalid: empty, too long, blank or unprintable.
    """
    if text is None:
        return UNNAMED
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_APP_NAME or not name.isprintable():
        raise AppNameInvalid("1 to 64 printable characters")
    if not _can_be_read(name):
        raise AppNameInvalid("blank, or stacked combining marks")
    return name


def parse_code_challenge(text: str | None) -> str | None:
    """Return an S256 challenge; other methods are refused (RFC 7636 section 4.2).

    Raises:
        CodeChallengeInvalid: not 43 characters of base64url.
    """
    if text is not None and not CHALLENGE.fullmatch(text):
        raise CodeChallengeInvalid("43 characters of base64url")
    return text


def _can_be_read(name: str) -> bool:
    """Tell whether a name has a visible character and no stacked marks."""
    kinds = [unicodedata.category(char)[0] for char in name]
    seen = any(
        kind in "LNPS" and char not in BLANK
        for kind, char in zip(kinds, name, strict=True)
    )
    runs = [len(list(run)) for kind, run in groupby(kinds) if kind == "M"]
    return seen and max(runs, default=0) <= MOST_MARKS


def make_user_code() -> str:
    """Return a code that a person can compare, such as `WDJB-MJHT`."""
    letters = [secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)]
    half = CODE_LENGTH // 2
    return f"{''.join(letters[:half])}-{''.join(letters[half:])}"


def is_proof(verifier: str | None, challenge: str | None) -> bool:
    """Tell whether the verifier matches the challenge; True without a challenge."""
    if challenge is None:
        return True
    if verifier is None or not verifier.isascii():
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
