"""The scope parameter: a set of permissions, written as words (requirement 8.1)."""

from __future__ import annotations

import re
from typing import Final

from .errors import ScopeInvalid

ATPROTO: Final = "atproto"
"""In every scope; alone it means signing in and nothing else."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")


def parse_scope(text: str) -> tuple[str, ...]:
    """Split a scope into its words, in order and each once (RFC 6749 §3.3).

    Whether `atproto` is among them is the caller's to ask: what a server grants, and
    what we ask of it, are judged in different places (requirements 4.6 and 6.10).

    Raises:
        ScopeInvalid: empty, not separated by single spaces, or with characters that a
            scope cannot have.
    """
    if _SCOPE.fullmatch(text) is None:
        raise ScopeInvalid("not a scope")
    return tuple(dict.fromkeys(text.split(" ")))
