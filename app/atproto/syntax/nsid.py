"""The grammar of NSIDs, the names of record types and methods: `app.relay.track`.

A domain name turned round, and a name in it. Pure; what a name stands for is for the
Lexicon to say, and for nobody here.
"""

from __future__ import annotations

import re
from typing import NewType

from ..errors import IdentifierInvalid

Nsid = NewType("Nsid", str)
"""An NSID, byte for byte as given: its last segment is case-sensitive."""

_SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NSID = re.compile(
    rf"(?=.{{1,317}}\Z)[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?(?:\.{_SEGMENT})+"
    r"\.[A-Za-z][A-Za-z0-9]{0,62}"
)


def is_nsid(text: str) -> bool:
    """Tell whether `parse_nsid` would accept this."""
    return _NSID.fullmatch(text) is not None


def parse_nsid(text: str) -> Nsid:
    """Return the NSID; a wildcard is none.

    Raises:
        IdentifierInvalid: not an NSID.
    """
    if not is_nsid(text):
        raise IdentifierInvalid("not an NSID")
    return Nsid(text)


def group_of(nsid: str) -> str:
    """Return all but the last segment: what a permission set may speak for (8.4)."""
    return nsid.rpartition(".")[0]
