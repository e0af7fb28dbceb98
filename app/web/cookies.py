"""Our cookies: names, attributes and lifetimes, in one place.

The platform token travels on the parent domain, for every service of the platform. All
others are ours alone (`__Host-` in production): the sign-in session's secret, one
secret for each login under way and for each app that waits for an answer, the accounts
remembered on this device, the chosen language, and the host that an account has just
left. All are HttpOnly and SameSite=Lax; with Strict, the callback would come without
them (requirement 9.13).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Response, request

from app.atproto.crypto.encoding import sha256_hex
from app.atproto.errors import IdentifierInvalid, printable
from app.atproto.syntax.foreign_json import parse_json
from app.atproto.syntax.grammar import parse_did, parse_handle
from app.flows.sessions.session import SignedIn

from .context import flows, site
from .requests import bearer_token

SESSION = "latchkey-session"
REMEMBERED = "latchkey-accounts"
FLOW = "latchkey-flow-"
NATIVE = "latchkey-native-"

FLOW_LIFETIME = 3600
"""Seconds; as long as an auth request waits (requirement 9.12)."""

NATIVE_LIFETIME = 1800
"""Seconds; as long as an app awaits its login."""

MOST_TOKENS = 4
"""Cookies of the platform token's name that are tried; each costs a signature check."""

MOST_FLOWS = 8
"""Logins under way in one browser: the oldest makes room, headers stay small."""

REMEMBERED_LIFETIME = 180 * 24 * 3600
MOST_REMEMBERED = 5


@dataclass(frozen=True, slots=True)
class OneValue:
    """A cookie that a browser has once; `lifetime` is in seconds."""

    name: str
    lifetime: int

    def read(self) -> str:
        """Return the value as it was set, or ""."""
        return request.cookies.get(_own(self.name), "")

    def set(self, response: Response, value: str) -> None:
        """Set the cookie."""
        _set(response, self.name, value, max_age=self.lifetime)

    def end(self, response: Response) -> None:
        """Delete the cookie, where the browser sent one."""
        if _own(self.name) in request.cookies:
            _clear(response, self.name)


MOVED = OneValue("latchkey-moved", 30 * 24 * 3600)
"""The host that the account has left, until it is shown (requirement 7.16)."""

OUTCOME = OneValue("latchkey-outcome", 600)
"""What /auth/result shows of a login."""

ROUNDS = OneValue("latchkey-rounds", 60)
"""The count of redirects to a service within its lifetime, see `redirect_loop`."""

LANGUAGE = OneValue("latchkey-language", 365 * 24 * 3600)
"""The language that was chosen in the menu, a BCP 47 tag."""

INVITATION = OneValue("latchkey-invitation", 24 * 3600)
"""The secret of an invitation, from its link to the sign-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedAccount:
    """An account that signed in on this device before; display text, proves nothing."""

    did: str
    handle: str | None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeVisit:
    """The cookie between the callback of an app's login and the person's decision."""

    mark: str
    """Distinguishes the apps that wait in one browser; in URLs and hidden fields."""
    login_id: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, login_id: str, secret: str) -> NativeVisit:
        """Return the visit of a login; its mark reveals nothing of the app's secret."""
        return cls(mark=login_id[:12], login_id=login_id, secret=secret)


def session_secret() -> str | None:
    """Return the secret of this browser's sign-in session."""
    return request.cookies.get(_own(SESSION))


def platform_tokens() -> list[str]:
    """Return the platform tokens that this browser carries, at most MOST_TOKENS.

    A browser sends several cookies of one name when they were set for several domains
    or paths. A stale one may come first, so callers try each of them. The cookie's
    former name counts as well, because an upgrade signs no person out.
    """
    named = request.cookies.getlist(site().cookie_name)
    return [*named, *_former_tokens()][:MOST_TOKENS]


def presented_tokens() -> list[str]:
    """Return the Bearer token alone, good or not, or else the browser's tokens."""
    bearer = bearer_token()
    return platform_tokens() if bearer is None else [bearer]


def _former_tokens() -> list[str]:
    """Return the tokens in cookies of the former name that are this browser's own.

    Sibling hosts can set the former name, and no `__Host-` cookie: only a token of the
    session that our session cookie opens counts.
    """
    name, secret = site().former_cookie_name, session_secret()
    if name is None or secret is None or name not in request.cookies:
        return []
    tokens = request.cookies.getlist(name)[:MOST_TOKENS]
    return flows().identify.issued_for(secret, tokens)


def set_platform_token(response: Response, token: str) -> None:
    """Give the browser its platform token, for all of the platform."""
    here = site()
    response.set_cookie(
        here.cookie_name, token, max_age=here.token_lifetime, **_shared()
    )
    _clear_former_token(response)


def set_probe(response: Response, name: str) -> None:
    """Set a cookie with the attributes of the platform token, for `doctor`."""
    response.set_cookie(name, "probe", max_age=1, **_shared())


def set_session(response: Response, signed_in: SignedIn, secret: str) -> None:
    """Give the browser the secret of its new sign-in session."""
    remaining = signed_in.session.expires_at - site().clock()
    _set(response, SESSION, secret, max_age=int(remaining))


def clear_signed_in(response: Response) -> None:
    """Delete the session and platform token cookies."""
    _clear(response, SESSION)
    response.delete_cookie(site().cookie_name, **_shared())
    _clear_former_token(response)


def begin_flow(response: Response, *, state: str, secret: str) -> None:
    """Give the browser the secret that finishes this login (requirement 9.12)."""
    _make_room(response, FLOW)
    _set(response, _flow_name(state), _marked(secret), max_age=FLOW_LIFETIME)


def flow_secrets() -> list[str]:
    """Return the secrets of the logins that this browser has under way."""
    return [value.partition(".")[2] for value in _several(FLOW).values()]


def flow_secret(state: str) -> str:
    """Return the secret of one login that this browser has under way, or ""."""
    return request.cookies.get(_own(_flow_name(state)), "").partition(".")[2]


def end_flow(response: Response, *, state: str) -> None:
    """Delete the cookie of a login that is over."""
    name = _flow_name(state)
    if _own(name) in request.cookies:
        _clear(response, name)


def begin_native(response: Response, visit: NativeVisit) -> None:
    """Set the cookie that may decide about an app; it does not sign the browser in."""
    _make_room(response, NATIVE)
    value = _marked(f"{visit.login_id}.{visit.secret}")
    _set(response, NATIVE + visit.mark, value, max_age=NATIVE_LIFETIME)


def native_visit(mark: str) -> NativeVisit | None:
    """Return what this browser holds for the app that a mark names."""
    value = request.cookies.get(_own(NATIVE + mark), "")
    _, _, rest = value.partition(".")
    login_id, _, secret = rest.partition(".")
    if not secret:
        return None
    return NativeVisit(mark=mark, login_id=login_id, secret=secret)


def end_native(response: Response, visit: NativeVisit) -> None:
    """Delete the cookie of an app: the person has decided."""
    _clear(response, NATIVE + visit.mark)


def remembered_accounts() -> list[RememberedAccount]:
    """Return the accounts this device remembers, newest first, without odd ones."""
    raw = request.cookies.get(_own(REMEMBERED), "")
    try:
        entries = parse_json(base64.urlsafe_b64decode(raw.encode()))
    except (ValueError, binascii.Error):
        return []
    if not isinstance(entries, list):
        return []
    read = [_remembered(entry) for entry in entries[:MOST_REMEMBERED]]
    return [account for account in read if account is not None]


def remember(response: Response, account: RememberedAccount) -> None:
    """Put an account first among those this device remembers."""
    others = [a for a in remembered_accounts() if a.did != account.did]
    _set_remembered(response, [account, *others][:MOST_REMEMBERED])


def forget(response: Response, did: str) -> None:
    """Remember an account no longer."""
    _set_remembered(response, [a for a in remembered_accounts() if a.did != did])


def forget_signed_in(response: Response) -> None:
    """Remember the account no longer that this browser is, or was, signed in with.

    It is the newest of those remembered, as each sign-in puts its account first.
    """
    is_signed_in = bool(session_secret() or platform_tokens())
    if is_signed_in and (accounts := remembered_accounts()):
        _set_remembered(response, accounts[1:])


def _clear_former_token(response: Response) -> None:
    """Delete the platform cookie of the former name, where the browser sent one."""
    former = site().former_cookie_name
    if former is not None and former in request.cookies:
        response.delete_cookie(former, path="/", secure=True, httponly=True)


def _set_remembered(response: Response, accounts: list[RememberedAccount]) -> None:
    if not accounts:
        _clear(response, REMEMBERED)
        return
    text = json.dumps([asdict(account) for account in accounts], separators=(",", ":"))
    value = base64.urlsafe_b64encode(text.encode()).decode()
    _set(response, REMEMBERED, value, max_age=REMEMBERED_LIFETIME)


def _remembered(entry: Any) -> RememberedAccount | None:
    """Read one entry of a cookie that anybody could have written."""
    try:
        handle, host = entry["handle"], entry["host"]
        return RememberedAccount(
            did=parse_did(entry["did"], allow_localhost=True, allow_test=True),
            handle=None if handle is None else parse_handle(handle),
            # Any name of a server, in loopback development `localhost`.
            host=None if host is None else printable(host),
        )
    except (KeyError, TypeError, IdentifierInvalid):
        return None


def _several(kind: str) -> dict[str, str]:
    """Return the cookies of a kind of which a browser has several."""
    prefix = _own(kind)
    return {n: v for n, v in request.cookies.items() if n.startswith(prefix)}


def _make_room(response: Response, kind: str) -> None:
    """Delete the oldest of a kind, so that there is room for one more."""
    kept = sorted(_several(kind).items(), key=lambda cookie: _age_mark(cookie[1]))
    for name, _ in kept[: len(kept) - MOST_FLOWS + 1]:
        _clear(response, name.removeprefix(site().cookie_prefix))


def _marked(value: str) -> str:
    return f"{int(site().clock())}.{value}"


def _flow_name(state: str) -> str:
    """Return a name that distinguishes flows and does not reveal the state."""
    return FLOW + sha256_hex(state)[:12]


def _age_mark(value: str) -> int:
    mark = value.partition(".")[0]
    return int(mark) if mark.isascii() and mark.isdigit() else 0


def _own(name: str) -> str:
    return site().cookie_prefix + name


def _set(response: Response, name: str, value: str, *, max_age: int) -> None:
    response.set_cookie(_own(name), value, max_age=max_age, **_attributes())


def _clear(response: Response, name: str) -> None:
    response.delete_cookie(_own(name), **_attributes())


def _attributes() -> dict[str, Any]:
    secure = site().is_secure
    return {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}


def _shared() -> dict[str, Any]:
    """Return the attributes of a cookie for all of the platform."""
    return {**_attributes(), "domain": site().cookie_domain}
