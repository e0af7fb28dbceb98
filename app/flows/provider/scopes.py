"""Scopes of the provider, and the claims of each (OpenID Connect Core section 5.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.syntax.grammar import Handle
from app.flows.ports import User

from .registration import Email

SCOPES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "openid": ("sub",),
        "profile": (
            "preferred_username",
            "name",
            "picture",
            "profile",
            "updated_at",
            "handle",
            "handle_verified_at",
        ),
        "groups": ("groups",),
        "email": ("email", "email_verified"),
        "offline_access": (),
    }
)
"""The claims of each scope. Those without a value are absent."""

LONGEST_SUB: Final = 255
"""ASCII characters of `sub` (OpenID Connect Core section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What this platform says of people, beside their names."""

    email_domain: str | None
    profile_url: str | None
    """Template of the profile page with `{did}`."""
    picture_url: str | None = None
    """Template of a picture with `{did}` and `{cid}`: no URL comes from a host."""
    is_trusted: Callable[[str], bool] = lambda _host: False
    """Whether EMAIL_TRUSTED_HOSTS names a PDS."""

    def claims(
        self,
        user: User,
        scope: str,
        *,
        groups: Sequence[str],
        email: Email,
        handle: Handle | None,
        handle_checked_at: float,
    ) -> dict[str, Any]:
        """Return the claims of an account for a granted scope, `openid` among it.

        `email_verified` is true for an address that a trusted PDS calls confirmed, and
        else absent.

        Raises:
            ValueError: the DID is too long to be a `sub`.
        """
        if len(user.did) > LONGEST_SUB:
            raise ValueError(f"a DID of more than {LONGEST_SUB} characters is no sub")
        possible: dict[str, Any] = {
            "sub": user.did,
            "preferred_username": user.username,
            "name": user.display_name or user.username,
            "picture": self._picture(user),
            "profile": self._profile(user),
            "updated_at": _updated_at(user),
            "handle": handle,
            "handle_verified_at": None if handle is None else int(handle_checked_at),
            "groups": list(groups),
            "email": self._email(user, email),
            "email_verified": self._is_verified(user, email) or None,
        }
        named = [name for word in scope.split() for name in SCOPES[word]]
        return {name: possible[name] for name in named if possible[name] is not None}

    def _profile(self, user: User) -> str | None:
        if self.profile_url is None:
            return None
        return self.profile_url.replace("{did}", user.did)

    def _picture(self, user: User) -> str | None:
        if self.picture_url is None or user.avatar_cid is None:
            return None
        named = self.picture_url.replace("{did}", user.did)
        return named.replace("{cid}", user.avatar_cid)

    def _email(self, user: User, email: Email) -> str | None:
        """Return the address of the PDS, or one made from the DID.

        None is made from a username, which may go to another person.
        """
        if email == "account":
            return user.email
        if email == "none" or self.email_domain is None:
            return None
        return f"{sha256_hex(user.did)[:32]}@{self.email_domain}"

    def _is_verified(self, user: User, email: Email) -> bool:
        if email != "account" or user.email is None or user.email_host is None:
            return False
        return user.email_confirmed_at is not None and self.is_trusted(user.email_host)


def _updated_at(user: User) -> int:
    """Return when name or picture were last read or changed, in epoch seconds."""
    times = (user.created_at, user.username_changed_at, user.profile_checked_at)
    return int(max(at for at in times if at is not None))


def parse_scope(words: Sequence[str]) -> str:
    """Return the scope of a registration: known words, each once, in our order.

    Raises:
        ValueError: an unknown word, or no `openid`.
    """
    asked = {word for text in words for word in text.split()}
    unknown = sorted(asked - SCOPES.keys())
    if unknown:
        raise ValueError(
            f"{unknown[0][:40]!r} is no scope; there are {', '.join(SCOPES)}"
        )
    if "openid" not in asked:
        raise ValueError("the scope needs openid")
    return " ".join(word for word in SCOPES if word in asked)


def narrowed_scope(asked: str, granted: str) -> str:
    """Return the scope of a refresh: the asked words, in the order of the granted ones.

    Raises:
        ValueError: a word that was not granted (RFC 6749 section 6).
    """
    words, wanted = granted.split(), set(asked.split(" ")) - {""}
    if not wanted or not wanted <= set(words):
        raise ValueError("the scope is wider than what was granted")
    return " ".join(word for word in words if word in wanted)


def granted_scope(asked: str, registered: str) -> str:
    """Return the scope of a request: the asked words that are registered, in our order.

    A request that asks for nothing gets what is registered. Unknown words are left out.

    Raises:
        ValueError: nothing known is left; the message repeats nothing of the request.
    """
    if not asked:
        return registered
    wanted = asked.split(" ")
    granted = " ".join(word for word in registered.split() if word in wanted)
    if not granted:
        raise ValueError("scope has no word that this client may ask for")
    return granted
