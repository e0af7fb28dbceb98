"""Records to store, with secrets that can be found again in a dump."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.atproto.crypto.keys import Algorithm, SigningKey
from app.atproto.records import AuthRequest, OAuthSession
from app.atproto.syntax.grammar import Did, Handle, Origin
from app.flows.ports import NativeLogin, Session, User
from app.flows.provider.authorization.codes import Code
from app.flows.provider.grants.records import AccessToken, Consent, Grant
from app.flows.provider.registration import Client, Registration
from tests.fakes.clock import NOON
from tests.fakes.keys import signing_key

ALICE = Did("did:plc:aliceaaaaaaaaaaaaaaaaaaa")
BOB = Did("did:plc:bobbbbbbbbbbbbbbbbbbbbbb")


def key(alg: Algorithm = "ES256", name: str = "first") -> SigningKey:
    """Return a key, the same for the same name."""
    return signing_key(alg, name)


def auth_request(state: str = "canary-state", **changes: Any) -> AuthRequest:
    request = AuthRequest(
        state=state,
        browser_secret_hash="b" * 64,
        issuer="https://auth.test",
        server={"issuer": "https://auth.test", "token_endpoint": "https://auth.test/t"},
        did=ALICE,
        handle=Handle("alice.test"),
        pds=Origin("https://pds.test"),
        login_hint="alice.test",
        redirect_uri="https://app.test/auth/callback",
        code_verifier="canary-code-verifier",
        dpop_key=key(name="dpop"),
        client_id="https://app.test/client.json",
        auth_method="private_key_jwt",
        client_kid="client-key",
        scope="atproto",
        as_nonce="canary-as-nonce",
        verified_at=NOON - 1,
        app_state="canary-app-state",
        created_at=NOON,
        expires_at=NOON + 3600,
    )
    return replace(request, **changes)


def oauth_session(**changes: Any) -> OAuthSession:
    session = OAuthSession(
        did=ALICE,
        session_id="grant-1",
        handle=Handle("alice.test"),
        issuer="https://auth.test",
        pds=Origin("https://pds.test"),
        client_id="https://app.test/client.json",
        auth_method="private_key_jwt",
        client_kid="client-key",
        client_thumbprint="thumbprint",
        dpop_key=key(name="dpop"),
        access_token="canary-access-token",
        refresh_token="canary-refresh-token",
        scope="atproto",
        expires_at=NOON + 300,
        token_endpoint="https://auth.test/token",
        revocation_endpoint="https://auth.test/revoke",
        as_nonce="canary-as-nonce",
        pds_nonce="canary-pds-nonce",
        created_at=NOON,
        refreshed_at=NOON,
        verified_at=NOON - 5,
    )
    return replace(session, **changes)


def session(**changes: Any) -> Session:
    made = Session(
        sid="sid-1",
        did=ALICE,
        handle=Handle("alice.test"),
        oauth_session_id="grant-1",
        device="Firefox on Linux",
        created_at=NOON,
        seen_at=NOON,
        expires_at=NOON + 30 * 86_400,
    )
    return replace(made, **changes)


def user(**changes: Any) -> User:
    made = User(
        did=ALICE,
        handle=Handle("alice.test"),
        username="alice",
        created_at=NOON,
        handle_checked_at=NOON,
    )
    return replace(made, **changes)


def native_login(**changes: Any) -> NativeLogin:
    login = NativeLogin(
        login_id="login-1",
        app_name="Sketch",
        user_code="WDJB-MJHT",
        code_challenge=None,
        identifier="canary-identifier",
        authorization_url="https://auth.test/authorize?request_uri=canary-request-uri",
        state="canary-native-state",
        created_at=NOON,
        expires_at=NOON + 1800,
    )
    return replace(login, **changes)


def oauth_client(client_id: str = "app", **changes: Any) -> Client:
    client = Client(
        client_id=client_id,
        registration=Registration(
            name="The App",
            redirect_uris=("https://b.test/cb", "https://a.test/cb"),
            backchannel_logout_uri="https://b.test/out",
            pkce="optional",
            is_trusted=True,
        ),
        allow=("*.example.org", ALICE),
        created_at=NOON,
        changed_at=NOON,
    )
    return replace(client, **changes)


def authorization_code(**changes: Any) -> Code:
    code = Code(
        grant_id="grant-1",
        client_id="app",
        redirect_uri="https://a.test/cb",
        did=ALICE,
        scope="openid",
        nonce="n",
        code_challenge=None,
        auth_time=NOON - 100,
        expires_at=NOON + 60,
    )
    return replace(code, **changes)


def app_grant(grant_id: str = "grant-1", **changes: Any) -> Grant:
    grant = Grant(
        grant_id=grant_id,
        client_id="app",
        did=ALICE,
        scope="openid profile",
        session_id="sid-1",
        auth_time=NOON - 100,
        created_at=NOON,
        used_at=NOON,
        expires_at=NOON + 30 * 86_400,
    )
    return replace(grant, **changes)


def consent(**changes: Any) -> Consent:
    given = Consent(did=ALICE, client_id="app", scope="openid", given_at=NOON)
    return replace(given, **changes)


def access_token(**changes: Any) -> AccessToken:
    token = AccessToken(
        grant_id="grant-1", scope="openid", issued_at=NOON, expires_at=NOON + 900
    )
    return replace(token, **changes)
