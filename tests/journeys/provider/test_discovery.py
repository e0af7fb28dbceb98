"""Discovery: both documents have the same members, each true of the routes (P1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.flows.provider.scopes import SCOPES
from tests.service import HOME, Service

if TYPE_CHECKING:
    from collections.abc import Callable

OPENID = "/.well-known/openid-configuration"
SERVER = "/.well-known/oauth-authorization-server"

METHODS = {
    "authorization_endpoint": {"GET", "POST"},
    "pushed_authorization_request_endpoint": {"POST"},
    "token_endpoint": {"POST"},
    "userinfo_endpoint": {"GET", "POST"},
    "revocation_endpoint": {"POST"},
    "introspection_endpoint": {"POST"},
    "jwks_uri": {"GET"},
}


@pytest.fixture(scope="module")
def metadata(standing: Service) -> dict[str, Any]:
    return dict(standing.get(OPENID).json())


def test_both_documents_are_the_same_and_pages_may_read_them(
    standing: Service, metadata: dict[str, Any]
) -> None:
    answer = standing.get(SERVER)

    assert answer.json() == metadata
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Type"] == "application/json"
    assert metadata["issuer"] == HOME


def test_each_endpoint_is_routed_with_its_methods(
    standing: Service, metadata: dict[str, Any]
) -> None:
    named = {name for name in metadata if name.endswith(("_endpoint", "_uri"))}
    assert named == set(METHODS)
    routes = standing.app.url_map.bind("auth.platform.cafe")
    for name, methods in METHODS.items():
        path = metadata[name].removeprefix(HOME)
        assert methods <= set(routes.allowed_methods(path)), name


def test_each_member_says_what_is_offered(metadata: dict[str, Any]) -> None:
    lists = {
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": [
            *("none", "login", "consent", "select_account", "create"),
        ],
    }
    for name, values in lists.items():
        assert metadata[name] == values
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for name in ("request", "request_uri", "claims"):
        assert metadata[f"{name}_parameter_supported"] is False
    assert {"sub", "preferred_username", "groups", "auth_time"} <= set(
        metadata["claims_supported"]
    )
    for absent in ("device_authorization", "registration", "end_session"):
        assert f"{absent}_endpoint" not in metadata


@pytest.mark.parametrize("path", ["token", "par", "userinfo", "revoke"])
def test_pages_of_every_origin_may_ask_without_cookies(
    standing: Service, path: str
) -> None:
    answer = standing.browser().requests(
        "OPTIONS",
        f"{HOME}/oauth/{path}",
        site="cross-site",
        headers={"Origin": "https://app.example"},
    )

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "token"), ("PUT", "par"), ("DELETE", "userinfo"), ("GET", "revoke")],
)
def test_page_may_read_that_a_method_is_wrong(
    standing: Service, method: str, path: str
) -> None:
    answer = standing.browser().requests(
        method,
        f"{HOME}/oauth/{path}",
        site="cross-site",
        headers={"Origin": "https://app.example"},
    )

    assert (answer.status, answer.json()["error"]) == (405, "invalid_request")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "introspect"),
        ("GET", "introspect"),
        ("PUT", "authorize"),
        ("PUT", "consent"),
        ("GET", "nothing"),
    ],
)
def test_other_routes_are_for_no_page(
    standing: Service, method: str, path: str
) -> None:
    answer = standing.browser().requests(method, f"{HOME}/oauth/{path}")

    assert answer.status >= 400
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_the_provider_every_route_is_404_and_the_metadata_is_that_of_before(
    open_service: Callable[..., Service],
) -> None:
    service = open_service(provider=False)

    for rule in service.app.url_map.iter_rules():
        if rule.rule.startswith("/oauth/"):
            for method in (rule.methods or set()) - {"OPTIONS"}:
                answer = service.browser().requests(method, HOME + rule.rule)
                assert answer.status == 404, rule.rule
    assert service.get(OPENID).status == 404
    assert service.get(SERVER).json() == {
        "issuer": HOME,
        "authorization_endpoint": f"{HOME}/auth/login",
        "jwks_uri": f"{HOME}/.well-known/jwks.json",
        "response_types_supported": ["none"],
        "grant_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
