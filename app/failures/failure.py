"""A failure as it leaves us: its words, its status, and its line in the log."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from gettext import NullTranslations
from typing import Any

from app.atproto import errors as atproto
from app.atproto.syntax.grammar import host_of
from app.flows.errors import StorageUnavailable
from app.flows.login.destination import destination_of
from app.telemetry import context as telemetry

from .messages import ENGLISH, Message, NextStep, message_for, visible
from .table import Row
from .texts import REFERRED, TRY_AGAIN, UNKNOWN

log = logging.getLogger(__name__)


FACTS = ("host", "handle", "did", "suggestion", "method", "username", "reason")
"""What a failure may know that people are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people are told of a failure, in no language yet."""

    code: str
    variant: str = ""
    return_to: str = ""
    scope: str = ""
    retry_after: float | None = None
    again: str = ""
    """Path to try again at, in place of the next step of the code."""
    facts: Mapping[str, str]

    def message(self, texts: NullTranslations) -> Message:
        """Return the message in the language of `texts`.

        Raises KeyError for a code that has no message.
        """
        message = self._message(texts)
        if not self.again:
            return message
        label, _ = TRY_AGAIN
        step = NextStep(label=texts.gettext(label), href=self.again)
        return replace(message, next_step=step)

    def _message(self, texts: NullTranslations) -> Message:
        return message_for(
            self.code,
            variant=self.variant,
            return_to=self.return_to,
            scope=self.scope,
            retry_after=self.retry_after,
            texts=texts,
            **{name: self.facts.get(name) for name in UNKNOWN},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure as it is shown; `reference` finds its line in the log."""

    error: Exception
    told: Told
    message: Message
    status: int
    reference: str

    @property
    def retry_after(self) -> int | None:
        """Whole seconds after which another try may help, where that is known."""
        seconds = getattr(self.error, "retry_after", None)
        return None if seconds is None else max(1, math.ceil(seconds))

    def notice(self) -> dict[str, Any]:
        """Return what the templates call `notice` and `error`.

        With the reference where the operator or a host has to mend something.
        """
        is_referred = self.message.code in REFERRED
        return {
            "code": self.message.code,
            "title": self.message.title,
            "text": self.message.text,
            "tone": self.message.tone,
            "next_step": self.message.next_step,
            "reference": self.reference if is_referred else None,
        }


def report(
    error: Exception,
    row: Row,
    *,
    during: str,
    platform: str,
    example: str | None = None,
    reason: object = None,
    texts: NullTranslations = ENGLISH,
) -> Failure:
    """Name a failure, give it a reference and write its line in the log.

    `during` is what was asked of us, without a query string, a cookie or a form
    (requirement 9.22); `reason` stands in the log in place of the failure's own text.
    `example` is the handle that pages show, `texts` has the words in the person's
    language.
    """
    reference = telemetry.reference()
    _log(error, row, during=during, reference=reference, reason=reason or error)
    destination = destination_of(error)
    facts = {**_facts(error), "platform": platform, "example": example}
    told = Told(
        code=row.code,
        variant=row.variant,
        return_to=destination.return_to,
        scope=destination.scope,
        retry_after=getattr(error, "retry_after", None),
        facts={name: said for name in facts if (said := visible(facts[name]))},
    )
    return Failure(
        error=error,
        told=told,
        message=told.message(texts),
        status=row.status,
        reference=reference,
    )


def _facts(error: Exception) -> dict[str, str | None]:
    """Return what is known: whom the login was asked of, then the failure's own."""
    issuer = error.issuer if isinstance(error, atproto.AtprotoError) else None
    facts: dict[str, str | None] = {
        "host": host_of(issuer or ""),
        "handle": destination_of(error).identifier,
    }
    for name in FACTS:
        value = getattr(error, name, None)
        if isinstance(value, str):
            facts[name] = value
    if isinstance(error, atproto.ScopeMissing):
        facts["permission"] = error.scope
    return facts


def _log(
    error: Exception, row: Row, *, during: str, reference: str, reason: object
) -> None:
    line = "%s: %s (%s): %s"
    values = (during, row.code, reference, reason)
    fields = {"code": row.code, "host": _host_of(error), "error": str(reason)}
    if row.code == "internal":
        log.error(line, *values, exc_info=error, extra=fields)
    elif isinstance(error, StorageUnavailable):
        # One line: an outage fails many requests. The traceback is for us alone.
        trace = error if log.isEnabledFor(logging.DEBUG) else None
        log.error(line, *values, exc_info=trace, extra=fields)
    else:
        level = logging.DEBUG if telemetry.is_quiet() else logging.INFO
        log.log(level, line, *values, extra=fields)


def _host_of(error: Exception) -> str:
    """Return the host that failed, or that the login was asked of."""
    host = getattr(error, "host", None)
    if isinstance(host, str):
        return host
    issuer = error.issuer if isinstance(error, atproto.AtprotoError) else None
    return host_of(issuer or "")
