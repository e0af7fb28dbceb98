"""Which URLs and addresses the client may contact (requirement 9.2)."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests import Request
from requests.adapters import HTTPAdapter
from urllib3.util import parse_url

from app.atproto.errors import UnsafeURL
from app.atproto.http.client import SafeHTTP
from app.atproto.http.url_policy import LONGEST_URL, NetworkPolicy

STRICT = NetworkPolicy()
LAB = NetworkPolicy.lab()


@pytest.mark.parametrize(
    ("url", "rebuilt"),
    [
        ("https://bsky.social", "https://bsky.social/"),
        ("https://bsky.social/", "https://bsky.social/"),
        ("HTTPS://Bsky.Social/Path", "https://bsky.social/Path"),
        ("https://bsky.social:443/x?y=%20z", "https://bsky.social/x?y=%20z"),
        ("https://a-b.xn--p1ai/?q=a/b?c", "https://a-b.xn--p1ai/?q=a/b?c"),
        ("https://bsky.social?x=1", "https://bsky.social/?x=1"),
        ("https://1password.com/.well-known/did.json",) * 2,
    ],
)
def test_a_plain_https_url_is_rebuilt_from_its_parts(url, rebuilt):
    assert STRICT.check_url(url).url == rebuilt


def test_the_parts_are_named():
    safe = LAB.check_url("http://pds.test:2583/xrpc/a?b=c")

    assert (safe.scheme, safe.host, safe.port) == ("http", "pds.test", 2583)
    assert safe.target == "/xrpc/a?b=c"
    assert safe.authority == "pds.test:2583"
    assert safe.origin == "http://pds.test:2583"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bsky.social",
        "//bsky.social/",
        "https:bsky.social",
        "https:/bsky.social",
        "https:///bsky.social",
        "ftp://bsky.social/",
        "file:///etc/passwd",
        "javascript://bsky.social/%0aalert(1)",
        "https://",
        "https://?x",
        "https://user@bsky.social/",
        "https://user:secret@bsky.social/",
        "https://bsky.social@127.0.0.1/",
        r"https://bsky.social\@127.0.0.1/",
        "https://bsky.social\\.evil.dev/",
        "https://bsky.social#@127.0.0.1/",
        "https://bsky.social/#fragment",
        "https://bsky.social /",
        " https://bsky.social/",
        "https://bsky.social/\n",
        "https://bsky.social\n/",
        "https://bsky.social/\r\nHost: evil.dev",
        "https://bsky.social/a b",
        "https://bsky.social/\x00",
        "https://bsky.social\t/",
        "https://bsky%2esocial/",
        "https://bsky.social/%zz",
        "https://b\u00fccher.social/",
        "https://bsky\u3002social/",
        "https://\u2460\u2461.social/",
        "https://bsky.social:/",
        "https://bsky.social:443:80/",
        "https://bsky.social:-1/",
        "https://bsky.social:0x1bb/",
        "https://[::1/",
        "https://[127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://bsky.social/" + "a" * LONGEST_URL,
    ],
)
def test_url_that_parsers_read_differently_is_refused(url):
    with pytest.raises(UnsafeURL):
        STRICT.check_url(url)
    with pytest.raises(UnsafeURL):
        LAB.check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "93.184.215.14",  # public, and still no name
        "169.254.169.254",
        "2130706433",  # 127.0.0.1 as a number
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0",
        "1.2.3.0x4",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[2606:4700::6810:84e5]",
    ],
)
def test_ip_address_in_any_spelling_is_refused_as_host(host):
    with pytest.raises(UnsafeURL):
        STRICT.check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        "bsky",
        "localhost",
        "laptop.local",
        "pds.localhost",
        "pds.test",
        "pds.invalid",
        "pds.example",
        "vault.internal",
        "metadata.google.internal",
        "hidden.onion",
        "pds.alt",
        "1.0.0.127.in-addr.arpa",
        "example.com",
        "pds.example.org",
        "a.b.example.net",
    ],
)
def test_names_that_are_not_public_are_refused(host):
    with pytest.raises(UnsafeURL):
        STRICT.check_url(f"https://{host}/")

    assert LAB.check_url(f"https://{host}/").host == host


@pytest.mark.parametrize(
    "host",
    [
        "bsky.social.",
        ".bsky.social",
        "bsky..social",
        "-bsky.social",
        "bsky-.social",
        "bsky_pds.social",
        "bsky.4social",
        "a" * 64 + ".social",
        ".".join(["abcdefgh"] * 29),
    ],
)
def test_invalid_host_name_is_refused(host):
    with pytest.raises(UnsafeURL):
        LAB.check_url(f"https://{host}/")


def test_plain_http_needs_a_switch():
    with pytest.raises(UnsafeURL, match="https"):
        STRICT.check_url("http://bsky.social/")

    assert NetworkPolicy(allow_http=True).check_url("http://bsky.social/").port == 80


@pytest.mark.parametrize("port", [80, 8443, 22, 1])
def test_another_port_needs_a_switch(port):
    url = f"https://bsky.social:{port}/"
    with pytest.raises(UnsafeURL, match="port"):
        STRICT.check_url(url)

    assert NetworkPolicy(allow_any_port=True).check_url(url).port == port


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_port_that_does_not_exist_is_refused(port):
    with pytest.raises(UnsafeURL, match="port"):
        LAB.check_url(f"https://bsky.social:{port}/")


def test_test_network_accepts_ip_addresses():
    assert LAB.check_url("http://127.0.0.1:2583/").host == "127.0.0.1"
    assert LAB.check_url("http://[::1]:2583/").host == "[::1]"


def test_test_network_refuses_other_spellings_of_addresses():
    for host in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1"):
        with pytest.raises(UnsafeURL):
            LAB.check_url(f"http://{host}/")


def test_unsafe_url_names_the_host_without_the_query():
    with pytest.raises(UnsafeURL) as caught:
        STRICT.check_url("https://pds.test/?code=canary")

    assert caught.value.host == "pds.test"
    assert "canary" not in str(caught.value)


def test_unreadable_url_is_not_in_the_message():
    with pytest.raises(UnsafeURL) as caught:
        STRICT.check_url("https://user:canary@pds.dev/?code=canary")

    assert "canary" not in str(caught.value)


# --- addresses --------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.0.0.5",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.5",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:5::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "5f00::1",
        "64:ff9b::a00:5",
        "64:ff9b::a9fe:a9fe",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "not an address",
    ],
)
def test_an_address_that_is_not_public_is_refused(address):
    with pytest.raises(UnsafeURL):
        STRICT.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.215.14",
        "2606:4700::6810:84e5",
        "::ffff:93.184.215.14",
        "64:ff9b::5db8:d70e",  # NAT64 of 93.184.215.14
    ],
)
def test_a_public_address_passes(address):
    STRICT.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "93.184.215.14",
        "::ffff:93.184.215.14",
        "64:ff9b::5db8:d70e",
        "2606:4700::6810:84e5",
    ],
)
@pytest.mark.parametrize("policy", [STRICT, LAB], ids=["strict", "lab"])
def test_address_in_a_denied_network_is_refused(policy, address):
    networks = ("93.184.215.0/24", "2606:4700::/32")
    denied = tuple(map(ipaddress.ip_network, networks))

    with pytest.raises(UnsafeURL, match="denied"):
        replace(policy, denied=denied).check_address(address)
    replace(policy, denied=denied).check_address("1.1.1.1")


@pytest.mark.parametrize(
    ("address", "is_allowed"), [("64:ff9b::5db8:d70e", True), ("64:ff9b::a00:5", False)]
)
def test_nat64_address_is_contacted_if_its_ipv4_address_is_public(address, is_allowed):
    http = SafeHTTP(policy=STRICT, user_agent="test")

    assert is_refused(lambda one: http._check_address(one, "h"), address) != is_allowed


def test_private_addresses_need_a_switch():
    NetworkPolicy(allow_private=True).check_address("127.0.0.1")


@given(st.ip_addresses(v=4))
def test_ipv4_mapped_address_is_checked_like_the_ipv4_address(ip):
    wrapped = f"::ffff:{ip}"

    assert is_refused(STRICT.check_address, str(ip)) == is_refused(
        STRICT.check_address, wrapped
    )


@given(st.ip_addresses(v=6))
def test_ipv6_address_outside_2000_3_is_refused(ip):
    usable = ("::ffff:0:0/96", "64:ff9b::/96", "2000::/3")
    if any(ip in ipaddress.ip_network(each) for each in usable):
        return

    assert is_refused(STRICT.check_address, str(ip))


def is_refused(check, subject):
    try:
        check(subject)
    except UnsafeURL:
        return True
    return False


# --- what is checked is what is contacted -----------------------------------------

ODD = st.sampled_from(
    [*"@\\/:#?%[].;&= \t\n\r\0", "%40", "%2e", "\u3002", "\uff0f", "\u2100",
     "127.0.0.1", "0x7f.1", "[::1]", "//", "..", "https://", "user:pw@", ":443", ":80"]
)  # fmt: skip
NAMES = st.sampled_from(["bsky.social", "pds.host.dev", "EVIL.dev", "a.b", "localhost"])
URLS = st.builds(
    lambda start, pieces: start + "".join(pieces),
    st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "https:", ""]),
    st.lists(st.one_of(NAMES, ODD, st.text(max_size=3)), max_size=8),
)


@given(URLS)
@example(r"https://bsky.social\@127.0.0.1/")
@example("https://bsky.social:443/..//@127.0.0.1/")
@example("https://bsky.social/%2e%2e/?@localhost")
@pytest.mark.parametrize("policy", [STRICT, LAB], ids=["strict", "lab"])
def test_requests_contacts_the_checked_host_and_port(policy, url):
    try:
        safe = policy.check_url(url)
    except UnsafeURL:
        return
    prepared = Request("GET", safe.url).prepare()
    contacted, _ = HTTPAdapter().build_connection_pool_key_attributes(prepared, True)

    assert contacted["scheme"] == safe.scheme
    assert contacted["host"] == safe.host.strip("[]")
    assert (contacted["port"] or {"http": 80, "https": 443}[safe.scheme]) == safe.port
    assert parse_url(safe.url).host == safe.host
    assert urlsplit(safe.url).hostname == safe.host.strip("[]")


@given(URLS)
def test_strict_policy_accepts_public_names_only(url):
    try:
        safe = STRICT.check_url(url)
    except UnsafeURL:
        return

    assert safe.scheme == "https"
    assert safe.port == 443
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", safe.host)
    with pytest.raises(OSError, match="illegal IP address"):
        socket.inet_aton(safe.host)


@given(URLS)
def test_a_checked_url_is_checked_again_without_change(url):
    try:
        safe = LAB.check_url(url)
    except UnsafeURL:
        return

    assert LAB.check_url(safe.url) == safe
