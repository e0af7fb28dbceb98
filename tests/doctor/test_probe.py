"""The probe of doctor: what /healthz tells it, and no other caller."""

from __future__ import annotations

import pytest

from app.doctor.probe import COOKIE, HEADER, LIFETIME, ProbeKey
from tests.service import SECRET_KEY

NOW = 1_790_000_000.0
KEY = ProbeKey(SECRET_KEY)


def test_probe_of_the_same_key_is_valid():
    assert KEY.is_valid(KEY.sign(NOW), NOW + 5)


@pytest.mark.parametrize("age", [LIFETIME, -LIFETIME])
def test_probe_of_another_time_is_refused(age):
    assert not KEY.is_valid(KEY.sign(NOW - age), NOW)


@pytest.mark.parametrize(
    "value",
    ["", "1", ".", f"{int(NOW)}.", f"{int(NOW)}.{'0' * 64}", "\u0661." + "0" * 64],
)
def test_forged_probe_is_refused(value):
    assert not KEY.is_valid(value, NOW)


def test_probe_of_another_key_is_refused():
    assert not KEY.is_valid(ProbeKey(bytes(32)).sign(NOW), NOW)


def test_probe_key_does_not_show_in_a_repr():
    assert repr(KEY) == "ProbeKey()"


def test_healthz_tells_doctor_what_arrived(service, world):
    probe = KEY.sign(world.clock())

    answer = service.get("/healthz", **{HEADER: probe, "X-Forwarded-For": "192.0.2.1"})

    assert answer.json()["seen"]["forwarded_for"] == ["192.0.2.1"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=probe; Domain=platform.cafe")


@pytest.mark.parametrize("probe", ["", f"{int(NOW)}.{'0' * 64}"])
def test_healthz_tells_other_callers_nothing_of_their_headers(service, probe):
    answer = service.get("/healthz", **{HEADER: probe, "X-Forwarded-For": "192.0.2.1"})

    assert set(answer.json()) == {"status", "version"}
    assert "Set-Cookie" not in answer.headers
