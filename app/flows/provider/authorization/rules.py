"""What a person has to do before an app gets its code: prompts, max_age, hints, policy.

OpenID Connect Core section 3.1.2. A request may end the person's part (`go`), lead to
the sign-in, or to the question whether the app may be told. With `prompt=none` each of
these is an error for the app instead of a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from app.flows.ports import Session, User

from .errors import ErrorCode, RequestRefused
from .request import AuthorizationRequest
from .waiting import WaitingRequest

Way = Literal["sign_in", "sign_up"]

SHOWN_FIRST: Final = ("create", "select_account")
"""Prompts that are met once the person has seen the sign-in page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is signed in in a browser; `user` is None for a newcomer in the sign-up."""

    session: Session
    user: User | None


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What comes first: the sign-in, with a prompt and an account, or the sign-up."""

    way: Way
    prompt: str = ""
    identifier: str = ""


def before_consent(
    request: AuthorizationRequest,
    visitor: Visitor | None,
    *,
    held: WaitingRequest | None,
    now: float,
) -> First | None:
    """Return what comes before policy and consent; None if nothing does.

    `held` is the request as it waited, None at its first sight.

    Raises:
        RequestRefused: `prompt=none` would need a page, or the account of the hint did
            not sign in.
    """
    first = _first(request, visitor, held=held, now=now)
    if first is not None and "none" in request.prompt:
        code: ErrorCode = (
            "interaction_required" if first.way == "sign_up" else "login_required"
        )
        refuse(request, code, "the person has to act first")
    return first


def _first(
    request: AuthorizationRequest,
    visitor: Visitor | None,
    *,
    held: WaitingRequest | None,
    now: float,
) -> First | None:
    if visitor is None:
        return _sign_in(request, _prompt(request))
    if needs_proof(request, visitor.session, held=held, now=now):
        return _sign_in(request, "login")
    shown = [word for word in SHOWN_FIRST if word in request.prompt]
    if held is None and shown:
        return _sign_in(request, shown[0])
    if request.subject not in {None, visitor.session.did}:
        if held is not None:
            refuse(request, "login_required", "another account is signed in")
        return _sign_in(request, "select_account")
    return First(way="sign_up") if visitor.user is None else None


def needs_proof(
    request: AuthorizationRequest,
    session: Session,
    *,
    held: WaitingRequest | None,
    now: float,
) -> bool:
    """Tell whether the host has to prove the account once more.

    A proof that is newer than the request ends the round, at any age.
    Times are stored in whole seconds, so the session has to be another one as well.
    """
    is_old = request.max_age is not None and now - session.created_at > request.max_age
    if "login" not in request.prompt and not is_old:
        return False
    if held is None:
        return True
    is_newer = session.created_at >= int(held.asked_at)
    return session.sid == held.asked_sid or not is_newer


def refuse(
    request: AuthorizationRequest, code: ErrorCode, description: str
) -> NoReturn:
    """Raise `RequestRefused` for the app of a request."""
    raise RequestRefused(
        code, description, redirect_uri=request.redirect_uri, state=request.state
    )


def _prompt(request: AuthorizationRequest) -> str:
    """Return the prompt of the sign-in page; of several, the one that asks most."""
    for word in ("login", *SHOWN_FIRST):
        if word in request.prompt:
            return word
    return "login" if request.max_age == 0 else ""


def _sign_in(request: AuthorizationRequest, prompt: str) -> First:
    identifier = request.subject or request.login_hint or ""
    return First(way="sign_in", prompt=prompt, identifier=identifier)
