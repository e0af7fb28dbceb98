from __future__ import annotations

from app.flows.keys.life_cycle import ANNOUNCED, RETIRED_MARGIN
from app.flows.keys.listing import ListKeys
from tests.flows.keys.memory import TOKEN_LIFETIME, key, stored


def test_list_shows_both_rings_as_they_are_now(keys, use, clock):
    began = clock()
    keys.stored = [
        stored("first"),
        stored("second", status="next", created_at=began),
        stored("client", ring="client"),
        stored("coming", ring="client", status="next", created_at=began),
    ]
    use.sessions = {key("client").kid: 7}
    clock.advance(ANNOUNCED["platform"])
    list_keys = ListKeys(keys=keys, use=use, clock=clock, token_lifetime=TOKEN_LIFETIME)

    second, first, client, coming = list_keys()

    assert (second.stored.status, first.stored.status) == ("active", "retired")
    assert first.ends_at == clock() + TOKEN_LIFETIME + RETIRED_MARGIN
    assert (client.sessions, coming.sessions, first.sessions) == (7, 0, None)
    assert (coming.signs_at, client.signs_at) == (began + ANNOUNCED["client"], None)
