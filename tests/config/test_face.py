"""The operator's face: logo, accent, links, folder of translations."""

from __future__ import annotations

import pytest

from app.config.colour import contrast, dark_theme, light_theme, mixed
from tests.config.reading import read, refusal

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
ACCENTS = ["#524ed2", "#ffee00", "#ffffff", "#000000", "#0a7f5a", "#ff2d95", "#777777"]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg viewBox='0 0 1 1'/>", "image/svg+xml"),
        (SVG, "image/svg+xml"),
    ],
)
def test_logo_is_known_by_its_content(tmp_path, content, media_type):
    path = tmp_path / "logo"
    path.write_bytes(content)

    logo = read(LOGO=str(path)).logo

    assert logo is not None
    assert (logo.media_type, logo.content) == (media_type, content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html><svg></svg>", "is no PNG"),
        (b"<svgx>", "is no PNG"),
        (b"", "is no PNG"),
        (PNG + bytes(256_000), "is larger than 256 KB"),
    ],
)
def test_logo_that_is_no_picture_or_too_large_stops_the_start(
    tmp_path, content, reason
):
    path = tmp_path / "logo.svg"
    path.write_bytes(content)

    (line,) = refusal(LOGO=str(path))

    assert line.startswith("LATCHKEY_LOGO: ")
    assert reason in line


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("LOGO", "/no/such/file", "cannot read"),
        ("ACCENT", "red", "is no colour"),
        ("ACCENT", "#fff", "is no colour"),
        ("ACCENT", "#ffffff;}", "is no colour"),
        ("HOME_URL", "http://platform.internal/", "is no https URL"),
        ("HOME_URL", "javascript:alert(1)", "is no https URL"),
        ("TERMS_URL", "https://", "is no https URL"),
        ("PRIVACY_URL", "https://me@evil.example/", "is no https URL"),
        ("SUPPORT_URL", "mailto:nowhere", "is no https URL"),
        ("SECURITY_CONTACT", "security@platform.internal", "is no https URL"),
        ("SECURITY_CONTACT", "mailto:a@b.example\nCanonical: x", "is no https URL"),
        ("TRANSLATIONS_PATH", "/no/such/folder", "is no folder"),
    ],
)
def test_wrong_setting_of_the_face_stops_the_start(name, text, reason):
    (line, *_) = refusal(**{name: text})

    assert line.startswith(f"LATCHKEY_{name}: ")
    assert reason in line


def test_contacts_are_pages_or_mail_addresses():
    settings = read(
        SUPPORT_URL="mailto:help@platform.internal",
        SECURITY_CONTACT="https://platform.internal/security?from=login",
    )

    assert settings.support_url == "mailto:help@platform.internal"
    assert settings.security_contact == "https://platform.internal/security?from=login"


# --- contrast ----------------------------------------------------------------------


@pytest.mark.parametrize("accent", ACCENTS)
@pytest.mark.parametrize("theme_of", [light_theme, dark_theme])
def test_every_accent_is_readable_in_both_themes(accent, theme_of):
    theme = theme_of(accent)

    assert contrast(theme.accent, theme.card) >= 4.5
    assert contrast(theme.accent, theme.wash) >= 4.5
    assert contrast(theme.accent, theme.on_accent) >= 4.5
    assert contrast(theme.hover, theme.on_accent) >= 4.5


def test_accent_that_is_readable_stays_as_it_is():
    assert light_theme("#524ed2").accent == "#524ed2"


def test_accent_that_is_hard_to_read_is_told_at_the_start():
    (line,) = [line for line in read(ACCENT="#ffee00").warnings if "ACCENT" in line]

    assert "#ffee00 has a contrast of 1.2:1 in the light theme" in line
    assert line.endswith("are #807700 there")


def test_contrast_and_mixture_of_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
