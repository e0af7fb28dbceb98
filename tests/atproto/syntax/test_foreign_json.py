"""The parser of JSON that other people wrote."""

from __future__ import annotations

import pytest

from app.atproto.syntax.foreign_json import MAX_DEPTH, parse_json


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ],
    ids=["object", "surrogate pair", "deepest"],
)
def test_parse_json_returns_the_value(encoded, value):
    parsed = parse_json(encoded)

    assert parsed == value or value is None


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 1}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\\udc00"',
        b'"\xff"',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" * 60_000 + b"]" * 60_000,
        b"9" * 50_000,
    ],
    ids=lambda encoded: repr(encoded[:16]),
)
def test_parse_json_of_ambiguous_or_deep_text_raises_value_error(encoded):
    with pytest.raises(ValueError, match=r"."):
        parse_json(encoded)
