"""The commands login, resume, session and logout. Each returns its exit code.

The token is printed by `session --token` alone. Ctrl-C gives the login up, so that no
process goes on waiting for it.
"""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import AwaitTimedOut, NativeError
from ..manager import AuthManager
from ..stores.open_store import default_directory, open_store
from ..transports.http_transport import HttpTransport
from .exit_codes import Exit, exit_code
from .languages import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records import LoginStarted, NativeSession, SignedOut
    from ..stores.store import StateStore
    from ..transports.transport import Transport
    from .arguments import Options
    from .terminal import Screen

APP = "latchkey"


def run(options: Options, screen: Screen) -> Exit:
    """Run one command; an error becomes a message and an exit code."""
    commands: dict[str, Callable[[Options, Screen], Exit]] = {
        "login": login,
        "resume": resume,
        "session": session,
        "logout": logout,
    }
    try:
        return commands[options.command](options, screen)
    except NativeError as error:
        screen.settle()
        screen.error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        screen.settle()
        screen.failure("interrupted", _("Interrupted."))
        return Exit.INTERRUPTED


def login(options: Options, screen: Screen) -> Exit:
    """Sign in at a service, and wait until the browser is done."""
    auth = AuthManager(_store(options), transport=_transport(options))
    started = auth.start_login(
        options.server_url,
        options.identifier,
        app_name=options.app_name or _app_name(),
    )
    return _wait(auth, started, options, screen=screen)


def resume(options: Options, screen: Screen) -> Exit:
    """Wait for the login that is under way."""
    auth = AuthManager(_store(options), transport=_transport(options))
    started = auth.pending_login()
    if started is None:
        screen.failure("login_not_started", _("No sign-in is under way."))
        return Exit.NOT_SIGNED_IN
    return _wait(auth, started, options, screen=screen)


def session(options: Options, screen: Screen) -> Exit:
    """Print who is signed in, or the token, which is renewed when it has to be."""
    transport = HttpTransport(ca_bundle=options.ca_bundle)
    found = AuthManager(_store(options), transport=transport).get_session()
    if found is None:
        screen.failure("not_signed_in", _("Nobody is signed in here."))
        return Exit.NOT_SIGNED_IN
    shown = _without_token(found)
    if options.token:
        screen.result(found.token, {**shown, "token": found.token})
        return Exit.DONE
    until = _("{account}, until {time}.")
    account, time = _account(found), _time(found.expires_at)
    screen.result(until.format(account=account, time=time), shown)
    return Exit.DONE


def logout(options: Options, screen: Screen) -> Exit:
    """Remove the session here, end it at the service, and print the result."""
    transport = HttpTransport(ca_bundle=options.ca_bundle)
    done = AuthManager(_store(options), transport=transport).sign_out()
    document: dict[str, Any] = {"was_signed_in": done.server_url is not None}
    if done.server_url is not None:
        document |= {"server_url": done.server_url, "account_page": done.account_page}
        document |= {"session_ended": done.is_ended}
    if done.trouble is not None:
        document |= {"trouble": done.trouble}
    screen.result(_sentence(done), document)
    return Exit.DONE


def _wait(
    auth: AuthManager,
    started: LoginStarted,
    options: Options,
    *,
    screen: Screen,
) -> Exit:
    opening = not options.no_browser
    screen.login(started, opening=opening)
    if opening and not auth.open_page(started):
        screen.note(_("No browser could be opened here."))
    try:
        found = auth.await_login(
            started.session_id, timeout=options.timeout, on_wait=screen.waiting
        )
    except (AwaitTimedOut, KeyboardInterrupt):
        auth.cancel(started.session_id)
        raise
    screen.settle()
    screen.result(f"{_account(found)}.", _without_token(found))
    return Exit.DONE


def _store(options: Options) -> StateStore:
    return open_store(options.state_dir or default_directory(APP), options.store)


def _transport(options: Options) -> Transport:
    if options.grpc is None:
        return HttpTransport(ca_bundle=options.ca_bundle)
    from ..transports.grpc_transport import GrpcTransport  # noqa: PLC0415 # only where it is chosen

    tls = True if options.grpc_tls else None
    return GrpcTransport(options.grpc, tls=tls, ca_bundle=options.ca_bundle)


def _sentence(done: SignedOut) -> str:
    if done.server_url is None and done.trouble is None:
        return _("Nobody was signed in here.")
    trouble = _(done.trouble) if done.trouble else ""
    if done.server_url is None:
        said = _("Removed unread, so that no service was told: {trouble}")
    elif not trouble:
        said = _("Signed out at {server}.")
    else:
        said = _(
            "Forgotten on this machine. The service may still keep the session"
            " ({trouble}): end it at {page}"
        )
    return said.format(trouble=trouble, server=done.server_url, page=done.account_page)


def _app_name() -> str:
    """Return a name that differs from machine to machine."""
    host = platform.node()[:40]
    is_plain = bool(host) and host.isprintable()
    return f"Command line on {host}" if is_plain else "Command line"


def _without_token(session: NativeSession) -> dict[str, Any]:
    return {name: value for name, value in asdict(session).items() if name != "token"}


def _account(session: NativeSession) -> str:
    account = session.handle or session.did
    said = _("Signed in as {username} ({account}) at {server}")
    server = session.server_url
    return said.format(username=session.username, account=account, server=server)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
