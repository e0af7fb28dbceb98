"""WWW-Authenticate challenges: what is read, and that reading is linear in time."""

from __future__ import annotations

import time

import pytest

from app.atproto.http.types import Response
from app.atproto.oauth.challenge import (
    CHALLENGE_LIMIT,
    dpop_challenge,
    parse_challenges,
)


def challenged(header: str) -> dict[str, str]:
    response = Response(
        status=401,
        headers={"WWW-Authenticate": header},
        body=b"",
        url="https://pds.skyhost.social/xrpc/x",
    )
    return dict(dpop_challenge(response))


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        ('DPoP error="use_dpop_nonce"', {"error": "use_dpop_nonce"}),
        ('dpop ERROR = "a"', {"error": "a"}),
        ('DPoP algs="ES256 ES384", error="a"', {"algs": "ES256 ES384", "error": "a"}),
        ('Bearer realm="x", error="b", DPoP error="a"', {"error": "a"}),
        ('DPoP error="a", Bearer error="b"', {"error": "a"}),
        (
            "DPoP error=a, scope=repo:app.x?action=create",
            {"error": "a", "scope": "repo:app.x?action=create"},
        ),
        (r'DPoP error="a \"quoted\" b"', {"error": 'a "quoted" b'}),
        ('DPoP error="a", error="b"', {"error": "a"}),
        ('DPoP error="unterminated', {"error": "unterminated"}),
        ('DPoP realm="error=\\"b\\"", error="a"', {"realm": 'error="b"', "error": "a"}),
        ("DPoP", {}),
        ('Bearer error="a"', {}),
        ('error="a"', {}),
        ("", {}),
    ],
)
def test_dpop_challenge_returns_its_parameters(
    header: str, parameters: dict[str, str]
) -> None:
    assert challenged(header) == parameters


def test_dpop_challenge_after_the_limit_is_not_read() -> None:
    padding = "x" * CHALLENGE_LIMIT

    assert challenged(f'{padding} DPoP error="a"') == {}


def cpu_of(header: str) -> float:
    """Return the least CPU of several runs, in seconds."""
    times = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(20):
            list(parse_challenges(header))
        times.append(time.process_time() - began)
    return min(times)


@pytest.mark.parametrize(
    "pattern",
    ["DPoP ", "a=", 'DPoP error="', "\\", '"', " ", "\t=", ",", 'a="b" ', "="],
)
def test_parse_of_hostile_header_costs_like_a_plain_one(pattern: str) -> None:
    """H1: any header of any length costs a few times what a plain 2 KB one does."""
    plain = cpu_of("DPoP " + ", ".join(f'a{n}="b"' for n in range(250)))

    assert cpu_of(pattern * 60_000) < 10 * plain
