"""docs/apps.md shows what each preset prints, and what was tried with its app."""

from __future__ import annotations

import json
import re

import pytest

from app.flows.provider.presets import NAMES, PRESETS, Settled
from app.flows.provider.registration import Registration
from tests.printed import ROOT

PAGE = (ROOT / "docs" / "apps.md").read_text(encoding="utf-8")
SHOWN = {"random": "RANDOM", "random_hex": "RANDOM"}


def settled(name: str) -> Settled:
    preset, url = PRESETS[name], f"https://{name}.example.org"
    uri = url + (preset.path or "/callback")
    registration = Registration(name=name, redirect_uris=(uri,), **preset.defaults)
    return Settled(
        issuer="https://auth.example.org",
        client_id=name,
        client_secret="CLIENT_SECRET",
        registration=registration,
        url=url,
    )


def row(name: str) -> str:
    [found] = re.findall(rf"^\| \[{name}\].*$", PAGE, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("name", NAMES)
def test_page_shows_the_configuration_that_the_preset_prints(name: str) -> None:
    section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    printed = PRESETS[name].configuration.format(**settled(name).values() | SHOWN)

    assert f"\n{printed}```\n" in section


@pytest.mark.parametrize("name", NAMES)
def test_page_marks_the_presets_that_were_tried(name: str) -> None:
    assert ("not tested" not in row(name)) == PRESETS[name].is_tested


def test_page_names_the_versions_that_are_installed() -> None:
    apps = ROOT / "tests" / "e2e" / "apps"
    modules = (apps / "go" / "go.mod").read_text()
    packages = (apps / "requirements.txt").read_text()
    locked = json.loads((apps / "package.json").read_text())["dependencies"]

    def go(module: str) -> str:
        [version] = re.findall(rf"{module} v(\S+)", modules)
        return str(version)

    def python(package: str) -> str:
        [version] = re.findall(rf"^{package}==(\S+)", packages, re.MULTILINE)
        return str(version)

    assert f"oauth2-proxy {go('oauth2-proxy/v7')} " in row("oauth2-proxy")
    assert f"miniflux {go('miniflux.app/v2')} " in row("miniflux")
    assert f"JupyterHub {python('jupyterhub')}," in row("jupyterhub")
    assert f"oauthenticator {python('oauthenticator')} " in row("jupyterhub")
    assert f"openid-client {locked['openid-client']}," in row("generic")
    assert f"Authlib {python('authlib')}," in row("generic")
    assert f"go-oidc {go('go-oidc/v3')} " in row("generic")
