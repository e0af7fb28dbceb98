"""What limits are counted by."""

from __future__ import annotations

import pytest

from app.flows.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ],
)
def test_a_subscriber_is_an_ipv4_address_or_a_64_of_ipv6(address, network):
    assert network_of(address) == network


def test_an_ipv4_address_is_the_same_one_when_ipv6_carries_it():
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"


def test_the_zone_of_a_link_local_address_makes_no_other_subscriber():
    assert network_of("fe80::1%eth0") == network_of("fe80::1%eth1")


@pytest.mark.parametrize("address", ["", "unix:"])
def test_a_caller_without_an_address_is_counted_as_what_it_is(address):
    assert network_of(address) == address
