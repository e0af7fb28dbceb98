"""Jinja filters, and what every template gets: platform, language, file versions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from flask import Flask
from jinja2 import Environment

from app.web import cookies
from app.web.context import site
from app.web.languages import choice
from app.web.languages.catalogues import locale_of
from app.web.responses import in_utc

RECENT = 7 * 86_400
"""Seconds for which a time is told as it is said: 2 hours ago."""


def plain_time(epoch: float) -> str:
    """Write `21 December 2026, 14:05 UTC`, as the language of the page does.

    UTC is named, because we do not know the person's time zone.
    """
    moment, locale = (
        datetime.fromtimestamp(int(epoch), UTC),
        locale_of(choice.language()),
    )
    date = format_date(moment, "long", locale=locale)
    time = format_time(moment, "short", locale=locale)
    pattern = str(get_datetime_format("medium", locale=locale)).replace("'", "")
    return f"{pattern.format(time, date)} UTC"


def recent_time(epoch: float, now: float) -> str:
    """Write `2 hours ago` within a week, and the time itself before and after it."""
    since = now - epoch
    if not 0 <= since < RECENT:
        return plain_time(epoch)
    locale = locale_of(choice.language())
    seconds = max(int(since), 1)
    return format_timedelta(-seconds, add_direction=True, locale=locale)


FILTERS: dict[str, Callable[..., str]] = {
    "iso_time": in_utc,
    "plain_time": plain_time,
    "recent_time": recent_time,
}


def prepare(environment: Environment, clock: Callable[[], float]) -> None:
    """Add our filters and `now`; lines with nothing but tags leave no empty lines."""
    environment.globals["now"] = clock
    environment.filters.update(FILTERS)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.policies["ext.i18n.trimmed"] = True


def init_app(app: Flask) -> None:
    """Give every template the platform's name, and static files versioned addresses."""
    version = _digest(Path(app.static_folder or ""))
    prepare(app.jinja_env, lambda: site().clock())
    choice.init_app(app, lambda: site().catalogues, _chosen_language)

    @app.context_processor
    def name_the_platform() -> dict[str, Any]:
        return {"platform_name": site().platform_name, "brand": site().brand}

    @app.url_defaults
    def name_the_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["v"] = version


def _chosen_language() -> str:
    """Return the language of the menu's cookie, else of Accept-Language."""
    offered, chosen = site().catalogues.languages, cookies.LANGUAGE.read()
    if chosen in offered:
        return chosen
    return choice.best(choice.accepted_languages(), offered)


def _digest(folder: Path) -> str:
    """Return a digest of all static files: caches keep them for long."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
