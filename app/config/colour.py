"""The operator's ACCENT: parsed, and made readable in the light and the dark theme.

Contrast as WCAG 2.2 defines it (relative luminance): 4.5:1 for text. An accent that is
too light for the light theme is darkened step by step until links reach that, and
lightened for the dark theme in the same way. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HEX = re.compile(r"#[0-9a-fA-F]{6}")

TEXT_CONTRAST: Final = 4.5
STEP: Final = 0.02

WHITE: Final = "#ffffff"
INK: Final = "#11141b"

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours that follow from an accent in one theme, as `#rrggbb`."""

    card: str
    accent: str
    """Links and buttons: at least 4.5:1 on the card and on the wash."""
    hover: str
    on_accent: str
    """Text on a button."""
    wash: str
    """Behind a secondary button that is pointed at."""
    sky: str
    """The gradient at the top of the page."""


def accent(text: str) -> str:
    """Return a colour as `#rrggbb` in lower case."""
    if _HEX.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no colour; write it as in #524ed2")
    return text.lower()


def light_theme(colour: str) -> Theme:
    """Return the colours for a white card."""
    return _theme(colour, card=WHITE, canvas=WHITE, towards="#000000")


def dark_theme(colour: str) -> Theme:
    """Return the colours for a dark card."""
    return _theme(colour, card="#1a1e28", canvas=INK, towards=WHITE)


def _theme(colour: str, *, card: str, canvas: str, towards: str) -> Theme:
    wash = mixed(card, colour, 0.08)
    readable = _readable(colour, on=(card, wash), towards=towards)
    return Theme(
        card=card,
        accent=readable,
        hover=mixed(readable, towards, 0.15),
        on_accent=max((WHITE, INK), key=lambda text: contrast(text, readable)),
        wash=wash,
        sky=mixed(canvas, colour, 0.14),
    )


def _readable(colour: str, *, on: tuple[str, ...], towards: str) -> str:
    """Return the first mixture with `towards` that is readable on all of `on`."""
    steps = (mixed(colour, towards, STEP * n) for n in range(int(1 / STEP) + 1))
    return next(
        (s for s in steps if all(contrast(s, one) >= TEXT_CONTRAST for one in on)),
        towards,
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(one: str, other: str, part: float) -> str:
    """Return `one` with a part of `other`, 0 to 1, in it."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def _channels(colour: str) -> Channels:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    linear = [_linear(channel / 255) for channel in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
