"""A failure in words: a row of `texts`, with the facts that are known filled in.

No Flask: the same words stand on pages and, as `Message.whole`, in JSON and in the
status of gRPC, in the language of the `texts` that the front end passes.

`{facts}` come from outside: control and direction marks are dropped, the
rest is cut to a bearable length and never read as a template itself; HTML is escaped
where it is made, in the templates (requirement 9.11).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import NullTranslations
from urllib.parse import urlencode

from .texts import MESSAGES, MINUTES, SECONDS, UNKNOWN, Tone

LONGEST_FACT = 300

ENGLISH = NullTranslations()
"""Texts as they stand here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A link that leads out of the trouble."""

    label: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A failure in words; pages also take it as `notice` or `error`."""

    code: str
    title: str
    text: str
    tone: Tone
    next_step: NextStep

    @property
    def whole(self) -> str:
        """Title and text in one line: what happened, and what helps."""
        end = "." if self.title[-1:].isalnum() else ""
        return f"{self.title}{end} {self.text}"


def message_for(
    code: str,
    *,
    variant: str = "",
    return_to: str = "",
    scope: str = "",
    retry_after: float | None = None,
    texts: NullTranslations = ENGLISH,
    **facts: str | None,
) -> Message:
    """Say `code` in words, with every fact that is known filled in.

    `facts`: host, handle, did, suggestion, method, username, permission, reason,
    platform, example.
    `texts` has the rows in the person's language.
    `return_to` and `scope` ride on links back to the sign-in form, so that they survive
    the error.

    Raises:
        KeyError: there is no such row, a mistake of ours.
    """
    row = MESSAGES[code, variant]
    known = {name: text for name in facts if (text := visible(facts[name]))}
    if retry_after is not None:
        known["wait"] = _duration(retry_after, texts)
    label, href = row.step
    return Message(
        code=code,
        title=_fill(row.title, known, texts),
        text=_fill(row.text, known, texts),
        tone=row.tone,
        next_step=NextStep(
            label=texts.gettext(label),
            href=_with_fields(href, return_to=return_to, scope=scope),
        ),
    )


def visible(fact: str | None) -> str:
    """Drop characters that hide or turn round their neighbours, and cut the rest."""
    text = "".join(c for c in fact or "" if unicodedata.category(c)[0] != "C").strip()
    return text if len(text) <= LONGEST_FACT else text[:LONGEST_FACT] + "…"


def _duration(seconds: float, texts: NullTranslations) -> str:
    """Say `seconds` in words, rounded up, so that the next try is not too early."""
    whole = max(1, math.ceil(seconds))
    count, forms = (whole, SECONDS) if whole < 60 else (-(-whole // 60), MINUTES)
    return texts.ngettext(*forms, count).format(count=count)


def _fill(text: str, known: Mapping[str, str], texts: NullTranslations) -> str:
    """Fill in the facts; a stand-in that opens the sentence gets a capital."""
    template = texts.gettext(text)
    unknown = {name: texts.gettext(UNKNOWN[name]) for name in UNKNOWN}
    text = template.format_map({**unknown, **known})
    opens_with_a_fact = any(template.startswith(f"{{{name}}}") for name in known)
    return text if opens_with_a_fact else text[0].upper() + text[1:]


def _with_fields(href: str, **carried: str) -> str:
    """Return the address; the sign-in form learns what the person wanted."""
    fields = {name: value for name, value in carried.items() if value}
    if fields and href == "/auth/login":
        href = f"{href}?{urlencode(fields)}"
    return href
