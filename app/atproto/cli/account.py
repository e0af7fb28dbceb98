"""The commands `whoami`, `refresh` and `logout`.

None of them prints a token, a key or a nonce.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from ..records import OAuthSession
from .answers import judge
from .invocation import Invocation
from .options import account_option, command, option, timeout_option
from .screen import table

GET_SESSION = "/xrpc/com.atproto.server.getSession"


def whoami(call: Invocation) -> None:
    """Print a session, after asking its PDS whether it is still valid."""
    if call.options.all:
        _list_accounts(call)
        return
    session = call.session()
    if not call.options.offline:
        deadline = call.deadline(call.options.timeout)
        live = call.client().restore(session.did, session.session_id)
        judge(live.request("GET", GET_SESSION, deadline=deadline))
        session = call.sessions.get(session.did, session.session_id) or session
    name = session.handle or session.did
    call.screen.show(describe(session), [str(name), *lines_of(session)])


def refresh(call: Invocation) -> None:
    """Refresh a session, also before its tokens expire."""
    session = call.session()
    session = call.client().refresh(
        session.did, session.session_id, deadline=call.deadline(call.options.timeout)
    )
    name = session.handle or session.did
    lines = [f"{name} has new tokens.", *lines_of(session)]
    call.screen.show(describe(session), lines)


def logout(call: Invocation) -> None:
    """End one session or all; a host that cannot revoke is no failure."""
    first = call.session()
    ending = call.sessions.all() if call.options.all else (first,)
    client = call.client()
    ended = []
    for session in ending:
        revocation = client.revoke(
            session.did,
            session.session_id,
            deadline=call.deadline(call.options.timeout),
        )
        asked = revocation.issuer if revocation and revocation.is_asked else None
        ended.append(
            {"did": session.did, "handle": session.handle, "revoked_at": asked}
        )
    names = [one["handle"] or one["did"] for one in ended]
    call.screen.show({"ended": ended}, [f"Signed out {name}." for name in names])


def describe(session: OAuthSession) -> dict[str, Any]:
    """Return a session for scripts, without secrets; times in epoch seconds."""
    return {
        "did": session.did,
        "handle": session.handle,
        "pds": session.pds,
        "issuer": session.issuer,
        "scope": session.scope,
        "client_id": session.client_id,
        "created_at": session.created_at,
        "refreshed_at": session.refreshed_at,
        "expires_at": session.expires_at,
    }


def lines_of(session: OAuthSession) -> list[str]:
    """Return a session as lines for people."""
    return table(
        {
            "DID": session.did,
            "PDS": session.pds,
            "signs in at": session.issuer,
            "may": session.scope,
            "since": _date(session.created_at),
        }
    )


def _list_accounts(call: Invocation) -> None:
    sessions = call.sessions.all()
    rows = {str(one.handle or one.did): one.did for one in sessions}
    lines = table(rows) or ["Nobody is signed in."]
    call.screen.show({"accounts": [describe(one) for one in sessions]}, lines)


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, tz=UTC):%Y-%m-%d %H:%M} UTC"


COMMANDS: Final = [
    command(
        "whoami",
        whoami,
        account_option(),
        option("--offline", is_flag=True, help="do not ask the host"),
        option("--all", is_flag=True, help="every account, without asking the hosts"),
        timeout_option(30.0, "how long the host may take"),
        summary="Show who is signed in, and ask their host",
    ),
    command(
        "refresh",
        refresh,
        account_option(),
        timeout_option(30.0, "how long the host may take"),
        summary="Get new tokens now",
    ),
    command(
        "logout",
        logout,
        account_option(),
        option("--all", is_flag=True, help="every account"),
        timeout_option(30.0, "how long each host may take"),
        summary="Sign out, here and at the host",
    ),
]
