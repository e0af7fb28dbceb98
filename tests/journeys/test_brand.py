"""The operator's face on pages, in the client metadata and in security.txt."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from app.config import SettingsInvalid
from app.config.face import logo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.service import Service

HOSTILE = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.cookie)</script>'
    b"</svg>"
)


@pytest.fixture
def branded(open_service: Callable[..., Service], tmp_path: Path) -> Service:
    path = tmp_path / "logo.svg"
    path.write_bytes(HOSTILE)
    return open_service(
        logo=logo(str(path)),
        accent="#0a7f5a",
        home_url="https://www.platform.cafe/",
        terms_url="https://www.platform.cafe/terms",
        privacy_url="https://www.platform.cafe/privacy",
        support_url="mailto:help@platform.cafe",
        security_contact="mailto:security@platform.cafe",
    )


def test_page_shows_the_logo_the_accent_and_the_links(branded: Service) -> None:
    page = branded.browser().opens_login()

    assert page.links[:1] == ["https://www.platform.cafe/"]
    assert {
        "mailto:help@platform.cafe",
        "https://www.platform.cafe/terms",
        "https://www.platform.cafe/privacy",
    } <= set(page.links)
    loaded = [
        given.get("src") or given.get("href") or ""
        for tag, given in page.tags
        if tag in {"img", "link"}
    ]
    assert any(address.startswith("/auth/brand/logo?v=") for address in loaded)
    assert any(address.startswith("/auth/brand/accent.css?v=") for address in loaded)


def test_discovery_names_terms_and_privacy_and_nothing_without_them(
    branded: Service, open_service: Callable[..., Service]
) -> None:
    for path in ("openid-configuration", "oauth-authorization-server"):
        told = branded.get(f"/.well-known/{path}").json()

        assert told["op_tos_uri"] == "https://www.platform.cafe/terms"
        assert told["op_policy_uri"] == "https://www.platform.cafe/privacy"

    plain = open_service().get("/.well-known/openid-configuration").json()
    assert not {"op_tos_uri", "op_policy_uri"} & set(plain)


def test_svg_logo_that_is_opened_as_a_page_runs_nothing(branded: Service) -> None:
    answer = branded.get("/auth/brand/logo")

    assert (answer.status, answer.body) == (200, HOSTILE)
    assert answer.headers["Content-Type"] == "image/svg+xml"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)
    assert not [part for part in policy if part.startswith("script-src")]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_accent_is_a_style_sheet_with_both_themes(branded: Service) -> None:
    answer = branded.get("/auth/brand/accent.css")

    css = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert css.count("--link:") == 2
    assert "@media (prefers-color-scheme: dark)" in css


def test_client_metadata_has_the_face(branded: Service) -> None:
    document = branded.get("/oauth-client-metadata.json").json()

    assert document["client_uri"] == f"{branded.home}/"
    assert document["logo_uri"].startswith(f"{branded.home}/auth/brand/logo?v=")
    assert document["tos_uri"] == "https://www.platform.cafe/terms"
    assert document["policy_uri"] == "https://www.platform.cafe/privacy"


def test_security_txt_says_whom_to_tell_and_expires(branded: Service) -> None:
    answer = branded.get("/.well-known/security.txt")

    fields = dict(line.split(": ", 1) for line in answer.body.decode().splitlines())
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@platform.cafe"
    assert fields["Canonical"] == f"{branded.home}/.well-known/security.txt"
    expires = datetime.fromisoformat(fields["Expires"]).timestamp()
    left = expires - branded.world.clock()
    assert 0 < left < 366 * 24 * 3600


@pytest.mark.parametrize(
    "path",
    ["/auth/brand/logo", "/auth/brand/accent.css", "/.well-known/security.txt"],
)
def test_face_that_is_not_set_is_not_found(standing: Service, path: str) -> None:
    assert standing.get(path).status == 404


def test_catalogue_of_the_operator_replaces_a_text(
    open_service: Callable[..., Service], tmp_path: Path
) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    own = 'msgid "Sign in to %(platform_name)s"\nmsgstr "Enter %(platform_name)s"\n'
    (tmp_path / "en.po").write_text(header + own, encoding="utf-8")

    page = open_service(translations_path=tmp_path).browser().opens_login()

    assert "Enter The Platform" in page.text


def test_catalogue_of_the_operator_that_would_break_a_page_stops_the_start(
    open_service: Callable[..., Service], tmp_path: Path
) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    own = 'msgid "Sign in to %(platform_name)s"\nmsgstr "Enter %(platform)s"\n'
    (tmp_path / "en.po").write_text(header + own, encoding="utf-8")

    with pytest.raises(SettingsInvalid, match=r"TRANSLATIONS_PATH.*platform"):
        open_service(translations_path=tmp_path)
