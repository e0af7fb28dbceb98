"""Calls on the visitor's PDS through the service: what passes, and what comes back."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from app.blueprints.services.xrpc import LONGEST_VALUE
from app.factory.use_cases import (
    CALLS_AT_ONCE_EACH,
    CALLS_AT_ONCE_PER_PDS,
    SPOOL_BUDGET,
)
from app.flows.xrpc import call as xrpc_call
from app.flows.xrpc.call import CallPds
from tests.fakes import faults
from tests.fakes.browser import AtHost
from tests.fakes.faults import Says
from tests.journeys.calling import (
    ALICE,
    APPVIEW,
    CREATE,
    FEED,
    GET_SESSION,
    PDS,
    SCOPE,
    SIBLING,
    TRACK,
    UPLOAD,
    Caller,
    opened,
    record_of,
)
from tests.signed import signs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.page import Page
    from tests.service import Service

PLAIN = "app.relay.getPlain"
TOKEN_URL = "https://as.skyhost.social/oauth/token"
PLAIN_URL = f"https://{PDS}/xrpc/{PLAIN}"
JSON = {"Content-Type": "application/json"}
PAGE = b"<script>alert(document.cookie)</script>"


@pytest.fixture
def caller(open_service: Callable[..., Service]) -> Caller:
    return opened(open_service)


def presses(page: Page, **fields: str) -> AtHost:
    """Press a button that leads to the person's own host."""
    there = page.presses(**fields)
    assert isinstance(there, AtHost)
    return there


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json()["error"]


# --- what passes ----------------------------------------------------------------------


def test_xrpc_by_cookie_from_a_platform_page_returns_the_answer_of_the_pds(
    shared: Caller,
) -> None:
    answer = shared.gets(GET_SESSION)

    assert (answer.status, answer.json()["did"]) == (200, shared.did)
    assert answer.headers["Latchkey-Source"] == "pds"


def test_xrpc_by_bearer_without_origin_returns_the_answer_of_the_pds(
    shared: Caller,
) -> None:
    assert shared.with_bearer(GET_SESSION).json()["did"] == shared.did


def test_create_record_by_xrpc_stores_it_at_the_pds(caller: Caller) -> None:
    answer = caller.posts(CREATE, record_of(caller.did))

    uri = answer.json()["uri"]
    assert uri.startswith(f"at://{caller.did}/{TRACK}/")
    assert caller.world.skyhost.pds.records[uri]["title"] == "Blue"
    (sent,) = caller.at_pds()
    assert json.loads(sent.body) == record_of(caller.did)


def test_upload_blob_by_xrpc_keeps_its_media_type_and_bytes(caller: Caller) -> None:
    picture = bytes(range(256)) * 2_000  # longer than what stays in memory

    answer = caller.posts(UPLOAD, picture, Content_Type="image/png; name=x")

    blob = answer.json()["blob"]
    assert (blob["mimeType"], blob["size"]) == ("image/png", len(picture))
    assert caller.at_pds()[0].body == picture


def test_xrpc_body_is_sent_again_after_nonce_challenge_and_refresh(
    caller: Caller,
) -> None:
    """Requirements 5.13, 7.14: the whole of it, each time."""
    picture = bytes(range(256)) * 2_000
    caller.world.clock.advance(600)  # longer than a nonce is kept
    caller.world.skyhost.server.grants.all[0].access_expires_at = 0.0

    answer = caller.posts(UPLOAD, picture, Content_Type="image/png")

    assert answer.status == 200
    assert {len(one.body) for one in caller.at_pds()} == {len(picture)}
    assert len(caller.at_pds()) == 3


def test_xrpc_forwards_query_accept_language_and_labelers(
    caller: Caller,
) -> None:
    caller.world.network.lay(PLAIN_URL, Says(200, b"{}", JSON))

    caller.gets(
        PLAIN,
        {"Atproto-Accept-Labelers": "did:plc:x;redact", "Accept-Language": "de"},
        q="a b&c=d/../é",
    )

    (sent,) = caller.at_pds()
    assert sent.url == f"{PLAIN_URL}?q=a+b%26c%3Dd%2F..%2F%C3%A9"
    assert sent.headers["Atproto-Accept-Labelers"] == "did:plc:x;redact"
    assert sent.headers["Accept-Language"] == "de"


def test_xrpc_forwards_no_other_header_and_no_platform_token(caller: Caller) -> None:
    caller.gets(
        GET_SESSION,
        {"X-Forwarded-For": "10.0.0.1", "DPoP": "eyJ", "X-Bsky-Topics": "a"},
    )

    (sent,) = caller.at_pds()
    assert caller.token not in str(sent)
    assert set(sent.headers) == {
        *("Accept", "Accept-Encoding", "User-Agent", "DPoP", "Authorization")
    }
    assert sent.headers["DPoP"] != "eyJ"


@pytest.mark.parametrize("value", ["\xa0de", "\x85", "\x1fde", "\x0bde", "d\xe9"])
def test_xrpc_with_an_unsendable_header_returns_invalid_request(
    shared: Caller, value: str
) -> None:
    """Or three such calls would close the host to everybody for half a minute."""
    for _ in range(3):
        refused = shared.gets(GET_SESSION, {"Accept-Language": value})
        assert error_of(refused) == (400, "invalid_request")

    assert shared.gets(GET_SESSION).status == 200


def test_xrpc_with_allowed_atproto_proxy_is_forwarded_to_that_service(
    caller: Caller,
) -> None:
    url = f"https://{PDS}/xrpc/{FEED}"
    caller.world.network.lay(url, Says(200, b"{}", JSON))

    asked = caller.gets(FEED, {"Atproto-Proxy": APPVIEW})
    filled_in = caller.gets(FEED)

    assert (asked.status, filled_in.status) == (200, 200)
    assert [one.headers["atproto-proxy"] for one in caller.at_pds()] == [APPVIEW] * 2


def test_xrpc_with_other_atproto_proxy_returns_call_not_allowed(shared: Caller) -> None:
    evil = {"Atproto-Proxy": "did:web:evil.cafe#relay_appview"}

    assert error_of(shared.gets(FEED, evil)) == (403, "call_not_allowed")
    assert error_of(shared.gets(PLAIN, evil)) == (403, "call_not_allowed")
    assert error_of(shared.gets(PLAIN, {"Atproto-Proxy": APPVIEW}))[0] == 403
    assert shared.at_pds() == []


# --- who may call ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.cafe",
        "null",
        "http://music.platform.cafe",
        "https://music.platform.cafe:8443",
        "https://music.platform.cafe.evil.cafe",
        "https://notplatform.cafe",
        "https://user@music.platform.cafe",
        "https://music.platform.cafe/",
        "https://MUSIC.platform.cafe",
    ],
)
def test_xrpc_from_a_foreign_origin_is_refused(
    shared: Caller, method: str, origin: str
) -> None:
    """The cookie is there: the browser is one that attaches it to everything."""
    answer = shared.calls(method, GET_SESSION, origin=origin, site="same-site")

    assert error_of(answer) == (403, "cross_site")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert shared.at_pds() == []


@pytest.mark.parametrize(
    ("headers", "site"),
    [
        ({}, "cross-site"),
        ({}, "same-site"),
        ({}, "none"),
        ({"Referer": "https://evil.cafe/page"}, "cross-site"),
        ({"Referer": "https://evil.cafe/https://music.platform.cafe/"}, "same-site"),
        ({"Referer": "https://music.platform.cafe@evil.cafe/"}, "same-site"),
    ],
)
def test_xrpc_get_by_cookie_without_origin_needs_same_site(
    shared: Caller, headers: dict[str, str], site: str
) -> None:
    answer = shared.calls("GET", GET_SESSION, origin=None, headers=headers, site=site)

    assert error_of(answer) == (403, "cross_site")
    assert shared.at_pds() == []


def test_xrpc_get_by_cookie_with_platform_referer_is_passed_on(
    shared: Caller,
) -> None:
    page = {"Referer": f"{SIBLING}/album"}

    theirs = shared.calls("GET", GET_SESSION, origin=None, headers=page)
    ours = shared.calls("GET", GET_SESSION, origin=None, site="same-origin")

    assert (theirs.status, ours.status) == (200, 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Referer": "https://["},
        {"Referer": "https://music.platform.cafe@evil.cafe/"},
        {"Referer": "https://"},
        {"Authorization": "Basic \xff"},
    ],
)
def test_xrpc_get_with_unreadable_origin_headers_is_refused(
    shared: Caller, headers: dict[str, str]
) -> None:
    answer = shared.calls("GET", GET_SESSION, headers=headers, origin=None)

    assert error_of(answer) == (403, "cross_site")


def test_xrpc_post_by_cookie_without_origin_is_refused(shared: Caller) -> None:
    answer = shared.calls(
        "POST", PLAIN, origin=None, headers={"Referer": f"{SIBLING}/"}, site="same-site"
    )

    assert error_of(answer) == (403, "cross_site")


def test_xrpc_with_a_wrong_bearer_ignores_the_cookie(
    shared: Caller,
) -> None:
    for token in ("nonsense", ""):
        given = {"Authorization": f"Bearer {token}"}
        answer = shared.calls("GET", GET_SESSION, headers=given, origin=None)

        assert error_of(answer) == (401, "not_signed_in")
    assert shared.at_pds() == []


@pytest.mark.parametrize(
    "origin", [SIBLING, "https://play.elsewhere.cafe", "https://auth.platform.cafe"]
)
def test_xrpc_preflight_of_a_platform_origin_is_allowed(
    shared: Caller, origin: str
) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    before = shared.calls("OPTIONS", CREATE, origin=origin, headers=asked)
    after = shared.calls("GET", GET_SESSION, origin=origin)

    assert before.status == 204
    assert before.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Content-Type" in before.headers["Access-Control-Allow-Headers"]
    assert "Latchkey-Source" in after.headers["Access-Control-Expose-Headers"]
    for answer in (before, after):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"


def test_xrpc_error_for_a_platform_page_has_cors_headers(caller: Caller) -> None:
    caller.browser.jar.clear()

    answer = caller.gets(GET_SESSION)

    assert error_of(answer) == (401, "not_signed_in")
    assert answer.headers["Access-Control-Allow-Origin"] == SIBLING
    assert "Latchkey-Source" not in answer.headers


def test_xrpc_preflight_of_a_foreign_origin_returns_403_without_cors(
    shared: Caller,
) -> None:
    for origin in ("https://evil.cafe", "null"):
        before = shared.calls("OPTIONS", CREATE, origin=origin)

        assert before.status == 403
        assert before.headers["Vary"] == "Origin"
        assert not [name for name, _ in before.headers if name.startswith("Access-")]


def test_xrpc_after_sign_out_is_refused(caller: Caller) -> None:
    token = caller.token
    caller.browser.signs_out()

    assert error_of(caller.with_bearer(GET_SESSION, token)) == (401, "not_signed_in")


def test_xrpc_with_put_or_delete_returns_405(shared: Caller) -> None:
    assert shared.calls("DELETE", GET_SESSION).status == 405
    assert shared.calls("PUT", GET_SESSION).status == 405


# --- what comes back ------------------------------------------------------------------


def test_xrpc_response_cuts_a_long_header_of_the_pds(shared: Caller) -> None:
    said = Says(200, b"{}", {**JSON, "Atproto-Repo-Rev": "x" * 7_000})
    shared.world.network.lay(PLAIN_URL, said)

    kept = shared.gets(PLAIN).headers["Atproto-Repo-Rev"]

    assert len(kept) == LONGEST_VALUE


def test_xrpc_response_keeps_listed_headers_of_the_pds_only(
    shared: Caller,
) -> None:
    helpful = {
        "RateLimit-Limit": "3000",
        "RateLimit-Remaining": "2999",
        "RateLimit-Reset": "1790000300",
        "RateLimit-Policy": "3000;w=300",
        "Atproto-Repo-Rev": "3l4example",
        "Atproto-Content-Labelers": ", ".join(
            20 * ["did:plc:ar7c4by46qjdydhdevvrndac"]
        ),
    }
    harmful = {
        "Set-Cookie": "platform_token=evil; Domain=platform.cafe",
        "WWW-Authenticate": "Basic",
        "DPoP-Nonce": "n",
        "Authorization": "DPoP x",
        "Access-Control-Allow-Origin": "*",
        "Location": "https://evil.cafe",
        "Content-Security-Policy": "default-src *",
        "Clear-Site-Data": '"*"',
        "Refresh": "0; url=https://evil.cafe",
    }
    said = Says(200, b"{}", {**JSON, **helpful, **harmful})
    shared.world.network.lay(PLAIN_URL, said)

    answer = shared.gets(PLAIN)

    assert {name: answer.headers[name] for name in helpful} == helpful
    assert answer.headers["Access-Control-Allow-Origin"] == SIBLING
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    for name in harmful.keys() - {
        "Access-Control-Allow-Origin",
        "Content-Security-Policy",
    }:
        assert name not in answer.headers


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize(
    "content_type",
    ["text/html", "image/svg+xml", "", "text/html\t;x", "a b", "x" * 999],
)
def test_xrpc_response_in_html_is_a_sandboxed_download(
    shared: Caller, status: int, content_type: str
) -> None:
    said = Says(status, PAGE, {"Content-Type": content_type})
    shared.world.network.lay(PLAIN_URL, said)

    answer = shared.gets(PLAIN)

    assert (answer.status, answer.body) == (status, PAGE)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    )


@pytest.mark.parametrize(
    "content_type",
    ["text/javascript", "application/x-javascript", "text/ecmascript", "text/css"],
)
def test_xrpc_response_in_javascript_or_css_is_an_octet_stream(
    shared: Caller, content_type: str
) -> None:
    """A download disposition keeps no browser from running what a page refers to."""
    said = Says(200, b"alert(1)", {"Content-Type": content_type})
    shared.world.network.lay(PLAIN_URL, said)

    answer = shared.gets(PLAIN)

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_xrpc_error_of_the_pds_is_returned_with_latchkey_source(
    shared: Caller,
) -> None:
    body = b'{"error":"InvalidRequest","message":"no such thing"}'
    shared.world.network.lay(PLAIN_URL, Says(400, body, JSON))

    answer = shared.gets(PLAIN)

    assert (answer.status, answer.body) == (400, body)
    assert answer.headers["Latchkey-Source"] == "pds"


def test_xrpc_response_of_a_megabyte_is_returned_whole(caller: Caller) -> None:
    audio = bytes(range(256)) * 4_000
    url = f"https://{PDS}/xrpc/com.atproto.sync.getBlob"
    caller.world.network.lay(url, Says(200, audio, {"Content-Type": "audio/mpeg"}))

    answer = caller.gets("com.atproto.sync.getBlob", did=caller.did, cid="x")

    assert answer.body == audio
    assert answer.headers["Content-Length"] == str(len(audio))
    assert answer.headers["Content-Type"] == "audio/mpeg"


# --- sizes ----------------------------------------------------------------------------


def test_xrpc_body_above_the_limit_of_its_kind_is_refused(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, xrpc_max_json=200_000, xrpc_max_blob=300_000)
    note = record_of(caller.did, padding="x" * 150_000)

    assert caller.posts(CREATE, note).status == 200  # forms end at 64 KB
    too_long = caller.posts(CREATE, record_of(caller.did, padding="x" * 200_000))
    blob = caller.posts(UPLOAD, b"x" * 300_001, Content_Type="image/png")

    assert error_of(too_long) == (413, "too_large")
    assert error_of(blob) == (413, "too_large")
    assert len(caller.at_pds()) == 1


class Endless(BytesIO):
    """A body that never ends, and counts what was wanted of it."""

    wanted = 0

    def read(self, size: int | None = -1) -> bytes:
        count = 65_536 if size is None or size < 0 else size
        self.wanted += count
        return b"x" * count

    def readinto(self, buffer: Any) -> int:
        self.wanted += len(buffer)
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize("nsid", [UPLOAD, CREATE])
def test_xrpc_body_of_unknown_length_is_read_up_to_the_limit(
    open_service: Callable[..., Service], nsid: str
) -> None:
    """As gunicorn hands on `Transfer-Encoding: chunked`: no length is known."""
    caller = opened(open_service, xrpc_max_json=200_000, xrpc_max_blob=300_000)
    body = Endless()
    content_type = "image/png" if nsid == UPLOAD else "application/json"

    answer = caller.service.app.test_client().post(
        f"/auth/xrpc/{nsid}",
        base_url=caller.service.home,
        headers={"Authorization": f"Bearer {caller.token}"},
        input_stream=body,
        content_type=content_type,
        environ_overrides={
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )

    assert (answer.status_code, answer.json["error"]) == (413, "too_large")
    assert body.wanted < 500_000
    assert caller.at_pds() == []


def test_form_above_64_kb_returns_413_with_xrpc_allowed(caller: Caller) -> None:
    page = caller.browser.posts("/auth/login", {"identifier": "x" * 70_000})

    assert page.status == 413


def test_xrpc_response_above_the_limit_is_refused(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, xrpc_max_json=100_000, xrpc_max_blob=100_000)
    caller.world.network.lay(PLAIN_URL, Says(200, b"x" * 100_001, JSON))

    assert error_of(caller.gets(PLAIN)) == (502, "server_invalid")


def test_unread_xrpc_response_counts_as_concurrent_call_of_the_account(
    caller: Caller,
) -> None:
    """A slow reader fills no disk: each answer keeps its place until sent."""
    url = f"https://{PDS}/xrpc/com.atproto.sync.getBlob"
    caller.world.network.lay(url, Says(200, bytes(300_000), {}))
    client = caller.service.app.test_client()

    def fetches() -> Any:
        return client.get(
            "/auth/xrpc/com.atproto.sync.getBlob",
            base_url=caller.service.home,
            headers={"Authorization": f"Bearer {caller.token}"},
        )

    with ExitStack() as untaken:
        for _ in range(CALLS_AT_ONCE_EACH):
            answer = untaken.enter_context(closing(fetches()))
            assert answer.status_code == 200
        assert fetches().status_code == 429

    with closing(fetches()) as whole:
        assert len(whole.data) == 300_000


def test_short_xrpc_response_counts_as_no_concurrent_call(caller: Caller) -> None:
    for _ in range(CALLS_AT_ONCE_EACH + 1):
        assert caller.gets(GET_SESSION).status == 200


# --- failures, told apart -------------------------------------------------------------


def test_xrpc_with_an_ended_grant_returns_reconnect_with_login_url(
    caller: Caller,
) -> None:
    """Requirement 7.18: the platform cookie is as good as before, and login works
    with it.
    """
    caller.world.skyhost.server.grants.all[0].alive = False

    dead = caller.gets(GET_SESSION)
    again = caller.gets(GET_SESSION)
    way_out = dead.json()["login_url"]
    page = caller.browser.visits(f"{way_out}&return_to=/auth/account")

    assert error_of(dead) == error_of(again) == (401, "reconnect")
    assert caller.browser.is_signed_in()
    back = presses(page, identifier=caller.did, prompt="login").approves()
    assert back.url == f"{caller.service.home}/auth/account"
    assert caller.gets(GET_SESSION).status == 200


def test_xrpc_without_the_permission_returns_permission_missing_with_login_url(
    open_service: Callable[..., Service],
) -> None:
    """Requirements 8.11, 7.13: 403 is no reason to refresh."""
    caller = opened(open_service, scope_max=f"{SCOPE} repo:app.relay.note")
    note = record_of(caller.did, collection="app.relay.note")

    answer = caller.posts(CREATE, note)

    assert error_of(answer) == (403, "permission_missing")
    assert answer.json()["scope"] == "repo:app.relay.note?action=create"
    assert caller.world.network.sent(path="/oauth/token") == []
    asks = caller.browser.visits(answer.json()["login_url"])
    presses(asks, identifier=caller.did).approves()
    assert caller.posts(CREATE, note).status == 200


@pytest.mark.parametrize("state", ["AccountDeactivated", "AccountTakedown"])
def test_xrpc_for_an_inactive_account_returns_account_unavailable(
    caller: Caller, state: str
) -> None:
    """Requirement 7.21: no refresh, no end of the session, and the person stays."""
    caller.world.skyhost.pds.status_of[caller.did] = state

    assert error_of(caller.gets(GET_SESSION)) == (403, "account_unavailable")
    assert caller.world.network.sent(path="/oauth/token") == []
    caller.world.skyhost.pds.status_of.clear()
    assert caller.gets(GET_SESSION).status == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.Refuses(), 504),
        (faults.bad_gateway(), 502),
        (Says(503, b'{"error":"NotNow"}', JSON), 502),
        (Says(500, PAGE, {"Content-Type": "text/html"}), 502),
    ],
)
def test_xrpc_with_an_unreachable_pds_returns_host_unreachable(
    caller: Caller, fault: Any, status: int
) -> None:
    caller.world.network.lay(PLAIN_URL, fault)

    assert error_of(caller.gets(PLAIN)) == (status, "host_unreachable")


def test_xrpc_while_another_process_refreshes_returns_504_with_retry_after(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xrpc_call, "CALL_BUDGET", 0.0)
    caller.world.clock.advance(7200)  # the access token is over
    lease = "UPDATE oauth_sessions SET lease_holder = 'elsewhere', lease_until = ?"
    caller.service.rows(lease, int(caller.world.clock()) + 100_000)

    page = caller.gets(GET_SESSION)

    assert error_of(page) == (504, "host_unreachable")
    assert page.headers["Retry-After"] == "5"
    caller.service.rows("DELETE FROM oauth_sessions")  # ends the wait for the lease


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirect_of_a_pds_is_not_passed_on(shared: Caller, status: int) -> None:
    shared.world.network.lay(PLAIN_URL, faults.redirect("https://evil.cafe/", status))

    answer = shared.gets(PLAIN)

    assert error_of(answer) == (502, "server_invalid")
    assert "Location" not in answer.headers


@pytest.mark.parametrize("status", [101, 103, 199, 600, 999])
def test_interim_status_of_a_pds_is_not_passed_on(shared: Caller, status: int) -> None:
    """After a 1xx of ours, a proxy would take the next visitor's answer for this."""
    shared.world.network.lay(PLAIN_URL, Says(status, b"", JSON))

    assert error_of(shared.gets(PLAIN)) == (502, "server_invalid")


# --- hosts and callers that want less -------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "90"}, 90),
        ({"RateLimit-Reset": "1790000120"}, 120),
        ({"RateLimit-Reset": "150"}, 150),
        ({}, 60),
        ({"Retry-After": "soon"}, 60),
    ],
)
def test_xrpc_waits_for_retry_after_of_a_pds(
    caller: Caller, headers: dict[str, str], seconds: int
) -> None:
    said = Says(429, b'{"error":"RateLimitExceeded"}', {**JSON, **headers})
    caller.world.network.lay(PLAIN_URL, said, times=1)
    caller.world.network.lay(PLAIN_URL, Says(200, b"{}", JSON))

    first = caller.gets(PLAIN)
    left_alone = caller.gets(PLAIN)
    other = caller.gets(GET_SESSION)
    asked = len(caller.at_pds())
    caller.world.clock.advance(seconds + 1)

    assert error_of(first) == error_of(left_alone) == (429, "too_many_requests")
    assert abs(int(left_alone.headers["Retry-After"]) - seconds) <= 1
    assert (other.status, asked) == (429, 1)
    assert caller.gets(PLAIN).status == 200


def test_xrpc_after_429_for_one_account_is_passed_on_for_another(
    caller: Caller,
) -> None:
    bob = signs_in(
        caller.service, caller.service.browser(), "bob.skyhost.social", username="bob"
    )
    caller.world.network.lay(PLAIN_URL, faults.too_many(300), times=1)
    caller.world.network.lay(PLAIN_URL, Says(200, b"{}", JSON))

    assert caller.gets(PLAIN).status == 429
    assert Caller(caller.service, bob).gets(PLAIN).status == 200


def test_xrpc_get_after_429_of_a_write_is_passed_on(caller: Caller) -> None:
    url = f"https://{PDS}/xrpc/{CREATE}"
    caller.world.network.lay(url, faults.too_many(3600), times=1)

    assert caller.posts(CREATE, record_of(caller.did)).status == 429
    assert caller.posts(CREATE, record_of(caller.did)).status == 429
    assert caller.gets(GET_SESSION).status == 200


def test_xrpc_after_429_of_the_token_endpoint_waits_for_retry_after(
    caller: Caller,
) -> None:
    """Many a PDS is its own authorization server."""
    network = caller.world.network
    caller.world.clock.advance(7200)  # the access token is over
    network.lay(TOKEN_URL, faults.too_many(90), times=1)

    first, left_alone = caller.gets(GET_SESSION), caller.gets(GET_SESSION)
    asked = len(network.sent(path="/oauth/token"))
    caller.world.clock.advance(91)

    assert error_of(first) == error_of(left_alone) == (429, "too_many_requests")
    assert left_alone.headers["Retry-After"] == "90"
    assert asked == 1
    assert caller.gets(GET_SESSION).status == 200


def test_call_limit_counts_all_sessions_of_the_account(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, rate_limit_xrpc_per_session="3/minute")

    statuses = [caller.gets(GET_SESSION).status for _ in range(3)]

    assert statuses == [200, 200, 429]
    elsewhere = signs_in(caller.service, caller.service.browser(), ALICE)
    assert Caller(caller.service, elsewhere).gets(GET_SESSION).status == 429


def test_xrpc_with_invalid_tokens_limits_that_address_alone(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, rate_limit_failed_tokens_per_address="2/minute")

    guesses = [caller.with_bearer(GET_SESSION, "guess").status for _ in range(3)]

    assert guesses == [401, 401, 429]
    assert caller.with_bearer(GET_SESSION).status == 200


# --- what is kept of it ---------------------------------------------------------------


def test_xrpc_calls_are_audited_by_method_without_content(caller: Caller) -> None:
    caller.world.clock.advance(1)
    caller.posts(CREATE, record_of(caller.did, title="canary-of-the-body"))
    caller.world.clock.advance(1)
    caller.with_bearer(f"{GET_SESSION}?q=canary-of-the-query")
    caller.world.clock.advance(1)
    caller.gets("com.atproto.server.deleteAccount")

    rows = caller.service.rows(
        "SELECT did, sid, detail FROM audit_events WHERE event = 'xrpc' ORDER BY id"
    )
    details = [json.loads(detail) for _, _, detail in rows][1:]

    assert {did for did, _, _ in rows} == {caller.did}
    assert len({sid for _, sid, _ in rows}) == 1
    assert all(type(one.pop("milliseconds")) is int for one in details)
    assert details == [
        {
            "nsid": CREATE,
            "method": "POST",
            "collections": [TRACK],
            "caller": SIBLING,
            "status": 200,
        },
        {
            "nsid": GET_SESSION,
            "method": "GET",
            "collections": [],
            "caller": "bearer",
            "status": 200,
        },
        {
            "nsid": "com.atproto.server.deleteAccount",
            "method": "GET",
            "collections": [],
            "caller": SIBLING,
            "status": 403,
            "refused": "call_not_allowed",
            "count": 1,
        },
    ]


def audited(caller: Caller) -> list[dict[str, Any]]:
    rows = caller.service.rows("SELECT detail FROM audit_events WHERE event = 'xrpc'")
    return [json.loads(detail) for (detail,) in rows]


def test_refused_xrpc_calls_are_audited_once_per_reason_and_minute(
    caller: Caller,
) -> None:
    before = len(audited(caller))

    for _ in range(20):
        caller.gets("com.atproto.server.deleteAccount")
    caller.posts(CREATE, b"{}")
    caller.world.clock.advance(121)
    caller.gets("com.atproto.server.deleteAccount")

    rows = audited(caller)[before:]
    assert [(row["refused"], row["count"]) for row in rows] == [
        ("call_not_allowed", 1),
        ("call_not_allowed", 21),
    ]


def test_xrpc_calls_above_the_rate_limit_are_not_audited(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, rate_limit_xrpc_per_session="3/minute")
    before = len(audited(caller))

    answers = [caller.gets(GET_SESSION).status for _ in range(6)]

    assert answers[-3:] == [429, 429, 429]
    assert len(audited(caller)) - before == answers.count(200) > 0


def test_xrpc_calls_with_empty_allow_list_are_not_audited(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, allow="")

    assert [caller.gets(GET_SESSION).status for _ in range(3)] == [403, 403, 403]
    assert audited(caller) == []


# --- places and room ------------------------------------------------------------------


def test_xrpc_calls_above_the_limit_of_a_pds_return_too_many_requests(
    caller: Caller,
) -> None:
    """A slow PDS leaves places to the people of all others."""
    limit = flow_of(caller).concurrency_of_pds
    with ExitStack() as held:
        for _ in range(CALLS_AT_ONCE_PER_PDS):
            held.enter_context(limit.hold(PDS))
        refused = caller.gets(GET_SESSION)

    assert error_of(refused) == (429, "too_many_requests")
    assert caller.gets(GET_SESSION).status == 200
    assert limit.held == 0


def test_xrpc_body_above_the_spool_budget_returns_503(caller: Caller) -> None:
    spool = flow_of(caller).spool
    spool.take(SPOOL_BUDGET - 10)

    refused = caller.posts(CREATE, record_of(caller.did))
    spool.give_back(SPOOL_BUDGET - 10)

    assert error_of(refused) == (503, "service_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert caller.posts(CREATE, record_of(caller.did)).status == 200
    assert spool.used == 0


def test_xrpc_body_is_read_in_parts_of_bounded_size(caller: Caller) -> None:
    """One read of one-byte chunks must not take a worker's time for long."""
    sizes = []

    class Body(BytesIO):
        def readinto(self, buffer: Any) -> int:
            sizes.append(len(buffer))
            return super().readinto(buffer)

    content = json.dumps(record_of(caller.did, title="x" * 20_000)).encode()
    answer = caller.service.app.test_client().post(
        f"/auth/xrpc/{CREATE}",
        base_url=caller.service.home,
        headers={"Authorization": f"Bearer {caller.token}"},
        input_stream=Body(content),
        content_length=len(content),
        content_type="application/json",
    )

    assert answer.status_code == 200
    assert max(sizes) <= 4096


def flow_of(caller: Caller) -> CallPds:
    flow: CallPds = caller.service.app.extensions["latchkey"].flows.call_pds
    return flow


def test_xrpc_content_is_in_no_log_and_no_table(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = Says(200, b'{"canary":"of-the-answer"}', JSON)
    caller.world.network.lay(PLAIN_URL, said)

    caller.posts(CREATE, record_of(caller.did, record={"title": "canary-of-the-body"}))
    caller.posts(CREATE, b'{"repo": "canary-of-a-bad-body')
    caller.gets(PLAIN, q="canary-of-the-query")

    dump = "\n".join(
        str(caller.service.rows(f"SELECT * FROM {name}"))  # noqa: S608
        for (name,) in caller.service.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
    )
    for text in (caplog.text, dump):
        assert "canary" not in text
        assert caller.token not in text


# --- off ------------------------------------------------------------------------------


def test_xrpc_with_empty_allow_list_returns_call_not_allowed(
    open_service: Callable[..., Service],
) -> None:
    caller = opened(open_service, allow="")

    assert error_of(caller.gets(GET_SESSION)) == (403, "call_not_allowed")
    assert error_of(caller.posts(CREATE, record_of(caller.did)))[0] == 403
    assert caller.at_pds() == []
