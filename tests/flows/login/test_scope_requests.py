"""What may be asked, what is missing, and how it is spelled on the way out."""

from __future__ import annotations

import pytest

from app.atproto.records import SCOPE_LIMIT, SCOPE_WORDS
from app.flows.errors import ScopeRefused
from app.flows.login.scope_requests import Permissions

TRACK = "repo:app.relay.track"
MOST = f"atproto {TRACK} repo:* include:app.relay.authPlay account:email"


@pytest.fixture
def permissions() -> Permissions:
    return Permissions(scope="atproto account:email", declared=MOST)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("", "atproto account:email"),
        ("atproto", "atproto account:email"),
        (TRACK, f"atproto account:email {TRACK}"),
        (f"{TRACK}?action=create", f"atproto account:email {TRACK}"),
        ("repo:app.relay.list", "atproto account:email repo:*"),
        (f"repo:* {TRACK}", "atproto account:email repo:*"),
        ("include:app.relay.authPlay",
         "atproto account:email include:app.relay.authPlay"),
    ],
)  # fmt: skip
def test_a_permission_goes_out_as_the_narrowest_that_is_declared(
    permissions: Permissions, asked: str, sent: str
) -> None:
    """Requirement 4.6: servers know the declared words and no others."""
    assert permissions.to_ask(permissions.parse(asked)) == sent


@pytest.mark.parametrize(
    ("held", "sent"),
    [
        ("atproto", "atproto account:email"),
        (f"atproto {TRACK}?action=delete", f"atproto account:email {TRACK}"),
        ("atproto rpc:app.relay.play?aud=*",
         "atproto account:email include:app.relay.authPlay"),
        ("atproto rpc:chat.bsky.convo.list?aud=* identity:*", "atproto account:email"),
        ("atproto transition:generic", "atproto account:email"),
    ],
)  # fmt: skip
def test_to_ask_keeps_the_held_scope_that_is_still_declared(
    permissions: Permissions, held: str, sent: str
) -> None:
    """Requirements 8.9, 8.10: a permission set comes back as what is in it."""
    assert permissions.to_ask("", held) == sent


@pytest.mark.parametrize("scope", ["repo:", "identity:*", "transition:generic", " "])
def test_parse_beyond_scope_max_raises_scope_refused(
    permissions: Permissions, scope: str
) -> None:
    with pytest.raises(ScopeRefused):
        permissions.parse(scope)


@pytest.mark.parametrize(
    "scope",
    ["atproto repo:" + "a" * SCOPE_LIMIT, "atproto" + " transition:x" * SCOPE_WORDS],
)
def test_parse_of_what_no_server_could_grant_raises_scope_refused(
    scope: str,
) -> None:
    anything = Permissions(scope="atproto", declared=scope)

    with pytest.raises(ScopeRefused, match="too long"):
        anything.parse(scope)


def test_a_coarse_word_does_not_stand_for_what_it_would_allow() -> None:
    """Requirement 8.6: it would have to be asked for, and is far more than was
    wanted.
    """
    permissions = Permissions(scope="atproto", declared="atproto transition:generic")

    with pytest.raises(ScopeRefused):
        permissions.parse(TRACK)


def test_without_a_session_at_the_host_everything_is_missing(
    permissions: Permissions,
) -> None:
    assert permissions.missing(f"atproto {TRACK}", None) == ("atproto", TRACK)
    assert permissions.missing("", None) == ()
