"""Who this client says it is (section 3)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.atproto.client_metadata.builders import (
    ClientMetadata,
    Presentation,
    build_confidential_web_client,
    build_loopback_client,
    build_native_client,
    build_public_web_client,
)
from app.atproto.client_metadata.rules import (
    validate_client_jwks,
    validate_client_metadata,
)
from app.atproto.crypto.keys import ClientKeys, SigningKey
from app.atproto.errors import ClientMetadataInvalid
from tests.atproto import vectors
from tests.fakes.faults import REMOVED

CLIENT_ID = "https://app.platform.cafe/oauth-client-metadata.json"
CALLBACK = "https://app.platform.cafe/auth/callback"
KEYS = ClientKeys([SigningKey.generate("ES256"), SigningKey.generate("ES256")])
JWK = KEYS.primary().public_jwk()


def confidential(**changed: object) -> dict[str, Any]:
    """The document of a confidential client, with fields changed or removed."""
    metadata = build_confidential_web_client(
        client_id=CLIENT_ID,
        redirect_uris=[CALLBACK],
        scope="atproto transition:generic",
        jwks=KEYS.public_jwks(),
        presentation=Presentation(
            client_name="Platform", client_uri="https://app.platform.cafe"
        ),
    )
    document = {**metadata.document(), **changed}
    return {name: value for name, value in document.items() if value is not REMOVED}


def public(**changed: object) -> dict[str, Any]:
    metadata = build_public_web_client(
        client_id=CLIENT_ID, redirect_uris=[CALLBACK], scope="atproto"
    )
    document = {**metadata.document(), **changed}
    return {name: value for name, value in document.items() if value is not REMOVED}


# --- the documents --------------------------------------------------------------


def test_confidential_client_document_is_complete() -> None:
    """Requirements 3.6 to 3.8, 3.14, 3.15."""
    assert json.loads(json.dumps(confidential())) == {
        "client_id": CLIENT_ID,
        "application_type": "web",
        "redirect_uris": [CALLBACK],
        "scope": "atproto transition:generic",
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": KEYS.public_jwks(),
        "client_name": "Platform",
        "client_uri": "https://app.platform.cafe",
    }


def test_a_public_client_publishes_no_keys_and_no_algorithm() -> None:
    """Requirement 3.20; the method is always said, the default is one that servers
    refuse (requirement 3.7).
    """
    document = public()

    assert document["token_endpoint_auth_method"] == "none"
    assert not {"jwks", "jwks_uri", "token_endpoint_auth_signing_alg"} & set(document)


def test_a_document_is_small() -> None:
    """Requirement 3.4: servers read 512 KB at most; ours fits in 8."""
    assert len(json.dumps(confidential())) < 8192


# --- loopback development -------------------------------------------------------


def test_a_loopback_client_id_says_scope_and_redirects() -> None:
    """Requirements 3.26 to 3.29."""
    uris = ["http://127.0.0.1:8000/auth/callback", "http://[::1]:8000/auth/callback"]

    metadata = build_loopback_client(
        redirect_uris=uris, scope="atproto transition:generic"
    )

    parts = urlsplit(metadata.client_id)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://localhost"
    assert not parts.fragment
    assert parse_qsl(parts.query, strict_parsing=True) == [
        ("scope", "atproto transition:generic"),
        ("redirect_uri", uris[0]),
        ("redirect_uri", uris[1]),
    ]
    assert metadata.auth_method == "none"
    assert metadata.application_type == "native"
    assert metadata.jwks is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:8000/auth/callback",
        "http://localhost/auth/callback",
        "http://127.0.0.2/auth/callback",
        "http://0.0.0.0/auth/callback",
        "http://127.0.0.1.evil.net/auth/callback",
        "http://127.0.0.1@evil.net/auth/callback",
        "http://127.0.0.1:8000",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/cb#f",
        "http://127.0.0.1/cb\n",
        "https://127.0.0.1/auth/callback",
        "https://app.platform.cafe/auth/callback",
    ],
)
def test_a_loopback_redirect_is_a_loopback_address_by_number(uri: str) -> None:
    """Requirement 3.28."""
    with pytest.raises(ClientMetadataInvalid):
        build_loopback_client(redirect_uris=[uri])


def test_a_loopback_client_has_a_redirect_and_a_scope_of_its_own() -> None:
    """Requirement 3.27: their defaults suit no client."""
    uri = "http://127.0.0.1/cb"
    for uris, scope in (([], "atproto"), ([uri, uri], "atproto"), ([uri], "repo:*")):
        with pytest.raises(ClientMetadataInvalid):
            build_loopback_client(redirect_uris=uris, scope=scope)


# --- installed apps ---------------------------------------------------------------


def native(*uris: str) -> ClientMetadata:
    return build_native_client(client_id=CLIENT_ID, redirect_uris=uris, scope="atproto")


def test_a_native_client_publishes_that_it_has_no_secret() -> None:
    """Requirement 3.21."""
    document = native("cafe.platform.app:/callback").document()

    assert document["application_type"] == "native"
    assert document["token_endpoint_auth_method"] == "none"
    assert not {"jwks", "jwks_uri", "token_endpoint_auth_signing_alg"} & set(document)


def test_a_native_client_with_keys_is_refused() -> None:
    """Requirement 3.21: everybody has what is installed everywhere."""
    document = confidential(
        application_type="native", redirect_uris=["http://127.0.0.1/callback"]
    )

    with pytest.raises(ClientMetadataInvalid, match="application_type"):
        validate_client_metadata(document)


@pytest.mark.parametrize(
    "uri",
    [
        "cafe.platform.app:/callback",
        "cafe.platform.app:/",
        "https://app.platform.cafe/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8123/callback",
        "http://[::1]/callback",
    ],
)
def test_native_client_accepts_its_own_redirects(uri: str) -> None:
    """Requirements 3.22 to 3.24."""
    assert native(uri).redirect_uris == (uri,)


@pytest.mark.parametrize(
    "uri",
    [
        "cafe.platform.app://callback",
        "cafe.platform.app:///callback",
        "cafe.platform.app:callback",
        "cafe.platform.app:/callback#f",
        "cafe.platform.app:/call back",
        "cafe.platform.app:/callback\n",
        "cafeXplatform.app:/callback",
        "cafe.platform:/callback",
        "app.platform.cafe:/callback",
        "cafe.platform.app.extra:/callback",
        "myapp:/callback",
        "https://platform.cafe/callback",
        "https://app.platform.cafe.evil.net/callback",
        "https://app.platform.cafe:8443/callback",
        "https://app.platform.cafe:443/callback",
        "https://app.platform.cafe/callback#f",
        "https://app.platform.cafe",
        "http://app.platform.cafe/callback",
        "http://localhost/callback",
        "http://127.0.0.1",
        "http://127.0.0.1:0/callback",
        "javascript:/alert(1)",
    ],
)
def test_native_client_with_a_foreign_redirect_is_refused(uri: str) -> None:
    """Requirements 3.22 to 3.24; and the message says what would do."""
    with pytest.raises(ClientMetadataInvalid, match="redirect_uris"):
        native(uri)


def test_a_web_client_has_no_redirects_of_an_app() -> None:
    for uri in ("cafe.platform.app:/callback", "http://127.0.0.1/callback"):
        with pytest.raises(ClientMetadataInvalid, match="redirect_uris"):
            build_public_web_client(
                client_id=CLIENT_ID, redirect_uris=[uri], scope="atproto"
            )


@pytest.mark.parametrize(
    ("declared", "used", "fits"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:49152/callback", True),
        ("http://127.0.0.1/callback", "http://127.0.0.1/callback", True),
        ("http://[::1]/callback", "http://[::1]:49152/callback", True),
        ("http://127.0.0.1:8123/callback", "http://127.0.0.1:8123/callback", True),
        ("http://127.0.0.1:8123/callback", "http://127.0.0.1:8124/callback", False),
        ("http://127.0.0.1:8123/callback", "http://127.0.0.1/callback", False),
        ("http://127.0.0.1/callback", "http://127.0.0.1:49152/other", False),
        ("http://127.0.0.1/callback", "http://[::1]:49152/callback", False),
        ("http://127.0.0.1/callback", "http://localhost:49152/callback", False),
        (
            "http://127.0.0.1/callback",
            "http://127.0.0.1:49152@evil.net/callback",
            False,
        ),
        ("https://app.platform.cafe/cb", "https://app.platform.cafe/cb", True),
        ("https://app.platform.cafe/cb", "https://app.platform.cafe/cb/", False),
        ("https://app.platform.cafe/cb", "https://app.platform.cafe:8443/cb", False),
    ],
)
def test_is_redirect_accepts_declared_uris_only(
    declared: str, used: str, fits: bool
) -> None:
    """Requirements 3.16 and 3.24: byte for byte, but for the port of a listener."""
    assert native(declared).is_redirect(used) is fits


# --- the rules ------------------------------------------------------------------


BROKEN: dict[str, list[object]] = {
    "client_id": [
        REMOVED,
        "http://app.platform.cafe/oauth-client-metadata.json",
        "https://app.platform.cafe:443/oauth-client-metadata.json",
        "https://app.platform.cafe:8443/oauth-client-metadata.json",
        "https://app.platform.cafe/oauth-client-metadata.json#f",
        "https://app.platform.cafe/oauth-client-metadata.json?v=1",
        "https://u@app.platform.cafe/oauth-client-metadata.json",
        "https://app.platform.cafe",
        "https://app.platform.cafe/",
        "https://app.platform.cafe/oauth/",
        "https://app.platform.cafe/a/../client.json",
        "https://app.platform.cafe/a/./client.json",
        "https://app.platform.cafe//client.json",
        "https://app.platform.cafe/a%2Fclient.json",
        "https://App.platform.cafe/client.json",
        "https://platform/client.json",
        "https://127.0.0.1/client.json",
        "https://[::1]/client.json",
        "https://app.platform.test/client.json",
        "https://app.platform.local/client.json",
        "https://app.platform.example/client.json",
        "https://localhost/client.json",
        "https://example.com/client.json",
        "https://app.example.org/client.json",
        "https://app.googleusercontent.com/client.json",
        7,
    ],
    "scope": [
        REMOVED,
        "",
        "transition:generic",
        "atproto atproto",
        "atproto openid",
        "atproto  repo:*",
        ["atproto"],
    ],
    "redirect_uris": [
        REMOVED,
        [],
        CALLBACK,
        [CALLBACK, CALLBACK],
        ["http://app.platform.cafe/auth/callback"],
        ["https://app.platform.cafe:443/auth/callback"],
        ["https://app.platform.cafe/auth/callback#f"],
        ["https://127.0.0.1/auth/callback"],
        ["cafe.platform.app:/callback"],
        [7],
    ],
    "response_types": [REMOVED, [], ["token"], "code", ["code", "code"]],
    "grant_types": [
        REMOVED,
        [],
        ["refresh_token"],
        ["authorization_code", "implicit"],
        ["authorization_code", "authorization_code"],
    ],
    "dpop_bound_access_tokens": [REMOVED, False, "true"],
    "application_type": ["native", "desktop", None],
    "token_endpoint_auth_method": [REMOVED, "client_secret_basic", None],
    "token_endpoint_auth_signing_alg": [REMOVED, "RS256", "none"],
    "jwks": [REMOVED, {}, {"keys": []}, [JWK], json.dumps({"keys": [JWK]})],
    "jwks_uri": ["https://app.platform.cafe/jwks.json", "http://app.platform.cafe/j"],
    "client_uri": [
        "http://app.platform.cafe",
        "https://other.cafe",
        "https://app.platform.cafe.evil.net",
        "https://app.platform.cafe/other",
        7,
    ],
    "logo_uri": ["http://app.platform.cafe/logo.png", "data:image/png,x"],
    "tos_uri": ["javascript:alert(1)"],
    "policy_uri": ["/privacy"],
    "subject_type": ["pairwise"],
    "default_max_age": [60],
    "userinfo_signed_response_alg": ["ES256"],
    "userinfo_encrypted_response_enc": ["A128GCM"],
    "id_token_signed_response_alg": ["ES256"],
    "tls_client_certificate_bound_access_tokens": [True, False],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BROKEN.items() for value in values],
)
def test_a_document_that_servers_would_refuse_is_refused(
    name: str, value: object
) -> None:
    """And the message says which field it is."""
    document = confidential(**{"client_uri": REMOVED, name: value})

    with pytest.raises(ClientMetadataInvalid, match=name):
        validate_client_metadata(document)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"client_uri": REMOVED},
        {"client_uri": "https://app.platform.cafe/"},
        {"application_type": REMOVED},
        {"grant_types": ["authorization_code"]},
        {"subject_type": "public"},
        {"logo_uri": "https://cdn.platform.cafe/logo.png"},
        {"redirect_uris": [CALLBACK, "https://other.cafe/cb"]},
        {"jwks": REMOVED, "jwks_uri": "https://app.platform.cafe/jwks.json"},
        {"client_id": "https://app.platform.cafe/auth/client-metadata.json"},
    ],
    ids=str,
)
def test_a_document_that_servers_take_is_taken(changed: dict[str, object]) -> None:
    validate_client_metadata(confidential(**changed))


@pytest.mark.parametrize("uri", ["http://app.platform.cafe/jwks.json", "jwks.json", 7])
def test_keys_are_fetched_over_https(uri: object) -> None:
    """Requirement 3.14."""
    with pytest.raises(ClientMetadataInvalid, match="jwks_uri must be"):
        validate_client_metadata(confidential(jwks=REMOVED, jwks_uri=uri))


def test_a_public_client_has_no_algorithm() -> None:
    with pytest.raises(ClientMetadataInvalid):
        validate_client_metadata(public(token_endpoint_auth_signing_alg="ES256"))


@pytest.mark.parametrize(
    "jwk",
    [
        {**JWK, "kid": REMOVED},
        {**JWK, "kid": ""},
        {**JWK, "kid": 7},
        {**JWK, "kty": "RSA"},
        {**JWK, "crv": "P-384"},
        {**JWK, "key_ops": ["sign"]},
        {**JWK, "key_ops": ["verify", "sign"]},
        {**JWK, "use": "enc"},
        {**JWK, "alg": "ES384"},
        KEYS.primary().private_jwk(),
        json.dumps(JWK),
    ],
)
def test_a_key_that_servers_would_drop_is_refused(jwk: Any) -> None:
    """Requirement 3.17: they drop it without a word."""
    if isinstance(jwk, dict):
        jwk = {name: value for name, value in jwk.items() if value is not REMOVED}

    with pytest.raises(ClientMetadataInvalid):
        validate_client_jwks({"keys": [jwk]})


def test_a_key_may_say_that_it_verifies() -> None:
    validate_client_jwks({"keys": [{**JWK, "key_ops": ["verify"]}]})


def test_a_kid_stands_once() -> None:
    with pytest.raises(ClientMetadataInvalid):
        validate_client_jwks({"keys": [JWK, JWK]})


def test_builder_raises_for_invalid_metadata() -> None:
    """A builder asks the rules, so that a mistake shows at the start."""
    with pytest.raises(ClientMetadataInvalid):
        build_confidential_web_client(
            client_id=CLIENT_ID,
            redirect_uris=[CALLBACK],
            scope="atproto",
            jwks={"keys": [KEYS.primary().private_jwk()]},
        )
    with pytest.raises(ClientMetadataInvalid):
        build_public_web_client(
            client_id=CLIENT_ID, redirect_uris=[CALLBACK], scope="repo:*"
        )


# --- captured from live clients -------------------------------------------------


@vectors.absent
@pytest.mark.parametrize(
    "name", ["statusphere-client-metadata.json", "smokesignal-client-metadata.json"]
)
def test_captured_metadata_of_other_clients_is_valid(name: str) -> None:
    validate_client_metadata(vectors.document(name))


@vectors.absent
def test_captured_keys_of_other_clients_are_valid() -> None:
    validate_client_jwks(vectors.document("smokesignal-jwks.json"))
