"""The one parser of JSON that other people wrote: servers, apps, cookies.

It refuses what two readers could understand differently (RFC 8259 section 4 and
following), and what is nested so deeply that a later step would fail.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
"""Arrays and objects inside each other."""

_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(encoded: bytes) -> Any:
    """Return the value of JSON text in UTF-8.

    Raises:
        ValueError: not JSON (a byte order mark included, RFC 8259 section 8.1), nested
        too deeply, a repeated name, a number that is not
            finite, or text that is not Unicode.
    """
    text = encoded.decode()
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unrepeated,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _is_deeper_than(MAX_DEPTH, document):
        raise ValueError("nested too deeply")
    if _LONE_SURROGATE.search(text):
        json.dumps(document, ensure_ascii=False).encode()  # or UnicodeEncodeError
    return document


def _is_deeper_than(depth: int, document: Any) -> bool:
    level = [document]
    for _ in range(depth + 1):
        containers = [node for node in level if isinstance(node, dict | list)]
        if not containers:
            return False
        level = [
            child
            for node in containers
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return True


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is repeated")
    return names


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number
