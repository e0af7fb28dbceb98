"""The grammar of NSIDs, the names of record types and methods: `app.relay.track`.

A reversed domain name and a name in that domain. Pure; no Lexicon is read.
"""

from __future__ import annotations

import re
from typing import NewType

from ..errors import IdentifierInvalid
from .host_names import LABEL

Nsid = NewType("Nsid", str)
"""An NSID, byte for byte as given: its last segment is case-sensitive."""

_NSID = re.compile(
    rf"(?=.{{1,317}}\Z)(?=[A-Za-z]){LABEL}(?:\.{LABEL})+"
    r"\.[A-Za-z][A-Za-z0-9]{0,62}"
)


def is_nsid(text: str) -> bool:
    """Tell whether `parse_nsid` would accept this."""
    return _NSID.fullmatch(text) is not None


def parse_nsid(text: str) -> Nsid:
    """Return the NSID; a wildcard is refused.

    Raises:
        IdentifierInvalid: not an NSID.
    """
    if not is_nsid(text):
        raise IdentifierInvalid("not an NSID")
    return Nsid(text)


def group_of(nsid: str) -> str:
    """Return all but the last segment: what permission sets are limited to."""
    return nsid.rpartition(".")[0]
