"""`clients`: what an operator registers, rotates, closes, and asks about a person."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from app.atproto.crypto.encoding import sha256_hex
from app.flows.provider.policy import LOOKED_UP
from app.flows.provider.presets import NAMES
from tests.fakes import faults
from tests.fakes.browser import Browser
from tests.fakes.world import World
from tests.journeys.people.commands import events, prints, runs
from tests.service import HOME, Service
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "alice.skyhost.social"
WELL_KNOWN = f"https://{ALICE}/.well-known/atproto-did"
CB = "https://app.example.org/cb"
PLAIN = ("--redirect-uri", CB, "--allow", "everyone")


@pytest.fixture
def alice(browser: Browser, service: Service) -> str:
    signs_in(service, browser, ALICE, username="alice")
    [(did,)] = service.rows("SELECT did FROM users")
    return str(did)


def adds(service: Service, *options: str, name: str = "app") -> dict[str, Any]:
    [added] = prints(service, "clients", "add", name, *options)
    return dict(added)


# --- add ------------------------------------------------------------------------------


def test_add_prints_one_object_and_stores_the_hash_of_the_secret(
    service: Service,
) -> None:
    added = adds(service, *PLAIN, "--scope", "openid groups", "--reason", "new app")

    secret = added.pop("client_secret")
    configuration = added.pop("configuration")
    assert added == {
        "client_id": "app",
        "redirect_uris": [CB],
        "allow": ["everyone"],
        "scope": "openid groups",
        "grant_types": ["authorization_code", "refresh_token"],
        "pkce": "required",
        "trusted": False,
        "preset": "generic",
    }
    assert len(secret) == 43
    assert secret in configuration
    assert service.rows("SELECT secret_hash FROM provider_secrets") == [
        (sha256_hex(secret),)
    ]
    [(_, detail)] = events(service, "client_added")
    assert detail["operator"] == "carol"
    assert detail["reason"] == "new app"
    assert secret not in repr(service.rows("SELECT * FROM audit_events"))


def test_add_of_a_public_client_has_no_secret(service: Service) -> None:
    at_desk = ("--redirect-uri", "http://127.0.0.1/cb", "--allow", "everyone")

    added = adds(service, "--public", *at_desk)

    assert added["client_secret"] is None
    assert service.rows("SELECT * FROM provider_secrets") == []


def test_add_looks_a_handle_up_now_and_keeps_its_did(
    service: Service, world: World
) -> None:
    added = adds(service, "--redirect-uri", CB, "--allow", f"@{ALICE}")

    assert added["allow"] == [world.alice.did]


@pytest.mark.parametrize("preset", NAMES)
def test_add_with_a_preset_prints_what_to_paste(service: Service, preset: str) -> None:
    options = ("--preset", preset, "--url", "https://app.example.org/", "--allow")
    result = runs(service, "clients", "add", "app", *options, "everyone")

    [shown] = prints(service, "clients", "show", "app")
    assert result.exit_code == 0
    assert ("not tested here" in result.stderr) == (preset in {"grafana", "gitea"})
    assert shown["redirect_uris"][0].startswith("https://app.example.org/")
    if preset != "jupyterhub":
        assert HOME in result.stdout
    assert "app" in result.stdout
    assert "{" not in result.stdout


def test_add_for_oauth2_proxy_prints_its_file(service: Service) -> None:
    added = adds(
        service,
        *("--preset", "oauth2-proxy", "--url", "https://app.example.org"),
        *("--allow", "*.example.org", "--allow", "group:staff"),
    )

    pasted = tomllib.loads(added["configuration"])
    assert added["allow"] == ["*.example.org", "group:staff"]
    assert pasted["client_secret"] == added["client_secret"]
    assert pasted["oidc_issuer_url"] == HOME
    assert pasted["redirect_url"] == "https://app.example.org/oauth2/callback"
    assert pasted["scope"] == "openid profile groups"
    assert pasted["cookie_secure"] is True
    assert pasted["oidc_email_claim"] == "sub", "no app finds people by a username"


def test_add_for_an_app_that_is_told_an_address_names_the_claim(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(email_domain="people.example.org")

    added = adds(
        service,
        *("--preset", "oauth2-proxy", "--url", "https://app.example.org"),
        *("--allow", "everyone", "--scope", "openid email", "--email", "placeholder"),
    )

    assert tomllib.loads(added["configuration"])["oidc_email_claim"] == "email"


def test_add_in_loopback_development_takes_an_app_on_loopback(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(loopback=True)

    added = adds(
        service,
        *("--preset", "oauth2-proxy", "--url", "http://127.0.0.1:4180"),
        *("--allow", "everyone"),
    )

    assert added["redirect_uris"] == ["http://127.0.0.1:4180/oauth2/callback"]
    assert "cookie_secure = false" in added["configuration"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--allow", "everyone"), "--redirect-uri: name one"),
        (("--redirect-uri", CB), "--allow: name 1 to 100"),
        ((*PLAIN, "--allow", "group:x"), "everyone stands alone"),
        (("--redirect-uri", CB, "--allow", "*.com"), "strangers register"),
        (("--redirect-uri", CB, "--allow", "@nemo.example.org"), "has no DID now"),
        (("--redirect-uri", CB, "--allow", "alice"), "is none of everyone"),
        ((*PLAIN, "--redirect-uri", f"{HOME}/cb"), "leads to this service"),
        ((*PLAIN, "--redirect-uri", CB), "each once"),
        ((*PLAIN, "--post-logout-uri", "https://a/#"), "--post-logout-uri"),
        ((*PLAIN, "--backchannel-logout-uri", "com.x:/"), "--backchannel"),
        ((*PLAIN, "--scope", "openid all"), "'all' is no scope"),
        ((*PLAIN, "--grant", "refresh_token"), "--grant"),
        ((*PLAIN, "--email", "placeholder"), "needs the setting EMAIL_DOMAIN"),
        ((*PLAIN, "--email", "account"), "needs account:email or transition:email"),
        ((*PLAIN, "--name", "a\u202eb"), "--name"),
        ((*PLAIN, "--name", "x" * 65), "--name"),
        ((*PLAIN, "--public", "--pkce", "optional"), "always needs PKCE"),
        ((*PLAIN, "--public", "--preset", "grafana"), "leave --public out"),
        (
            (
                *("--redirect-uri", "com.example.app:/cb", "--allow", "everyone"),
                *("--public", "--trusted"),
            ),
            "so people are asked",
        ),
        (("--url", "grafana", "--preset", "grafana", "--allow", "everyone"), "--url"),
    ],
)
def test_add_refuses_in_one_line_and_stores_nothing(
    service: Service, options: tuple[str, ...], said: str
) -> None:
    result = runs(service, "clients", "add", "app", *options)

    assert result.exit_code == 1
    assert said in result.output
    assert service.rows("SELECT * FROM provider_clients") == []


@pytest.mark.parametrize(
    "name", ["", "a b", "-a", "a:b", "x" * 65, HOME, f"{HOME}/", "a\n", "ä"]
)
def test_add_refuses_an_id_that_is_none(service: Service, name: str) -> None:
    result = runs(service, "clients", "add", *PLAIN, "--", name)

    assert (result.exit_code, "is no client_id" in result.output) == (1, True)


def test_add_refuses_the_audience_of_the_platform_token(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(token_audience="services")

    result = runs(service, "clients", "add", "Services", *PLAIN)

    assert (result.exit_code, "audience" in result.output) == (1, True)


def test_add_refuses_a_second_client_with_the_id(service: Service) -> None:
    adds(service, *PLAIN)

    assert runs(service, "clients", "add", "app", *PLAIN).exit_code == 1
    assert len(service.rows("SELECT * FROM provider_secrets")) == 1


@pytest.mark.parametrize(
    ("bound", "said"),
    [("MOST_URIS", "at most 1"), ("MOST_ALLOWED", "name 1 to 1")],
)
def test_add_beyond_a_bound_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch, bound: str, said: str
) -> None:
    monkeypatch.setattr(f"app.flows.provider.rules.{bound}", 1)
    two = ("--redirect-uri", f"{CB}2", "--allow", "group:a")
    options = ("--redirect-uri", CB, "--allow", "group:b", *two)

    assert said in runs(service, "clients", "add", "app", *options).output


def test_add_beyond_the_most_clients_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.provider.clients.MOST_CLIENTS", 1)
    adds(service, *PLAIN)

    result = runs(service, "clients", "add", "second", *PLAIN)

    assert (result.exit_code, "there are 1" in result.output) == (1, True)


# --- what becomes of a client ---------------------------------------------------------


def test_edit_replaces_what_it_names_and_nothing_else(service: Service) -> None:
    adds(service, *PLAIN, "--trusted", "--name", "The App")
    before = prints(service, "clients", "show", "app")[0]

    [shown] = prints(
        service,
        *("clients", "edit", "app", "--redirect-uri", f"{CB}2"),
        *("--allow", "group:staff", "--not-trusted"),
    )

    assert shown == {
        **before,
        "redirect_uris": [f"{CB}2"],
        "allow": ["group:staff"],
        "trusted": False,
    }
    [(_, detail)] = events(service, "client_changed")
    assert detail["fields"] == ["is_trusted", "redirect_uris"]
    assert detail["allow"] == ["group:staff"]


def test_edit_keeps_the_rules_of_add(service: Service) -> None:
    adds(service, *PLAIN)
    bad = ("--redirect-uri", "http://app.example.org/cb")

    assert runs(service, "clients", "edit", "app", *bad).exit_code == 1
    assert runs(service, "clients", "edit", "app").exit_code == 2
    assert runs(service, "clients", "edit", "nemo", *bad).exit_code == 1
    assert prints(service, "clients", "show", "app")[0]["redirect_uris"] == [CB]


def test_disable_enable_and_remove(service: Service) -> None:
    adds(service, *PLAIN)

    [disabled] = prints(service, "clients", "disable", "app", "--yes")
    [row] = prints(service, "clients", "list")
    assert disabled == {"client_id": "app", "state": "disabled"}
    assert row["disabled"] is not None
    prints(service, "clients", "enable", "app")
    assert prints(service, "clients", "list")[0]["disabled"] is None
    prints(service, "clients", "remove", "app", "--yes")

    assert prints(service, "clients", "list") == []
    assert service.rows("SELECT * FROM provider_secrets") == []
    by_carol = {"operator": "carol", "client": "app"}
    for event in ("client_disabled", "client_enabled", "client_removed"):
        assert events(service, event) == [(None, by_carol)]


@pytest.mark.parametrize(
    "command",
    [
        ("show", "nemo"),
        ("disable", "nemo", "--yes"),
        ("enable", "nemo"),
        ("remove", "nemo", "--yes"),
        ("claims", "nemo", "alice"),
        ("secret", "add", "nemo"),
        ("secret", "drop", "nemo", "--yes"),
    ],
)
def test_unknown_client_is_refused_in_one_line(
    service: Service, command: tuple[str, ...]
) -> None:
    result = runs(service, "clients", *command)

    assert result.exit_code == 1
    assert result.output.splitlines() == ["Error: no client is 'nemo'"]


def test_secret_is_rotated_with_two_that_live_at_once(service: Service) -> None:
    first = adds(service, *PLAIN)["client_secret"]

    [second] = prints(service, "clients", "secret", "add", "app")
    third = runs(service, "clients", "secret", "add", "app")
    hashes = service.rows("SELECT secret_hash FROM provider_secrets")
    [dropped] = prints(service, "clients", "secret", "drop", "app", "--yes")
    last = runs(service, "clients", "secret", "drop", "app", "--yes")

    assert {one for (one,) in hashes} == {
        sha256_hex(first),
        sha256_hex(second["client_secret"]),
    }
    assert (third.exit_code, "drop one" in third.output) == (1, True)
    assert (last.exit_code, "no other one" in last.output) == (1, True)
    assert dropped["secret_id"] != second["secret_id"]
    assert service.rows("SELECT secret_id FROM provider_secrets") == [
        (second["secret_id"],)
    ]
    assert [detail["secret_id"] for _, detail in events(service, "client_secret_added")]


def test_secret_add_for_a_public_client_is_refused(service: Service) -> None:
    adds(service, *PLAIN, "--public")

    assert runs(service, "clients", "secret", "add", "app").exit_code == 1


# --- claims ---------------------------------------------------------------------------


def test_claims_prints_what_the_client_would_be_told(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(
        email_domain="people.test", profile_url="https://bsky.test/{did}"
    )
    signs_in(service, service.browser(), ALICE, username="alice")
    [(did,)] = service.rows("SELECT did FROM users")
    prints(service, "groups", "add", "staff", "alice")
    scope = ("--scope", "openid profile groups email", "--email", "placeholder")
    adds(service, "--redirect-uri", CB, "--allow", "group:staff", *scope)

    [told] = prints(service, "clients", "claims", "app", "alice")

    claims = told.pop("claims")
    assert told == {
        "client_id": "app",
        "did": did,
        "username": "alice",
        "allowed": True,
        "why": "group:staff",
    }
    assert claims.pop("email").endswith("@people.test")
    assert claims.pop("handle_verified_at") > 0
    assert claims.pop("updated_at") > 0
    assert claims == {
        "sub": did,
        "preferred_username": "alice",
        "name": "alice",
        "profile": f"https://bsky.test/{did}",
        "handle": ALICE,
        "groups": ["staff"],
    }


def test_claims_says_why_not(service: Service, alice: str) -> None:
    adds(service, "--redirect-uri", CB, "--allow", "group:staff")

    def why() -> str:
        [told] = prints(service, "clients", "claims", "app", f"@{ALICE}")
        assert (told["allowed"], told["claims"]) == (False, {})
        return str(told["why"])

    assert why() == "no entry of --allow names this account"
    prints(service, "groups", "add", "staff", "alice")
    prints(service, "users", "disable", "alice", "--yes")
    assert why() == "the account is disabled"
    prints(service, "clients", "disable", "app", "--yes")
    assert why() == "the client is disabled"


def test_claims_with_the_handles_host_down_judges_an_old_handle_not(
    service: Service, alice: str, world: World
) -> None:
    adds(service, "--redirect-uri", CB, "--allow", "*.skyhost.social")
    world.network.lay(WELL_KNOWN, faults.Refuses())
    assert prints(service, "clients", "claims", "app", "alice")[0]["allowed"]

    world.clock.advance(3_601)
    result = runs(service, "clients", "claims", "app", "alice")

    assert (result.exit_code, "cannot be verified now" in result.output) == (1, True)
    world.network.mend()
    world.clock.advance(LOOKED_UP)  # a command has a process of its own; here it is one
    assert prints(service, "clients", "claims", "app", "alice")[0]["allowed"]


def test_deleting_an_account_takes_its_did_out_of_policies(
    service: Service, alice: str
) -> None:
    allow = ("--allow", alice, "--allow", "group:staff")
    adds(service, "--redirect-uri", CB, *allow)
    prints(service, "clients", "edit", "app", *allow)

    prints(service, "users", "delete", "alice", "--yes")

    assert alice not in repr(service.rows("SELECT * FROM audit_events"))
    assert service.rows("SELECT who FROM provider_policies") == [("group:staff",)]
