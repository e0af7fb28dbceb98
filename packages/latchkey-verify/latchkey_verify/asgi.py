"""ASGI middleware (FastAPI, Starlette, Quart): who is signed in, for each request.

    app.add_middleware(SignedIn, verifier=verifier)

`scope["latchkey.person"]` is then a `Person` or None, for HTTP and for WebSockets, and
`scope["latchkey.error"]` the NotSignedIn that says why it is None.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from .errors import KeysUnavailable, NotSignedIn

if TYPE_CHECKING:
    from .verifier import Person, Verifier

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PERSON: Final = "latchkey.person"
ERROR: Final = "latchkey.error"

TRY_AGAIN_LATER: Final = 1013
"""The WebSocket close code of a server that cannot serve now (IANA registry)."""


class SignedIn:
    """Puts the person of each request into its scope."""

    def __init__(self, app: Application, verifier: Verifier) -> None:
        self._app, self._verifier = app, verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application; answer 503 when no keys could be fetched yet."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope[PERSON] = scope[ERROR] = None
        try:
            scope[PERSON] = await self._authenticate(scope["headers"])
        except NotSignedIn as error:
            scope[ERROR] = error
        except KeysUnavailable:
            await _unavailable(scope, send)
            return
        await self._app(scope, receive, send)

    async def _authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Person:
        found = {b"authorization": "", b"cookie": ""}
        for name, value in headers:
            if name in found:
                # HTTP/2 may send several Cookie headers (RFC 9113 section 8.2.3).
                before = f"{found[name]}; " if found[name] else ""
                found[name] = before + value.decode("latin-1")
        # In a thread, because an unknown key id or an old feed is fetched first.
        return await asyncio.to_thread(
            self._verifier.authenticate,
            authorization=found[b"authorization"],
            cookies=found[b"cookie"],
        )


async def _unavailable(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
        return
    body = b"The sign-in service cannot be reached.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"10"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
