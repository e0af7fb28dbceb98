"""What limits are counted by."""

from __future__ import annotations

import pytest

from app.flows.limits.networks import hit_networks, network_of, widest_of, widths_of


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


def test_ipv6_is_counted_at_three_widths_with_larger_limits():
    assert widths_of("2001:db8:1:203::/64") == [
        ("2001:db8:1:203::/64", 1),
        ("2001:db8:1:200::/56", 2),
        ("2001:db8:1::/48", 4),
    ]
    assert widest_of("2001:db8:1:203::/64") == "2001:db8:1::/48"


@pytest.mark.parametrize("network", ["203.0.113.9", "", "unix:"])
def test_other_networks_are_counted_once(network):
    assert widths_of(network) == [(network, 1)]
    assert widest_of(network) == network


def test_hit_networks_counts_each_width(limits):
    hit_networks(limits, "address", "2001:db8::/64")

    assert limits.hits == [
        ("address", "2001:db8::/64"),
        ("address", "2001:db8::/56"),
        ("address", "2001:db8::/48"),
    ]
