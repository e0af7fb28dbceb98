"""AsyncOAuthClient: awaits the logins, sessions and refreshes of an OAuthClient.

Each method runs the plain one in a thread (`workers.py`): rules, order of checks and
errors are those of `client.py`. All of them raise ClientBusy as well, when no thread
was free before the deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final, Self

from ..client import Completed, OAuthClient, Revocation
from ..errors import AtprotoError
from ..http.types import Deadline
from ..oauth.authorization import Authorization
from ..records import OAuthSession
from ..syntax.grammar import Did, Handle
from ..syntax.identifier import Identifier
from .session import AsyncLiveSession
from .workers import Workers

log = logging.getLogger(__name__)

UNCLAIMED_BUDGET: Final = 10.0
"""Seconds for revoking a session whose login was cancelled."""


class AsyncOAuthClient:
    """An ATProto OAuth client for one event loop of asyncio.

    Opened once, with `async with`. When the block ends, the calls and refreshes that
    run are waited for, so that no new token is lost with the event loop.
    """

    def __init__(self, plain: OAuthClient, workers: Workers | None = None) -> None:
        """Use a plain client; `workers` are those on which its stores are bridged."""
        self.plain = plain
        """The same client, for code that runs in threads while this one is open."""
        self._workers = workers or Workers()

    async def __aenter__(self) -> Self:
        """Open the client.

        Raises:
            RuntimeError: it was opened before.
        """
        await self._workers.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Wait for the calls and refreshes that run; close the client."""
        await self._workers.close(self.plain.wait_for_refreshes)

    async def authorize(
        self,
        identifier: Identifier,
        *,
        scope: str,
        redirect_uri: str,
        deadline: Deadline,
        prompt: str | None = None,
        ui_locales: str | None = None,
        app_state: str = "",
        browser_secret: str | None = None,
    ) -> Authorization:
        """Push an authorization request and store what its callback needs.

        Arguments and errors are those of `OAuthClient.authorize`. When the task is
        cancelled, an auth request may be stored that no callback answers; it expires.
        """
        authorize = partial(
            self.plain.authorize,
            identifier,
            scope=scope,
            redirect_uri=redirect_uri,
            deadline=deadline,
            prompt=prompt,
            ui_locales=ui_locales,
            app_state=app_state,
            browser_secret=browser_secret,
        )
        return await self._workers.run(authorize, deadline=deadline)

    async def callback(
        self,
        parameters: Sequence[tuple[str, str]],
        *,
        deadline: Deadline,
        browser_secrets: Collection[str] | None = None,
    ) -> Completed:
        """Check the answer to an authorization request and store the session.

        Arguments and errors are those of `OAuthClient.callback`. When the task is
        cancelled, a session that the code exchange still brings is deleted, and revoked
        at its host: its id has reached no one.
        """
        callback = partial(
            self.plain.callback,
            parameters,
            deadline=deadline,
            browser_secrets=browser_secrets,
        )
        return await self._workers.run(
            callback, deadline=deadline, unclaimed=self._end_unclaimed
        )

    async def verified_handle(self, did: Did, *, deadline: Deadline) -> Handle | None:
        """Return the handle of an account, verified now in both directions, or None.

        Raises what `OAuthClient.verified_handle` raises.
        """
        verify = partial(self.plain.verified_handle, did, deadline=deadline)
        return await self._workers.run(verify, deadline=deadline)

    async def restore(self, did: Did, session_id: str) -> AsyncLiveSession:
        """Return a stored session, ready for requests to its PDS. Sends nothing.

        Raises:
            SessionEnded: there is no such session; sign in again.
        """
        live = await self._workers.run(partial(self.plain.restore, did, session_id))
        return AsyncLiveSession(live, self._workers)

    async def refresh(
        self, did: Did, session_id: str, *, deadline: Deadline
    ) -> OAuthSession:
        """Refresh a session now, due or not; requests refresh by themselves.

        Raises what `OAuthClient.refresh` raises. A refresh that has begun is stored for
        the next caller when the task is cancelled (requirement 7.10).
        """
        refresh = partial(self.plain.refresh, did, session_id, deadline=deadline)
        return await self._workers.run(refresh, deadline=deadline)

    async def revoke(
        self,
        did: Did,
        session_id: str,
        *,
        deadline: Deadline,
        keep_unanswered: bool = False,
    ) -> Revocation | None:
        """Delete a session, then revoke both tokens at its host, best effort.

        See `OAuthClient.revoke`. Returns None when there was no such session. Once it
        runs in its thread, it is carried out when the task is cancelled, too.
        """
        revoke = partial(
            self.plain.revoke,
            did,
            session_id,
            deadline=deadline,
            keep_unanswered=keep_unanswered,
        )
        return await self._workers.run(revoke, deadline=deadline)

    def _end_unclaimed(self, completed: Completed) -> None:
        session = completed.session
        try:
            self.plain.revoke(
                session.did,
                session.session_id,
                deadline=Deadline.after(UNCLAIMED_BUDGET),
            )
        except AtprotoError:
            log.exception("the session of a cancelled login is not revoked")
