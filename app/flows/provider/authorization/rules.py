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
from .waiting import Proof, WaitingRequest

Way = Literal["sign_in", "sign_up"]

SHOWN_FIRST: Final = ("create", "select_account")
"""Prompts that are met by an answer on the sign-in page: an account to sign in with, or
the one that is signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is signed in in a browser; `user` is None for a newcomer in the sign-up."""

    session: Session
    user: User | None
    is_chosen: bool = False
    """The person has said on the sign-in page to go on with this account."""


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
    if request.has_lost_hint and "none" in request.prompt:
        # The app asks for one account, and which one is not known (Core 3.1.2.1).
        refuse(request, "login_required", "the key of the id_token_hint is gone")
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
    if shown and not (visitor.is_chosen or _is_proved(visitor.session, held)):
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

    A sign-in with `prompt=login` that was begun for this request ends the round, at any
    age. For `max_age`, the session from before the request counts by its age; any later
    one may be of a host that asked for nothing.
    """
    if held and held.proof == Proof(sid=session.sid, prompt="login"):
        return False
    if "login" in request.prompt or request.max_age == 0:
        return True
    if request.max_age is None:
        return False
    is_later = held is not None and session.sid != held.asked_sid
    return is_later or now - session.created_at > request.max_age


def refuse(
    request: AuthorizationRequest, code: ErrorCode, description: str
) -> NoReturn:
    """Raise `RequestRefused` for the app of a request."""
    raise RequestRefused(
        code, description, redirect_uri=request.redirect_uri, state=request.state
    )


def _prompt(request: AuthorizationRequest) -> str:
    """Return the prompt of the sign-in page; of several, the one that asks most."""
    if "login" in request.prompt or request.max_age is not None:
        return "login"
    for word in SHOWN_FIRST:
        if word in request.prompt:
            return word
    return ""


def _is_proved(session: Session, held: WaitingRequest | None) -> bool:
    """Tell whether the session comes from a sign-in that was begun for the request."""
    return held is not None and held.proof is not None and held.proof.sid == session.sid


def _sign_in(request: AuthorizationRequest, prompt: str) -> First:
    identifier = request.subject or request.login_hint or ""
    return First(way="sign_in", prompt=prompt, identifier=identifier)
