"""Usernames: grammar, look-alikes (skeletons) and reserved names.

A username is chosen once and shown to other people, so two names that a hurried reader
takes for one another cannot both exist. Handles are another thing: they belong to the
AT Protocol and may change.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

from app.atproto.syntax.grammar import Handle
from app.flows.errors import UsernameInvalid, UsernameReserved

MIN_LENGTH: Final = 3
MAX_LENGTH: Final = 32
LAST_NUMBER: Final = 99

SHIPPED: Final = Path(__file__).with_name("reserved_usernames.txt")

_GRAMMAR = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

# Only what ordinary sans-serif fonts confuse in lower case. One character at a time and
# towards the longer spelling (m to rn, not rn to m), so that names look alike exactly
# when their skeletons are equal, with any character beside: "vvv", "wv" and
# "vw" are one. Left out on purpose: pairs that readers do tell apart (8 and b, u and v)
# and cl for d, which would make one name of Clara and Dara.
_LOOK_ALIKES = str.maketrans(
    {
        "0": "o",
        "1": "l",
        "i": "l",
        "2": "z",
        "5": "s",
        "6": "b",
        "9": "g",
        "m": "rn",
        "w": "vv",
    }
)
# For reserved names also what people read as the letter when they expect the word.
_LETTERS_OF_DIGITS = str.maketrans({"3": "e", "4": "a", "7": "t", "8": "b", "-": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Username:
    """A name that follows the grammar, and what remains of it for comparison."""

    username: str
    skeleton: str


def parse_username(text: str) -> Username:
    """Read a username; capitals are folded, white space around it is dropped.

    Raises:
        UsernameInvalid: `reason` is `characters`, `hyphens`, `too_short` or `too_long`.
    """
    # ASCII is checked before folding: there are foreign letters that fold into a to z.
    name = text.strip().lower() if text.isascii() else ""
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise UsernameInvalid("characters")
    if not _GRAMMAR.fullmatch(name):
        raise UsernameInvalid("hyphens")
    if len(name) < MIN_LENGTH:
        raise UsernameInvalid("too_short")
    if len(name) > MAX_LENGTH:
        raise UsernameInvalid("too_long")
    return Username(username=name, skeleton=skeleton(name))


def skeleton(name: str) -> str:
    """Return the name with look-alike characters made equal."""
    return name.translate(_LOOK_ALIKES)


@dataclass(frozen=True, slots=True)
class Usernames:
    """The rules of one platform: the grammar and its reserved names."""

    reserved: frozenset[str]

    @classmethod
    def load(cls, extra: Iterable[str] = ()) -> Self:
        """Read the shipped list; `extra` is what the operator adds to it."""
        return cls(_shipped().union(map(_word, extra)))

    def parse(self, text: str) -> Username:
        """Read a username that a person wants.

        Raises:
            UsernameInvalid: it breaks the grammar.
            UsernameReserved: reserved, or looks like a reserved name.
        """
        name = parse_username(text)
        if self.is_reserved(name.username):
            raise UsernameReserved(name.username)
        return name

    def is_reserved(self, name: str) -> bool:
        """Tell whether a name reads like a reserved one."""
        return _word(name) in self.reserved

    def suggest(
        self,
        handle: Handle | None,
        taken: Callable[[Collection[str]], Collection[str]],
    ) -> str:
        """Return a free name made from a handle, or nothing when there is none.

        `taken` returns those of some skeletons that belong to an account; it is asked
        once. What is free now may be taken by the time that it is chosen.
        """
        names = [n for n in _numbered(self._stem(handle)) if not self.is_reserved(n)]
        occupied = taken([skeleton(name) for name in names]) if names else ()
        return next((name for name in names if skeleton(name) not in occupied), "")

    def _stem(self, handle: Handle | None) -> str:
        labels = (handle or "").split(".")[:-1]  # never the top-level domain
        first, second, *_ = [*map(_repaired, labels), "", ""]
        if len(first) >= MIN_LENGTH and not self.is_reserved(first):
            return first
        return f"{first}-{second}".strip("-")


@cache
def _shipped() -> frozenset[str]:
    lines = SHIPPED.read_text(encoding="ascii").splitlines()
    names = (line.partition("#")[0].strip() for line in lines)
    return frozenset(_word(name) for name in names if name)


def _word(name: str) -> str:
    return skeleton(name.lower().translate(_LETTERS_OF_DIGITS))


def _repaired(label: str) -> str:
    """Return the part of a handle's label that a username may have."""
    if label.startswith("xn--"):
        label = _decoded(label.removeprefix("xn--"))
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _decoded(punycode: str) -> str:
    try:
        return punycode.encode().decode("punycode")
    except UnicodeError:
        return ""


def _numbered(stem: str) -> Iterator[str]:
    """Yield the stem and its numbered alternatives, those that follow the grammar."""
    for number in ("", *map(str, range(2, LAST_NUMBER + 1))):
        joint = "-" if number and stem[-1:].isdigit() else ""
        cut = stem[: MAX_LENGTH - len(joint + number)].rstrip("-")
        name = f"{cut}{joint}{number}"
        if cut and len(name) >= MIN_LENGTH:
            yield name
