"""BIND, METRICS_BIND, TRUSTED_PROXIES, LOG_*, CA_BUNDLE, EGRESS_DENY, LAB_NETWORK."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.atproto.errors import UnsafeURL
from app.config import Address
from app.factory.container import network_policy
from tests.config.reading import LABORATORY, PRODUCTION, read, refusal


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8001", Address("127.0.0.1", 8001)),
        ("[::1]:8001", Address("::1", 8001)),
        ("unix:/run/latchkey/http.sock", "unix:/run/latchkey/http.sock"),
    ],
)
def test_the_service_listens_on_an_address_or_a_socket(text, bind):
    settings = read(PRODUCTION, BIND=text)

    assert settings.bind == bind
    assert str(settings.bind) == text


@pytest.mark.parametrize(
    "bind", ["8000", ":8000", "localhost:8000", "127.0.0.1:99999", "127.0.0.1", "::1"]
)
def test_bind_without_address_or_port_is_refused(bind):
    (line,) = refusal(BIND=bind)

    assert line.startswith("LATCHKEY_BIND: ")


@pytest.mark.parametrize("count", ["-1", "9", "two", "1.0", "\u0661"])
def test_trusted_proxies_are_counted(count):
    assert read(PRODUCTION, TRUSTED_PROXIES="2").trusted_proxies == 2
    (line,) = refusal(PRODUCTION, TRUSTED_PROXIES=count)
    assert "is no whole number from 0 to 8" in line


def test_production_without_trusted_proxies_is_warned_about():
    (warning,) = read(PRODUCTION, TRUSTED_PROXIES="0").warnings

    assert warning.startswith("LATCHKEY_TRUSTED_PROXIES: ")


def test_ca_bundle_without_certificates_is_refused(tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing of the kind")
    (line,) = refusal(CA_BUNDLE=str(bundle))
    assert line == f"LATCHKEY_CA_BUNDLE: {bundle} holds no certificate in PEM"

    bundle.write_text("-----BEGIN CERTIFICATE-----\n")

    assert read(CA_BUNDLE=str(bundle)).ca_bundle == bundle


@pytest.mark.parametrize("text", ["maybe", "2", "enabled"])
def test_a_switch_is_on_or_off(text):
    (line,) = refusal(LAB_NETWORK=text)

    assert line == f"LATCHKEY_LAB_NETWORK: {text!r} is neither on nor off"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000", "https://auth.platform.internal"],
)
def test_lab_network_with_private_public_url_is_accepted(url):
    settings = read(LABORATORY, PUBLIC_URL=url)

    assert settings.lab_network
    assert settings.is_plain_http_allowed


@pytest.mark.parametrize("url", ["https://auth.platform.org", "https://a.github.io"])
def test_lab_network_with_public_domain_is_refused(url):
    (line,) = refusal(LABORATORY, PUBLIC_URL=url)

    assert line.startswith("LATCHKEY_LAB_NETWORK: ")


@pytest.mark.parametrize(
    ("name", "text"), [("LOG_LEVEL", "chatty"), ("LOG_FORMAT", "xml")]
)
def test_logs_have_known_levels_and_formats(name, text):
    (line,) = refusal(**{name: text})

    assert line.startswith(f"LATCHKEY_{name}: {text!r} is not one of ")


@pytest.mark.parametrize("text", ["x" * 61, "two\nlines", "bell\a"])
def test_a_platform_name_fits_a_page(text):
    assert (
        read(PLATFORM_NAME="Atmo \u00c9t\u00e9").platform_name == "Atmo \u00c9t\u00e9"
    )
    (line,) = refusal(PLATFORM_NAME=text)
    assert "at most 60 printable characters" in line


@pytest.mark.parametrize("text", ["two words", "bell\a"])
def test_an_audience_is_one_word(text):
    (line,) = refusal(TOKEN_AUDIENCE=text)

    assert line.startswith("LATCHKEY_TOKEN_AUDIENCE: must be one word or URL")


def test_egress_deny_is_a_list_of_networks():
    settings = read(EGRESS_DENY="203.0.113.0/24,2001:db8:7::/48,198.51.100.7")

    assert settings.egress_deny == (
        ip_network("203.0.113.0/24"),
        ip_network("2001:db8:7::/48"),
        ip_network("198.51.100.7/32"),
    )
    assert read().egress_deny == ()


def test_egress_deny_is_part_of_the_network_policy():
    policy = network_policy(read(EGRESS_DENY="93.184.215.0/24"))

    with pytest.raises(UnsafeURL, match="denied"):
        policy.check_address("93.184.215.14")
    policy.check_address("1.1.1.1")


@pytest.mark.parametrize("text", ["203.0.113.7/24", "platform.internal", "1.2.3.4/33"])
def test_egress_deny_that_is_no_network_is_refused(text):
    (line,) = refusal(EGRESS_DENY=text)

    assert line.startswith(f"LATCHKEY_EGRESS_DENY: {text!r} is no network")


def test_forward_auth_preflight_is_refuse_or_pass():
    assert read().forward_auth_preflight == "refuse"
    assert read(FORWARD_AUTH_PREFLIGHT="pass").forward_auth_preflight == "pass"
    (line,) = refusal(FORWARD_AUTH_PREFLIGHT="yes")
    assert line.endswith("'yes' is not one of refuse, pass")


def test_max_sessions_is_at_least_one():
    assert read().max_sessions == 50
    (line,) = refusal(MAX_SESSIONS="0")
    assert line == "LATCHKEY_MAX_SESSIONS: '0' is no whole number from 1 to 10000"


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("off", None),
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("unix:/run/latchkey/metrics.sock", "unix:/run/latchkey/metrics.sock"),
    ],
)
def test_metrics_are_off_or_have_an_address(text, bind):
    assert read().metrics_bind is None
    assert read(METRICS_BIND=text).metrics_bind == bind


@pytest.mark.parametrize("name", ["BIND", "RPC_BIND"])
def test_metrics_have_an_address_of_their_own(name):
    (line,) = refusal(**{name: "127.0.0.1:9000", "METRICS_BIND": "127.0.0.1:9000"})

    assert line.startswith(f"LATCHKEY_METRICS_BIND: is {name}")


def test_metrics_that_other_machines_reach_are_worth_a_warning():
    (warning,) = read(PRODUCTION, METRICS_BIND="10.0.0.1:9464").warnings

    assert warning.startswith("LATCHKEY_METRICS_BIND: 10.0.0.1:9464 can be reached")


def test_access_lines_are_on_unless_switched_off():
    assert read().log_access
    assert not read(LOG_ACCESS="off").log_access
