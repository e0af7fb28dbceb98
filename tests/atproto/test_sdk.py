"""The Client of the `atproto` package with a session of ours.

No request of it may leave by another way than ours, or with other credentials.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from app.atproto.errors import (
    AccountUnavailable,
    DocumentInvalid,
    HostUnreachable,
    ResponseTooLarge,
    ScopeMissing,
    SessionEnded,
)
from tests.atproto.begun import begun
from tests.atproto.wired import Library
from tests.fakes import faults
from tests.fakes.pds import CREATE_RECORD, GET_SESSION, UPLOAD_BLOB
from tests.late import Late

if TYPE_CHECKING:
    from atproto_client import Client

    from app.atproto.records import OAuthSession
    from tests.fakes.network import FakeNetwork
    from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[2]
ALICE = "alice.skyhost.social"
PDS = "pds.skyhost.social"
TRACK = "app.relay.track"
SCOPE = f"atproto repo:{TRACK} blob:*/*"
JWT = jwt.encode({"exp": 4_000_000_000}, "x" * 32)
JSON = {"Content-Type": "application/json"}

# Importing the SDK takes a second.
adapter = Late("app.atproto.sdk")
models = Late("atproto_client.models")
sdk_errors = Late("atproto_client.exceptions")


@pytest.fixture
def library(world: World) -> Library:
    return Library(world, scope=SCOPE)


@pytest.fixture
def session(library: Library) -> OAuthSession:
    return begun(library, ALICE, scope=SCOPE)


@pytest.fixture
def sdk(
    library: Library,
    session: OAuthSession,
    network: FakeNetwork,
    monkeypatch: pytest.MonkeyPatch,
) -> Client:
    """The SDK's Client on Alice's session; httpx would be noticed."""

    def leaks(*_: Any, **__: Any) -> None:
        raise AssertionError("httpx was used")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", leaks)
    client = opened(library, session)
    client.com.atproto.server.get_session()
    network.forget()
    return client


def opened(library: Library, session: OAuthSession, **options: Any) -> Client:
    live = library.client.restore(session.did, session.session_id)
    monotonic = library.world.clock.monotonic
    return adapter.open_sdk_client(live, monotonic=monotonic, **options)


def create(sdk: Client, session: OAuthSession, **record: Any) -> Any:
    data = {"repo": session.did, "collection": TRACK, "record": record}
    return sdk.com.atproto.repo.create_record(data)


def refuses(status: int, body: bytes, **headers: str) -> faults.Says:
    return faults.Says(status, body, {**JSON, **headers})


def lay(network: FakeNetwork, fault: Any) -> None:
    network.lay(f"https://{PDS}{GET_SESSION}", fault)


# --- calls ----------------------------------------------------------------------------


def test_a_record_with_a_blob_is_written_listed_and_deleted(
    sdk: Client, session: OAuthSession, world: World, network: FakeNetwork
) -> None:
    blob = sdk.upload_blob(b"\x00\xff sound").blob
    made = create(sdk, session, title="Night train", sound=blob)
    listed = sdk.com.atproto.repo.list_records(
        {"repo": session.did, "collection": TRACK, "limit": 10}
    )

    (record,) = listed.records
    assert record.uri == made.uri
    assert record.value["title"] == "Night train"
    assert record.value["sound"]["ref"]["$link"] == blob.ref.link
    assert network.sent(path=UPLOAD_BLOB)[0].body == b"\x00\xff sound"

    rkey = made.uri.rpartition("/")[2]
    sdk.com.atproto.repo.delete_record(
        {"repo": session.did, "collection": TRACK, "rkey": rkey}
    )

    assert world.skyhost.pds.records == {}


def test_every_call_goes_out_by_our_door_with_the_sessions_proof(
    sdk: Client, session: OAuthSession, network: FakeNetwork
) -> None:
    """Requirements 5.4, 5.5, 9.1: and with our name, not the SDK's (requirement
    9.7).
    """
    sdk.com.atproto.server.get_session()
    create(sdk, session, title="x")

    for sent in network.sent():
        assert sent.host == PDS
        assert sent.headers["Authorization"] == f"DPoP {session.access_token}"
        assert sent.proof["htu"] == f"https://{PDS}{sent.path}"
        assert sent.headers["User-Agent"].startswith("Latchkey/test")


def test_the_account_is_known_without_a_request(
    library: Library, session: OAuthSession, network: FakeNetwork
) -> None:
    network.forget()

    me = opened(library, session).me

    assert (me.did, me.handle) == (session.did, ALICE)
    assert network.sent() == []


def test_an_account_without_a_handle_has_the_marker_for_one(
    library: Library, world: World
) -> None:
    """Requirement 1.6: the SDK's model wants a handle."""
    world.publish(world.alice, world.skyhost, alsoKnownAs=[])
    session = library.logs_in(world.alice.did, scope=SCOPE)

    assert opened(library, session).me.handle == "handle.invalid"


def test_a_token_that_is_due_is_refreshed_by_us(
    library: Library, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.12: what the SDK thinks of tokens is never asked."""
    world.skyhost.server.token_lifetime = 60
    sdk = opened(library, library.logs_in(ALICE, scope=SCOPE))
    world.clock.advance(55)
    network.forget()

    sdk.com.atproto.server.get_session()

    assert len(network.sent(path="/oauth/token")) == 1


def test_a_refused_token_is_refreshed_once_and_the_body_goes_again(
    library: Library, sdk: Client, world: World, network: FakeNetwork
) -> None:
    """Requirements 7.14, 5.13."""
    (grant,) = world.skyhost.server.grants.all
    grant.access_expires_at = 0.0

    sdk.upload_blob(b"again")

    assert [one.body for one in network.sent(path=UPLOAD_BLOB)] == [b"again"] * 2
    assert len(network.sent(path="/oauth/token")) == 1


def test_a_clone_with_headers_of_its_own_has_the_same_session(
    sdk: Client, session: OAuthSession, network: FakeNetwork
) -> None:
    proxied = sdk.with_proxy("bsky_appview", "did:web:api.bsky.app")

    proxied.com.atproto.server.get_session()
    sdk.com.atproto.server.get_session()

    first, second = network.sent(path=GET_SESSION)
    assert first.headers["atproto-proxy"] == "did:web:api.bsky.app#bsky_appview"
    assert "atproto-proxy" not in second.headers
    assert proxied.me == sdk.me


def test_parameters_are_spelled_as_xrpc_wants_them(
    sdk: Client, network: FakeNetwork
) -> None:
    with pytest.raises(sdk_errors.RequestException):
        sdk.app.bsky.feed.get_posts({"uris": ["at://a/b/1", "at://a/b/2"]})
    with pytest.raises(sdk_errors.RequestException):
        sdk.invoke_query(
            "app.x.y",
            params=models.ComAtprotoRepoListRecords.Params(
                repo="r", collection="c.d.e", reverse=True
            ),
        )

    first, second = network.sent()
    assert first.url.endswith("?uris=at%3A%2F%2Fa%2Fb%2F1&uris=at%3A%2F%2Fa%2Fb%2F2")
    assert "reverse=true" in second.url
    assert "cursor" not in second.url


def test_a_blob_of_no_said_kind_is_bytes(sdk: Client, network: FakeNetwork) -> None:
    """RFC 9110 §8.3: the SDK's wildcard is in no permission."""
    said = {"Content-Type": "audio/ogg"}

    assert sdk.upload_blob(b"1").blob.mime_type == "application/octet-stream"
    sdk.com.atproto.repo.upload_blob(b"2", headers=said)

    assert network.sent()[-1].headers["Content-Type"] == "audio/ogg"


def test_sdk_call_with_timeout_uses_it(
    sdk: Client, network: FakeNetwork, world: World
) -> None:
    lay(network, faults.Waits(world.clock, 20.0))

    assert sdk.com.atproto.server.get_session().did
    with pytest.raises(HostUnreachable):
        sdk.com.atproto.server.get_session(timeout=15.0)


def test_an_answer_is_as_long_as_one_allows(
    library: Library, session: OAuthSession
) -> None:
    """Requirement 9.4."""
    with pytest.raises(ResponseTooLarge):
        opened(library, session, limit=10).com.atproto.server.get_session()


def test_sdk_close_keeps_our_connections(sdk: Client) -> None:
    sdk.request.close()

    assert sdk.com.atproto.server.get_session().did


def test_another_thread_serves_what_is_asynchronous(
    sdk: Client, session: OAuthSession
) -> None:
    answer = asyncio.run(asyncio.to_thread(sdk.com.atproto.server.get_session))

    assert answer.did == session.did


# --- what goes wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequestError"),
        (401, "UnauthorizedError"),
        (403, "UnauthorizedError"),
        (404, "RequestException"),
        (409, "NetworkError"),
        (500, "RequestException"),
    ],
)
def test_an_answer_that_is_an_error_is_the_sdks_own(
    sdk: Client, network: FakeNetwork, status: int, kind: str
) -> None:
    lay(network, refuses(status, b'{"error":"Odd","message":"It is odd"}'))

    with pytest.raises(getattr(sdk_errors, kind)) as raised:
        sdk.com.atproto.server.get_session()

    assert type(raised.value) is getattr(sdk_errors, kind)
    assert raised.value.response.status_code == status
    assert raised.value.response.content.error == "Odd"
    assert str(raised.value) == f"{status} Odd: It is odd"


def test_a_limit_of_the_host_says_when_to_come_back(
    sdk: Client, network: FakeNetwork
) -> None:
    lay(network, refuses(429, b'{"error":"RateLimitExceeded"}', **{"Retry-After": "7"}))

    with pytest.raises(sdk_errors.RateLimitExceededError) as raised:
        sdk.com.atproto.server.get_session()

    assert raised.value.retry_after == 7


@pytest.mark.parametrize("body", [b"<html>", b'{"error": 5}', b""])
def test_an_error_that_names_none_brings_its_body(
    sdk: Client, network: FakeNetwork, body: bytes
) -> None:
    lay(network, refuses(400, body))

    with pytest.raises(sdk_errors.BadRequestError) as raised:
        sdk.com.atproto.server.get_session()

    assert raised.value.response.content == body


def test_a_missing_permission_is_named(sdk: Client, session: OAuthSession) -> None:
    """Requirement 8.11."""
    wanted = "repo:app.relay.playlist?action=create"

    with pytest.raises(ScopeMissing, match="permission that was not granted") as raised:
        sdk.com.atproto.repo.create_record(
            {"repo": session.did, "collection": "app.relay.playlist", "record": {}}
        )

    assert raised.value.scope == wanted
    assert wanted in str(raised.value)


def test_the_end_of_the_session_is_said_in_our_words(
    library: Library, sdk: Client, session: OAuthSession
) -> None:
    library.client.revoke(session.did, session.session_id, deadline=library.deadline())

    with pytest.raises(SessionEnded):
        sdk.com.atproto.server.get_session()


def test_a_closed_account_and_an_outage_are_said_in_our_words(
    sdk: Client, session: OAuthSession, world: World, network: FakeNetwork
) -> None:
    """Requirement 7.21; and neither ends the session."""
    world.skyhost.pds.status_of[session.did] = "AccountDeactivated"
    with pytest.raises(AccountUnavailable):
        sdk.com.atproto.server.get_session()
    world.skyhost.pds.status_of.clear()
    network.lay(f"https://{PDS}{CREATE_RECORD}", faults.Refuses(), times=1)
    with pytest.raises(HostUnreachable):
        create(sdk, session)

    assert sdk.com.atproto.server.get_session().did == session.did


def test_an_answer_that_is_not_the_json_it_claims_to_be_is_refused(
    sdk: Client, network: FakeNetwork
) -> None:
    """Requirement 9.4."""
    lay(network, refuses(200, b'{"did": "a", "did": "b"}'))

    with pytest.raises(DocumentInvalid):
        sdk.com.atproto.server.get_session()


# --- what the SDK would do by itself --------------------------------------------------


def test_sdk_login_is_refused_and_sends_no_password(
    sdk: Client, network: FakeNetwork
) -> None:
    with pytest.raises(sdk_errors.AtProtocolError, match="OAuthClient signs in"):
        sdk.login(ALICE, "correct horse")

    assert network.sent() == []


def test_a_session_string_of_the_sdk_is_refused(
    sdk: Client, network: FakeNetwork
) -> None:
    """Its token would travel as a Bearer, to a host that the string names."""
    with pytest.raises(
        sdk_errors.AtProtocolError, match="calls the PDS of its account"
    ):
        sdk.login(
            session_string=":::".join([ALICE, "did", JWT, JWT, "https://x.social"])
        )
    sdk.update_base_url(adapter.OWN_PDS)
    with pytest.raises(sdk_errors.AtProtocolError, match="no tokens"):
        sdk.com.atproto.server.get_session()

    assert network.sent() == []


def test_another_host_is_not_called(sdk: Client, network: FakeNetwork) -> None:
    sdk.update_base_url("https://api.elsewhere.social")

    with pytest.raises(sdk_errors.AtProtocolError, match="no other host"):
        sdk.com.atproto.server.get_session()
    assert network.sent() == []


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_caller_brings_no_credentials(
    sdk: Client, network: FakeNetwork, name: str
) -> None:
    with pytest.raises(sdk_errors.AtProtocolError, match="no tokens"):
        sdk.com.atproto.server.get_session(headers={name: "Bearer x"})
    assert network.sent() == []


def test_sdk_session_export_is_refused(sdk: Client) -> None:
    with pytest.raises(sdk_errors.LoginRequiredError):
        sdk.export_session_string()


def test_the_request_layer_has_no_client_of_httpx(sdk: Client) -> None:
    assert isinstance(sdk.request, adapter.SessionRequest)
    assert not hasattr(sdk.request, "_client")


# --- the package ----------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["atproto_client"] = None
import app.atproto
try:
    import app.atproto.sdk
except ImportError as error:
    print(error)
"""


@pytest.mark.process
def test_without_the_package_the_adapter_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "pip install 'latchkey-atproto[sdk]'" in done.stdout
