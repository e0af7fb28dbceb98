"""Asking until there is an outcome: through restarts, drops, outages and sleep.

The service is asked again until it answers or the login expires. Then it is asked once
more, without waiting: it decides when a login is over, and a clock that somebody set,
or an answer of the last second, must cost nobody a login.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import LoginExpired, LoginRefused, ServerUnreachable
from .transport import Expired, Pending

if TYPE_CHECKING:
    from .backoff import Backoff
    from .clock import Expiry
    from .connection import Line
    from .transport import Answer, Claim, Outcome, Transport


@dataclass(frozen=True, slots=True)
class Listener:
    """Listens on a line for the outcome of one login."""

    transport: Transport
    backoff: Backoff

    def listen(self, claim: Claim, line: Line, expiry: Expiry) -> Outcome:
        """Return the outcome, however many connections it takes.

        Raises:
            LoginRefused: the service said no.
            LoginExpired: it was not heard until the login was over.
            LineCut: nobody waits any more.
        """
        failures = 0
        while True:
            line.raise_if_cut()
            is_over = expiry.remaining() == 0
            trouble: ServerUnreachable | None = None
            pause = 0.0
            try:
                answer = self._asked(claim, line, patiently=not is_over)
                if not isinstance(answer, Pending):
                    return answer
                failures, pause = 0, answer.ask_again
            except ServerUnreachable as error:
                line.raise_if_cut()
                failures = 1 if line.is_heard else failures + 1
                trouble, line.trouble = error, str(error)
                pause = self.backoff.delay(failures, at_least=error.retry_after)
            if is_over:
                raise LoginExpired from trouble
            line.pause(min(pause, expiry.remaining()))

    def _asked(self, claim: Claim, line: Line, *, patiently: bool) -> Answer:
        line.is_heard = False
        try:
            return self.transport.attend(claim, line, patiently=patiently)
        except LoginRefused as refused:
            if refused.code == "login_expired":
                return Expired()
            if not refused.is_passing:
                raise
            raise ServerUnreachable(
                str(refused), retry_after=refused.retry_after
            ) from refused
