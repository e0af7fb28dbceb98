"""Parsers of single settings: durations, sizes, switches, lists, scopes, secrets.

Each takes the text of the environment and returns a checked value, or raises ValueError
with a reason that an operator can act on; a parser of a secret never quotes it.
`addresses` has the parsers of hosts and origins, `rules` what settings mean together.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import limits
from pydantic import PlainValidator

from app.atproto.errors import ScopeInvalid
from app.flows.xrpc.allow_list import XrpcAllowList

PREFIX = "LATCHKEY_"
"""What the name of every environment variable of ours begins with."""

SECRET_KEY_BYTES = 32
LONGEST_NAME = 60

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_SIZES = {"KB": 1_000, "MB": 1_000_000}
_SIZE = re.compile(r"([0-9]{1,6}) ?(KB|MB)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 6265 §4.1.1
_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")  # requirement 8.1
_USERNAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_DATABASE = re.compile(r"(?:sqlite|postgresql):(?://)?\S+")
_STORAGE = re.compile(r"memory://|(?:redis|rediss|redis\+unix)://\S+")


def parsed(parse: Callable[[str], object]) -> PlainValidator:
    """Return the validator of a field: text is parsed, any other value is kept.

    The reader of the environment hands on an exception where a value cannot be read;
    it is raised here, so that it is reported beside the problems of other fields.
    """

    def validate(value: object) -> object:
        if isinstance(value, Exception):
            raise value
        return parse(value) if isinstance(value, str) else value

    return PlainValidator(validate)


def duration(text: str) -> int:
    """Return seconds: a number and one of s, m, h, d, w."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is no duration; write a number and a unit, as in 24h"
        )
    return int(match[1]) * _UNITS[match[2]]


def rotation(text: str) -> int | None:
    """Return the seconds from one change of a key or a name to the next, or None."""
    if text == "off":
        return None
    seconds = duration(text)
    if seconds < _UNITS["d"]:
        raise ValueError("must be off, or at least 1d")
    return seconds


def size(text: str) -> int:
    """Return bytes: a number and KB or MB."""
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"{text!r} is no size; write a number and KB or MB, as in 50MB"
        )
    return int(match[1]) * _SIZES[match[2]]


def calls(text: str) -> XrpcAllowList:
    """Return which calls are made for services; the word `none` allows none."""
    try:
        return XrpcAllowList.parse("" if text == "none" else text)
    except ScopeInvalid as error:
        raise ValueError(str(error)) from error


def switch(text: str) -> bool:
    """Return whether the switch is on."""
    match text.lower():
        case "on" | "true" | "yes" | "1":
            return True
        case "off" | "false" | "no" | "0":
            return False
        case _:
            raise ValueError(f"{text!r} is neither on nor off")


def number(*, most: int, least: int = 0) -> PlainValidator:
    """Return the validator of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        is_number = re.fullmatch(r"[0-9]{1,9}", text) is not None
        if not is_number or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return parsed(parse)


def one_of(*choices: str) -> PlainValidator:
    """Return the validator of a choice, in upper or lower case."""
    by_folded_text = {choice.casefold(): choice for choice in choices}

    def parse(text: str) -> str:
        choice = by_folded_text.get(text.casefold())
        if choice is None:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return choice

    return parsed(parse)


def listed(parse_item: Callable[[str], object]) -> PlainValidator:
    """Return the validator of comma-separated lists; `none` is the empty list."""

    def parse(text: str) -> tuple[object, ...]:
        if text == "none":
            return ()
        items = [item.strip() for item in text.split(",")]
        if "" in items:
            raise ValueError("has an empty entry between its commas")
        return tuple(dict.fromkeys(parse_item(item) for item in items))

    return parsed(parse)


def name(text: str) -> str:
    """Return a short text for people, as pages show it."""
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise ValueError(f"must be at most {LONGEST_NAME} printable characters")
    return text


def audience(text: str) -> str:
    """Return the one audience of the platform token."""
    if not text.isprintable() or " " in text:
        raise ValueError("must be one word or URL without white space")
    return text


def cookie_name(text: str) -> str:
    """Return a name that a cookie can have (RFC 6265 §4.1.1)."""
    if _TOKEN.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no cookie name; use letters, digits, - and _")
    return text


def scope(text: str) -> str:
    """Return the scope to ask for at sign-in (requirement 8.1)."""
    scopes = text.split(" ")
    if _SCOPE.fullmatch(text) is None:
        raise ValueError("must be printable words with single spaces between them")
    if "atproto" not in scopes:
        raise ValueError("lacks `atproto`, without which no server signs people in")
    if "openid" in scopes:
        raise ValueError("names `openid`, which no server takes")  # requirement 3.10
    if len(set(scopes)) != len(scopes):
        raise ValueError("names a scope twice")  # requirement 3.6
    return text


def username(text: str) -> str:
    """Return a reserved username in lower case."""
    if _USERNAME.fullmatch(text.lower()) is None:
        raise ValueError(f"{text!r} cannot be a username; use a-z, 0-9 and hyphens")
    return text.lower()


def rate(text: str) -> str:
    """Return a rate in the notation of `limits`, as in 30/minute."""
    try:
        allowed = limits.parse(text).amount
    except ValueError as error:
        raise ValueError(f"{text!r} is no rate; write it as in 30/minute") from error
    if allowed == 0:
        raise ValueError("would refuse every sign-in")
    return text


def database_url(text: str) -> str:
    """Return the URL of an SQLite or a PostgreSQL database."""
    if _DATABASE.fullmatch(text) is None:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return text


def storage_url(text: str) -> str:
    """Return where rate limits are counted."""
    if _STORAGE.fullmatch(text) is None:
        raise ValueError("must be memory:// or begin with redis:// or rediss://")
    return text


def file(text: str) -> Path:
    """Return the path of a file that can be read now."""
    path = Path(text)
    try:
        with path.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise ValueError(f"cannot read {text}: {error.strerror}") from error
    return path


def certificates(text: str) -> Path:
    """Return the path of a file with certificates in PEM."""
    path = file(text)
    if b"-----BEGIN CERTIFICATE-----" not in path.read_bytes():
        raise ValueError(f"{text} holds no certificate in PEM")
    return path


def secret_key(text: str) -> bytes:
    """Return the 32 bytes of SECRET_KEY or of JWT_SECRET (RFC 7518 section 3.2)."""
    wanted = f"must be {SECRET_KEY_BYTES} random bytes in base64url"
    if _BASE64URL.fullmatch(text) is None:
        raise ValueError(wanted)
    stripped = text.rstrip("=")
    if len(stripped) % 4 == 1:
        raise ValueError(wanted)
    key = base64.urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
    if len(key) != SECRET_KEY_BYTES:
        raise ValueError(f"{wanted}; this is {len(key)}")
    if len(set(key)) < SECRET_KEY_BYTES // 4:
        raise ValueError("repeats itself; a secret comes from a random generator")
    return key


Duration = Annotated[int, parsed(duration)]
"""Seconds."""

Size = Annotated[int, parsed(size)]
"""Bytes."""

Rate = Annotated[str, parsed(rate)]
Switch = Annotated[bool, parsed(switch)]
