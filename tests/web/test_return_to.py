"""`ReturnPolicy`: where `return_to` may lead (requirement 9.9)."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.web.return_to import LONGEST, ReturnPolicy, ReturnToInvalid
from tests.web.hostile_targets import HOSTILE

HOME = "https://auth.platform.cafe"
POLICY = ReturnPolicy(
    public_url=HOME,
    hosts=frozenset({"auth.platform.cafe", "play.elsewhere.cafe"}),
    below="platform.cafe",
    allow_http=False,
)

# What redirect attacks are made of, in any order and number.
PIECES = st.sampled_from(
    [
        "/", "//", "\\", "https:", "http:", "https://", "javascript:", "data:",
        "auth.platform.cafe", "platform.cafe", "play.elsewhere.cafe", "evil.cafe",
        "evilplatform.cafe", ".", "..", "@", ":", ":443", ":8443", "?", "#", "%2f",
        "%5c", "%09", "%00", "\t", "\n", "\r", " ", "\u3002", "\uff0f", "[::1]", "a",
    ]
)  # fmt: skip
ATTACKS = st.lists(PIECES, max_size=9).map("".join)


def where_a_browser_goes(return_to: str) -> str:
    """Read a location as browsers do (WHATWG): tabs and line feeds do not count there,
    a backslash is a slash, and any number of slashes may follow the scheme."""
    text = "".join(c for c in return_to if c not in "\t\n\r").strip(" ")
    text = text.replace("\\", "/")
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in {"http", "https"}:
        text = f"{scheme}://{rest.lstrip('/')}"
    elif text.startswith("//"):
        text = "//" + text.lstrip("/")
    return urljoin(f"{HOME}/auth/login", text)


@given(st.one_of(ATTACKS, st.text()))
@example("/\\evil.cafe")
@example("/\t/evil.cafe")
@example("https:evil.cafe")
@example("https://auth.platform.cafe@evil.cafe")
@example("https://evilplatform.cafe/")
@example("https://play.elsewhere.cafe:8443/")
@example("http://play.elsewhere.cafe/")
def test_parse_accepts_hosts_of_the_platform(return_to: str) -> None:
    try:
        accepted = POLICY.parse(return_to)
    except ReturnToInvalid:
        return

    arrived = urlsplit(where_a_browser_goes(accepted))

    assert accepted in {return_to, ""}
    assert arrived.scheme == "https"
    assert arrived.username is None
    assert arrived.port is None
    assert arrived.hostname == "play.elsewhere.cafe" or (
        arrived.hostname or ""
    ).endswith(".platform.cafe")


@given(
    st.from_regex(
        r"/[a-z0-9._~%!$&'()*+,;=:@-]{0,40}(\?[a-z0-9=&%/]{0,40})?", fullmatch=True
    )
)
def test_parse_accepts_own_paths_unchanged(path: str) -> None:
    assert POLICY.parse(path) == path


@pytest.mark.parametrize("target", HOSTILE)
def test_parse_of_a_hostile_target_raises_return_to_invalid(target: str) -> None:
    with pytest.raises(ReturnToInvalid):
        POLICY.parse(target)


def test_parse_of_a_long_target_raises_return_to_invalid() -> None:
    with pytest.raises(ReturnToInvalid):
        POLICY.parse("/" + "a" * LONGEST)
