"""The loopback redirect listener of a program on a person's machine (RFC 8252, 7.3).

Listens on one loopback address by number, at a free port and one fixed path, until the
one answer with our `state` comes. Every other request is refused and changes nothing
(requirement 9.20).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Literal, Self

from ..errors import CallbackMalformed, StateUnknown
from ..http.types import Deadline
from .answer import AnswerTimeout, Desk, Parameters, Result, has_state, parse_answer
from .server import FAMILIES, LoopbackServer

__all__ = ["AnswerTimeout", "LoopbackListener", "read_pasted"]

LOOK_AGAIN = 0.05
"""Seconds between two checks whether to stop."""


class LoopbackListener:
    """Receives the one answer to one authorization request.

    It listens from its creation, because the authorization request needs its port,
    until the answer is taken or the `with` block ends.
    """

    def __init__(
        self,
        *,
        path: str = "/callback",
        host: Literal["127.0.0.1", "::1"] = "127.0.0.1",
        port: int = 0,
        program: str = "the program that you came from",
    ) -> None:
        """Listen at a free port, or at `port` where the client metadata names one.

        `program` is the program's name on the final page.

        Raises:
            ValueError: another host: only this machine may reach it.
            OSError: the port is in use, or this machine has no such address.
        """
        if host not in FAMILIES:
            raise ValueError(f"{host} is not a loopback address by number")
        self._desk = Desk()
        self._server = LoopbackServer(
            host, port, path=path, program=program, desk=self._desk
        )
        self._accepting = threading.Thread(
            target=self._server.serve_forever,
            args=[LOOK_AGAIN],
            name="loopback listener",
            daemon=True,
        )
        self._accepting.start()

    @property
    def redirect_uri(self) -> str:
        """The `redirect_uri` to authorize with."""
        return f"http://{self._server.authority}{self._server.path}"

    def receive(
        self,
        state: str,
        judge: Callable[[Sequence[tuple[str, str]]], Result],
        *,
        deadline: Deadline,
    ) -> Result:
        """Wait for the answer with this `state`; return the result of `judge` for it.

        Meanwhile the browser waits; then its page says whether the sign-in succeeded.
        An exception of `judge` is raised here. There is no second answer.

        Raises:
            AnswerTimeout: none came before the deadline.
        """
        try:
            visit = self._desk.expect(state, seconds=deadline.remaining())
            self._server.shutdown()  # no further request is accepted
            return visit.judged_by(judge)
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening. May be called more than once."""
        self._desk.close()
        self._server.shutdown()
        self._accepting.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_pasted(url: str, *, redirect_uri: str, state: str) -> Parameters:
    """Return the answer in a URL that a person copied from the browser's address bar.

    For a machine without a browser: the redirect goes to an address that nothing
    listens on.

    Raises:
        CallbackMalformed: it is not the redirect URI.
        StateUnknown: it is the answer to another sign-in.
    """
    address, _, query = url.strip().partition("#")[0].partition("?")
    if address != redirect_uri:
        raise CallbackMalformed(f"the address does not begin with {redirect_uri}")
    parameters = parse_answer(query)
    if not has_state(parameters, state):
        raise StateUnknown("the address belongs to another sign-in")
    return parameters
