"""The query and body of a call, from `key=value` words, JSON or a file.

Values of a query stay text. In a body `true`, `false`, `null` and whole numbers become
JSON values, and `key:=JSON` gives any value. Pure, except for reading the file.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from .failures import UsageError

WORD: Final = re.compile(r"(?s)(?P<name>[A-Za-z][\w.-]*)(?P<sign>:?=)(?P<value>.*)")
WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
NAMED: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
JSON_TYPE: Final = "application/json"
BYTES_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One call's method, query and body."""

    method: Literal["GET", "POST"]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = None


def build_payload(
    words: Sequence[str],
    *,
    method: Literal["GET", "POST"] | None,
    given: str | None,
    content_type: str | None,
    read_input: Callable[[], bytes],
) -> Payload:
    """Return a query for GET, or a body for POST.

    With `given` (JSON, @file, or @- for `read_input`) the words are the query.

    Raises:
        UsageError: the words or the body are not valid.
    """
    pairs = [_pair(word) for word in words]
    if given is not None:
        if method == "GET":
            raise UsageError("--data is sent by POST")
        body, guessed = _body(given, read_input)
        return Payload(
            method="POST",
            query=_query(pairs),
            body=body,
            content_type=content_type or guessed,
        )
    if method != "POST":
        return Payload(method="GET", query=_query(pairs))
    if not pairs:
        return Payload(method="POST")
    document = _document(pairs)
    return Payload(
        method="POST",
        body=json.dumps(document).encode(),
        content_type=content_type or JSON_TYPE,
    )


def _pair(word: str) -> tuple[str, str, str]:
    parts = WORD.fullmatch(word)
    if parts is None:
        raise UsageError(f"{word!r} is neither key=value nor key:=JSON")
    return parts["name"], parts["sign"], parts["value"]


def _query(pairs: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    for name, sign, _ in pairs:
        if sign != "=":
            raise UsageError(f"{name}:= is for the body of a POST")
    return tuple((name, value) for name, _, value in pairs)


def _document(pairs: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, sign, text in pairs:
        if name in document:
            raise UsageError(f"{name} is given twice; a list is {name}:='[...]'")
        document[name] = _typed(text) if sign == "=" else _parsed(text, name)
    return document


def _typed(text: str) -> Any:
    if text in NAMED:
        return NAMED[text]
    return int(text) if WHOLE.fullmatch(text) else text


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}") from error


def _body(given: str, read_input: Callable[[], bytes]) -> tuple[bytes, str]:
    if not given.startswith("@"):
        _parsed(given, "--data")
        return given.encode(), JSON_TYPE
    if given == "@-":
        content = read_input()
        return content, JSON_TYPE if _is_json(content) else BYTES_TYPE
    path = Path(given[1:])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return content, mimetypes.guess_type(path.name)[0] or BYTES_TYPE


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
