"""Alerts for refusals of this client: known hosts, or many hosts."""

from __future__ import annotations

import logging

import pytest

from app.atproto.errors import ClientRefused
from app.flows.login.client_refusals import (
    MANY_HOSTS,
    MOST_HOSTS,
    WINDOW,
    ClientRefusals,
)
from tests.fakes.clock import FakeClock


def refuses(refusals, host):
    with pytest.raises(ClientRefused), refusals.watched():
        raise ClientRefused(host, "invalid_client")


def levels(caplog):
    return [record.levelno for record in caplog.records]


def test_refusal_of_a_known_host_is_an_alert(caplog):
    caplog.set_level("INFO")
    refusals = ClientRefusals(
        is_known=lambda host: host == "a.example", clock=FakeClock()
    )

    refuses(refusals, "a.example")
    refuses(refusals, "b.example")

    assert levels(caplog) == [logging.ERROR, logging.INFO]


def test_refusals_of_many_unknown_hosts_are_an_alert(caplog):
    caplog.set_level("INFO")
    refusals = ClientRefusals(is_known=lambda _host: False, clock=FakeClock())

    for number in range(MANY_HOSTS):
        refuses(refusals, f"{number}.example")

    assert levels(caplog) == [logging.INFO] * (MANY_HOSTS - 1) + [logging.ERROR]


def test_refusals_are_counted_for_a_bounded_number_of_hosts():
    refusals = ClientRefusals(is_known=lambda _host: False, clock=FakeClock())

    for number in range(MOST_HOSTS + 5):
        refuses(refusals, f"{number}.example")

    assert len(refusals._counts) == 5


def test_refusals_of_one_unknown_host_are_no_alert_however_many(caplog):
    caplog.set_level("INFO")
    clock = FakeClock()
    refusals = ClientRefusals(is_known=lambda _host: False, clock=clock)

    for _ in range(20):
        refuses(refusals, "a.example")
    for number in range(MANY_HOSTS):
        clock.advance(WINDOW)
        refuses(refusals, f"{number}.example")

    assert set(levels(caplog)) == {logging.INFO}
