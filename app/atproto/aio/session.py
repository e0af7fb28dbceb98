"""AsyncLiveSession: awaits requests to an account's PDS with its session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import IO

from ..http.types import Body, Deadline, Response
from ..records import OAuthSession
from ..session.session import ANSWER_LIMIT, LiveSession
from ..syntax.grammar import Did, Handle
from .workers import Workers


class AsyncLiveSession:
    """A stored session in use; it holds no token, so copies never become outdated."""

    def __init__(self, plain: LiveSession, workers: Workers) -> None:
        self.plain = plain
        """The same session, for code that runs in threads while the client is open."""
        self.workers = workers

    @property
    def did(self) -> Did:
        """Return the account."""
        return self.plain.did

    @property
    def session_id(self) -> str:
        """Return the session's id, unique for its account."""
        return self.plain.session_id

    @property
    def handle(self) -> Handle | None:
        """Return the handle as verified at the sign-in, or None; display text only."""
        return self.plain.handle

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        sink: IO[bytes] | None = None,
        deadline: Deadline,
        limit: int = ANSWER_LIMIT,
    ) -> Response:
        """Send one request to the account's PDS; return its answer with any status.

        Arguments and errors are those of `LiveSession.request`, and ClientBusy. A
        request whose task is cancelled may still arrive, and its thread may use the
        files of an `Upload` or a `sink` until the deadline.
        """
        send = partial(
            self.plain.request,
            method,
            path,
            params=params,
            headers=headers,
            body=body,
            sink=sink,
            deadline=deadline,
            limit=limit,
        )
        return await self.workers.run(send, deadline=deadline)

    async def refresh(self, *, deadline: Deadline) -> OAuthSession:
        """Refresh the session now, due or not; return it as it is stored.

        Raises what `LiveSession.refresh` raises, and ClientBusy.
        """
        refresh = partial(self.plain.refresh, deadline=deadline)
        return await self.workers.run(refresh, deadline=deadline)
