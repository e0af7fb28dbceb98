"""What the service is told while the person waits: once, and for so long.

Nothing here is worth an error to the caller: what mattered has been done on this
machine before.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .errors import LoginRefused, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import NativeSession
    from .transport import Transport


def tell(
    say: Callable[[], None], *, within: float
) -> LoginRefused | ServerUnreachable | None:
    """Say something in a thread of its own; return what went wrong."""
    heard: list[LoginRefused | ServerUnreachable | None] = []

    def speak() -> None:
        try:
            say()
        except (LoginRefused, ServerUnreachable) as error:
            heard.append(error)
        else:
            heard.append(None)

    thread = threading.Thread(target=speak, name="latchkey-tell", daemon=True)
    thread.start()
    thread.join(within)
    return heard[0] if heard else ServerUnreachable("it does not answer in time")


def end_session(
    transport: Transport, session: NativeSession, *, now: float, within: float
) -> str | None:
    """Have the service end a session; return why it may still keep it.

    A token that is refused before its time belongs to a session that has ended. One
    whose time is over says nothing of its session.
    """
    trouble = tell(
        lambda: transport.end_session(session.server_url, session.token), within=within
    )
    if not (isinstance(trouble, LoginRefused) and trouble.code == "not_signed_in"):
        return None if trouble is None else str(trouble)
    return None if now < session.expires_at else "the token has expired"
