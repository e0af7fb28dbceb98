"""Fetches the outcome of a login: asks with exponential backoff until there is one.

The service is asked through restarts, drops, outages and sleep, until it answers or the
login expires.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .clock import Expiry
from .errors import LoginExpired, LoginRefused, ServerUnreachable
from .transports.connection import Connection
from .transports.transport import Answer, Claim, Expired, Outcome, Pending, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with jitter.

    The jitter spreads the apps of a service that restarts: all of them lost their
    connection at the same moment.
    """

    first: float = 0.5
    """Seconds after the first failure, at most."""
    longest: float = 30.0
    """Seconds after many failures, at most."""
    random: Callable[[], float] = secrets.SystemRandom().random
    """Returns a number from 0 to 1."""

    def delay(self, failures: int, *, at_least: float | None = None) -> float:
        """Return the seconds to wait after this many failures in a row.

        `at_least` is the service's Retry-After; the jitter only adds to it.
        """
        steps = min(max(failures, 1) - 1, 16)
        ceiling = min(self.longest, self.first * 2.0**steps)
        delay = ceiling * (0.5 + self.random() / 2)
        return delay if at_least is None else max(delay, at_least + delay / 4)


@dataclass(frozen=True, slots=True)
class OutcomeFetcher:
    """Asks for the outcome of a login through restarts, drops, outages and sleep.

    It asks until the service answers or the login expires, and then once more without
    waiting: the service decides when a login is over. So neither a wrong clock here nor
    an approval in the last second loses a login.
    """

    transport: Transport
    backoff: Backoff

    def fetch(self, claim: Claim, connection: Connection, expiry: Expiry) -> Outcome:
        """Return the outcome, however many connections it takes.

        Raises:
            LoginRefused: the service refused for good.
            LoginExpired: there was no answer until the login was over.
            Cancelled: the connection was cancelled.
        """
        failures = 0
        while True:
            connection.raise_if_cancelled()
            is_over = expiry.remaining() == 0
            trouble: ServerUnreachable | None = None
            try:
                answer = self._ask(claim, connection, wait=not is_over)
                if not isinstance(answer, Pending):
                    return answer
                failures, pause = 0, answer.ask_again
            except ServerUnreachable as error:
                connection.raise_if_cancelled()
                failures = 1 if connection.was_answered else failures + 1
                trouble, connection.trouble = error, str(error)
                pause = self.backoff.delay(failures, at_least=error.retry_after)
            if is_over:
                raise LoginExpired from trouble
            connection.sleep(min(pause, expiry.remaining()))

    def _ask(self, claim: Claim, connection: Connection, *, wait: bool) -> Answer:
        connection.was_answered = False
        try:
            return self.transport.ask(claim, connection, wait=wait)
        except LoginRefused as refused:
            if refused.code == "login_expired":
                return Expired()
            if not refused.is_passing:
                raise
            raise ServerUnreachable(
                str(refused), retry_after=refused.retry_after
            ) from refused
