from __future__ import annotations

from app.flows.keys.life_cycle import (
    ANNOUNCED,
    LONGEST_LOGIN,
    RETIRED_MARGIN,
    current,
    is_over,
    signs_at,
    tokens_end_at,
)
from tests.flows.keys.memory import TOKEN_LIFETIME, stored

NEXT = stored("second", status="next", created_at=1_000.0)


def test_next_key_waits_fifteen_minutes_in_the_platform_ring_and_an_hour_as_client():
    client = stored("second", ring="client", status="next", created_at=1_000.0)

    assert signs_at(NEXT) - 1_000.0 == ANNOUNCED["platform"] == 15 * 60
    assert signs_at(client) - 1_000.0 == ANNOUNCED["client"] == 60 * 60


def test_current_before_its_time_leaves_the_next_key_waiting():
    ring = [stored("first"), NEXT]

    assert current(ring, signs_at(NEXT) - 1) == ring


def test_current_at_its_time_activates_the_next_key_and_retires_the_one_before():
    new, old = current([stored("first"), NEXT], signs_at(NEXT) + 500)

    assert (new.kid, new.status) == (NEXT.kid, "active")
    assert (old.status, new.activated_at) == ("retired", signs_at(NEXT))
    assert old.retired_at == signs_at(NEXT), "not when it was noticed"


def test_next_key_of_another_algorithm_retires_no_key():
    rsa = stored("first", alg="RS256")

    assert current([rsa, NEXT], signs_at(NEXT))[1].status == "active"


def test_next_key_in_a_ring_that_cannot_sign_signs_at_its_time():
    (only,) = current([NEXT], signs_at(NEXT))

    assert only.status == "active"


def test_platform_key_is_over_when_its_last_token_is():
    retired = stored("first", status="retired", retired_at=5_000.0)
    end = 5_000.0 + TOKEN_LIFETIME + RETIRED_MARGIN

    def over(now):
        return is_over(retired, now, token_lifetime=TOKEN_LIFETIME, pinned=())

    assert tokens_end_at(retired, TOKEN_LIFETIME) == end
    assert (over(end - 1), over(end)) == (False, True)


def test_client_key_is_over_when_no_session_or_login_is_bound_to_it():
    retired = stored("first", ring="client", status="retired", retired_at=5_000.0)
    late = 5_000.0 + LONGEST_LOGIN

    def over(now, pinned=()):
        return is_over(retired, now, token_lifetime=TOKEN_LIFETIME, pinned=pinned)

    assert over(late)
    assert not over(late + 1e9, pinned={retired.kid})
    assert not over(late - 1), "a login may be under way, in no table"


def test_active_and_next_keys_are_never_over():
    for status in ("active", "next"):
        one = stored("first", status=status)
        assert not is_over(one, 9e9, token_lifetime=TOKEN_LIFETIME, pinned=())
