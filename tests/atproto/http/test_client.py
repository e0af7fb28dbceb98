"""The outgoing door against servers that are out to harm it (requirements 9.1 to 9.7).

The servers are real and on loopback, so that what is tested is what runs; a resolver of
the test's own leads there from names that look public.
"""

from __future__ import annotations

import gzip
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.adapters import BaseAdapter

from app.atproto.errors import (
    HostUnreachable,
    ResponseTooLarge,
    ServerInvalid,
    UnsafeURL,
)
from app.atproto.http.client import Deadline, NetworkPolicy, SafeHTTP
from app.atproto.http.exceptions import ConnectFailed
from app.atproto.http.session import CONNECT_LIMIT
from tests.atproto.doors import HOST, STRICT_BUT_PORTS, USER_AGENT, Door, OneAnswer
from tests.fakes.hostile import (
    HostileServer,
    floods,
    hangs_up,
    head,
    redirects,
    says,
    sends,
)

LAB = NetworkPolicy.lab()
BOMB = gzip.compress(b"\0" * 5_000_000)


@pytest.fixture
def door():
    with Door(LAB) as door:
        yield door


# --- an honest answer -------------------------------------------------------------


def test_get_returns_status_headers_and_body(door):
    with HostileServer(says(b'{"a": 1}', Content_Type="application/json")) as server:
        response = door.get(server, "/x?y=z")

    assert response.status == 200
    assert response.json_object() == {"a": 1}
    assert response.content_type == "application/json"
    assert response.url == f"http://{HOST}:{server.port}/x?y=z"
    assert server.requests[0].target == "/x?y=z"


@pytest.mark.parametrize("status", [204, 400, 404, 429, 500, 503])
def test_a_status_is_returned_and_not_raised(door, status):
    with HostileServer(says(b"", status=status)) as server:
        assert door.get(server).status == status


def test_post_sends_the_body_unchanged(door):
    form = {"Content-Type": "application/x-www-form-urlencoded", "DPoP": "proof"}
    with HostileServer(says()) as server:
        door.post(server, "/par", body=b"a=%2F&b=", headers=form)

    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b"a=%2F&b=")
    assert request.headers["Content-Type"] == form["Content-Type"]
    assert request.headers["Dpop"] == "proof"
    assert "Transfer-Encoding" not in request.headers


def test_the_path_is_requested_as_it_was_checked(door):
    with HostileServer(says()) as server:
        door.get(server, "/a/../b/%7Euser//c?x=%2F%7E")

    assert server.requests[0].target == "/a/../b/%7Euser//c?x=%2F%7E"


# --- who we are (requirement 9.7), and what we take from our surroundings (requirement


def test_every_request_has_our_user_agent(door):
    with HostileServer(redirects("/second"), says()) as server:
        door.get(server, headers={"User-Agent": "someone else"}, redirects=1)
        door.post(server)

    agents = [request.headers["User-Agent"] for request in server.requests]
    assert agents == [USER_AGENT] * 3


def test_the_host_header_is_the_name(door):
    with HostileServer(says()) as server:
        door.get(server)

    assert server.requests[0].headers["Host"] == f"{HOST}:{server.port}"


def test_proxies_of_the_environment_are_ignored(door, monkeypatch):
    with HostileServer(says(b"proxy")) as proxy, HostileServer(says(b"host")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert door.get(server).body == b"host"
        assert proxy.connections == 0


def test_passwords_in_netrc_are_ignored(door, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST}\nlogin me\npassword canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    with HostileServer(says()) as server:
        door.get(server)

    assert "Authorization" not in server.requests[0].headers


def test_cookies_are_not_kept(door):
    with HostileServer(says(Set_Cookie="a=b; Path=/")) as server:
        door.get(server)
        door.get(server)

    assert "Cookie" not in server.requests[1].headers
    assert len(door.http._session.cookies) == 0  # nor may strangers fill our memory


# --- where we go (requirement 9.2) ----------------------------------------------------


def test_request_applies_the_url_policy():
    with Door(NetworkPolicy()) as door, HostileServer(says()) as server:
        with pytest.raises(UnsafeURL, match="https"):
            door.get(server)

        assert door.resolve.asked == []
        assert server.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_host_with_private_address_is_not_contacted(address):
    with Door(STRICT_BUT_PORTS, [address]) as door, HostileServer(says()) as server:
        with pytest.raises(UnsafeURL) as caught:
            door.get(server, scheme="https")

        assert caught.value.host == HOST
        assert server.connections == 0


def test_host_with_one_private_address_is_refused():
    addresses = ["93.184.215.14", "127.0.0.1"]
    with Door(STRICT_BUT_PORTS, addresses) as door, HostileServer(says()) as server:
        with pytest.raises(UnsafeURL):
            door.get(server, scheme="https")

        assert server.connections == 0


@pytest.mark.parametrize("address", ["192.88.99.1", "192.0.0.9"])
def test_ranges_of_requests_hardened_are_refused(address):
    NetworkPolicy().check_address(address)

    with (
        Door(STRICT_BUT_PORTS, [address]) as door,
        HostileServer(says()) as server,
        pytest.raises(UnsafeURL),
    ):
        door.get(server, scheme="https")


# --- redirects --------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_like_any_other(door, status):
    with HostileServer(redirects("/elsewhere", status=status)) as server:
        response = door.get(server)

    assert response.status == status
    assert response.headers["Location"] == "/elsewhere"
    assert len(server.requests) == 1


def test_redirects_are_followed_when_asked_for(door):
    with HostileServer(redirects("/b?c#d"), says(b"there")) as server:
        response = door.get(server, redirects=3)

    assert response.body == b"there"
    assert response.url == f"http://{HOST}:{server.port}/b?c"


def test_fourth_redirect_is_not_followed(door):
    with HostileServer(redirects("/again")) as server:
        response = door.get(server, redirects=3)

    assert response.status == 302
    assert len(server.requests) == 4


def test_request_for_more_than_three_redirects_raises_value_error(door):
    with HostileServer(says()) as server, pytest.raises(ValueError, match="three"):
        door.get(server, redirects=4)


def test_a_post_follows_no_redirect(door):
    with HostileServer(redirects("/b"), says()) as server:
        assert door.post(server).status == 302
        with pytest.raises(ValueError, match="GET"):
            door.post(server, redirects=1)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://user@pds.host.dev/",
        "//169.254.169.254/",
        r"https://pds.host.dev\@169.254.169.254/",
        "file:///etc/passwd",
        "https://[::1/",
        "https://\xff.dev/",
    ],
)
def test_redirect_target_is_checked_by_the_policy(target):
    network = OneAnswer(302, {"Location": target})
    with Door(NetworkPolicy(), adapter=network) as door, pytest.raises(UnsafeURL):
        door.http.request(
            "GET", f"https://{HOST}/", deadline=Deadline.after(5), limit=1, redirects=3
        )

    assert network.urls == [f"https://{HOST}/"]


def test_a_redirect_to_a_private_address_is_not_contacted():
    class LoopbackIsPublic(NetworkPolicy):
        def check_address(self, address, *, host=""):
            if address != "127.0.0.1":
                NetworkPolicy().check_address(address, host=host)

    policy = LoopbackIsPublic(
        allow_http=True, allow_any_port=True, allow_private=True, allow_test_names=True
    )
    with HostileServer(says(), address="::1") as inside:
        first = redirects(f"http://inside.dev:{inside.port}/")
        with (
            HostileServer(first) as server,
            Door(policy, ["127.0.0.1"], ["::1"]) as door,
            pytest.raises(UnsafeURL),
        ):
            door.get(server, redirects=1)

        assert inside.connections == 0


def test_headers_for_one_host_are_not_sent_to_the_next(door):
    headers = {"Authorization": "DPoP canary", "Accept": "text/plain"}
    with HostileServer(says()) as other:
        target = f"http://other.host.dev:{other.port}/"
        with HostileServer(redirects("/same"), redirects(target)) as server:
            door.get(server, headers=headers, redirects=2)

    assert server.requests[1].headers["Authorization"] == "DPoP canary"
    assert "Authorization" not in other.requests[0].headers


@pytest.mark.parametrize("start", [{}, {"Content_Encoding": "gzip"}])
def test_the_body_of_a_redirect_is_not_read(door, start):
    if start:
        flood = floods(_redirect(**start), gzip.compress(b"\0" * 1_000_000))
    else:
        flood = floods(_redirect(), b"x" * 10_000)
    with HostileServer(flood) as server:
        if start:
            with pytest.raises(ServerInvalid):
                door.get(server)
        else:
            assert door.get(server).body == b""

    assert not flood.is_complete


def _redirect(**headers):
    return head(Location="/x", **headers).replace(b" 200 ", b" 302 ")


# --- logs (requirement 9.22) ----------------------------------------------------------


def test_logs_and_errors_contain_no_query_body_or_header(door, caplog):
    caplog.set_level(logging.DEBUG)
    broken = sends([b"HTTP/1.1 200 Reason\r\nno colon here\r\n\r\ncanary"])
    cut = sends([head(Content_Length="100"), b"canary"])
    with HostileServer(says(b"canary"), broken, cut, hangs_up) as server:
        for _ in range(4):
            try:
                door.post(
                    server,
                    "/token?code=canary",
                    body=b"canary",
                    headers={"DPoP": "canary"},
                )
            except HostUnreachable as error:
                caplog.messages.append("".join(traceback.format_exception(error)))

    assert len(server.requests) == 4
    assert "canary" not in caplog.text + "".join(caplog.messages)
    assert f"POST {HOST}:{server.port}: 200" in caplog.text


def test_requests_of_the_rest_of_the_program_are_logged_as_ever(door, caplog):
    caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
    with HostileServer(says(b"ours"), says(b"theirs")) as server:
        door.get(server, "/ours?a=b")
        requests.get(f"http://127.0.0.1:{server.port}/theirs?a=b", timeout=5)

    assert "/theirs?a=b" in caplog.text
    assert "/ours" not in caplog.text


# --- with something else in place of the network ----------------------------------


@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (requests.ConnectTimeout("refused"), False),
        (requests.ReadTimeout("slow"), True),
        (requests.ConnectionError("reset"), True),
        (requests.exceptions.ChunkedEncodingError("odd"), True),
    ],
)
def test_errors_of_a_test_adapter_are_translated(failure, sent):
    def fail():
        raise failure

    with (
        Door(NetworkPolicy(), adapter=OneAnswer(before=fail)) as door,
        pytest.raises(HostUnreachable) as caught,
    ):
        door.http.request(
            "GET", f"https://{HOST}/", deadline=Deadline.after(5), limit=1
        )

    assert caught.value.sent is sent


def test_unsendable_header_raises_value_error_without_blaming_the_host(door):
    """Requirement 9.4: an unsendable header is no failure of the host."""
    with HostileServer(says(b"{}")) as server:
        for _ in range(3):
            with pytest.raises(ValueError, match="header"):
                door.get(server, headers={"Accept-Language": "\xa0de"})

        assert door.get(server).status == 200


def test_body_limit_applies_to_a_test_adapter():
    network = OneAnswer(body=b"xx")
    with (
        Door(NetworkPolicy(), adapter=network) as door,
        pytest.raises(ResponseTooLarge),
    ):
        door.http.request(
            "GET", f"https://{HOST}/", deadline=Deadline.after(5), limit=1
        )


def test_many_threads_share_one_door(door):
    with HostileServer(says(b"ok")) as server, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: door.get(server).body, range(100)))

    assert answers == [b"ok"] * 100


def test_creating_the_client_contacts_nothing():
    http = SafeHTTP(policy=NetworkPolicy(), user_agent=USER_AGENT)
    http.close()


def test_connecting_has_a_time_limit_of_its_own():
    """A host that is silent while connecting leaves time for the hops after it."""
    adapter = Noting()
    http = SafeHTTP(policy=NetworkPolicy(), user_agent="test", adapter=adapter)

    with pytest.raises(HostUnreachable):
        http.request(
            "GET", "https://host.dev/", deadline=Deadline.after(9), limit=1, timeout=9
        )

    connect, total = adapter.timeout
    assert connect == CONNECT_LIMIT
    assert total > CONNECT_LIMIT


class Noting(BaseAdapter):
    """Notes the time limits of a request, and fails."""

    def send(self, *_: object, timeout: tuple[float, float], **__: object) -> None:
        self.timeout = timeout
        raise ConnectFailed

    def close(self) -> None:
        """Do nothing."""
