"""The operator's face, from the settings: logo, style sheet of the accent, links."""

from __future__ import annotations

from dataclasses import asdict
from string import Template

from app.atproto.crypto.encoding import sha256_hex
from app.config import Settings
from app.config.colour import Theme, dark_theme, light_theme
from app.config.face import Logo as Picture
from app.web.brand import Brand, Logo, Style

_THEME = Template("""\
:root {
  --link: $accent;
  --mark: $accent;
  --wash: $wash;
  --sky: $sky;
}

:root:not([data-theme]) {
  --pico-primary-background: $accent;
  --pico-primary-hover: $hover;
  --pico-primary-hover-background: $hover;
  --pico-primary-inverse: $on_accent;
  --pico-primary-underline: $accent;
  --pico-primary-focus: ${accent}66;
}
""")


def brand_of(settings: Settings) -> Brand:
    """Return what pages show of the operator."""
    return Brand(
        logo=None if settings.logo is None else _logo(settings.logo),
        style=None if settings.accent is None else _style(settings.accent),
        home_url=settings.home_url,
        terms_url=settings.terms_url,
        privacy_url=settings.privacy_url,
        support_url=settings.support_url,
        security_contact=settings.security_contact,
    )


def _logo(picture: Picture) -> Logo:
    return Logo(
        content=picture.content,
        media_type=picture.media_type,
        mark=picture.mark,
    )


def _style(accent: str) -> Style:
    light, dark = declared(light_theme(accent)), declared(dark_theme(accent))
    content = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    return Style(content=content, mark=sha256_hex(content)[:12])


def declared(theme: Theme) -> str:
    """Return the rules of one theme."""
    return _THEME.substitute(asdict(theme))
