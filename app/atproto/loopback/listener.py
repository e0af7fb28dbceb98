"""The redirect listener of a program on somebody's own machine (RFC 8252 §7.3, §8.3).

Listens on one loopback address, by number, at a free port and one fixed path, until the
one answer comes that carries our `state`; whatever else knocks is refused and changes
nothing (requirement 9.20).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, Self

from ..errors import CallbackMalformed, StateUnknown
from .answer import AnswerTimeout, Desk, has_state, parse_answer
from .server import FAMILIES, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ..http.types import Deadline
    from .answer import Parameters, Result

__all__ = ["AnswerTimeout", "LoopbackListener", "read_pasted"]

LOOK_AGAIN = 0.05
"""Seconds after which closing is noticed."""


class LoopbackListener:
    """Receives the one answer to one authorization request.

    It listens from the moment it is made, so that its port can stand in the request,
    until the answer is taken or the block ends.
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

        `program` is what the page at the end calls the program.

        Raises:
            ValueError: another host: nothing but this machine may ever reach it.
            OSError: the port is taken, or this machine lacks the address.
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
        """Wait for the answer with this `state`; return what `judge` makes of it.

        The browser waits meanwhile, and is then told whether the sign-in went well:
        what `judge` raises is raised here. There is no second answer.

        Raises:
            AnswerTimeout: none came before the deadline.
        """
        try:
            visit = self._desk.expect(state, seconds=deadline.remaining())
            self._server.shutdown()  # nobody else is let in while it is judged
            return visit.judged_by(judge)
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening. May be called again."""
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
    """Return the answer in a URL that a person copied out of their browser.

    For a machine without a browser: the redirect leads nowhere, and the address bar
    has what a listener would have got.

    Raises:
        CallbackMalformed: it is another address than the redirect URI.
        StateUnknown: it is the answer to another sign-in.
    """
    address, _, query = url.strip().partition("#")[0].partition("?")
    if address != redirect_uri:
        raise CallbackMalformed(f"the address does not begin with {redirect_uri}")
    parameters = parse_answer(query)
    if not has_state(parameters, state):
        raise StateUnknown("the address belongs to another sign-in")
    return parameters
