"""OAuth clients: kept as registered, changed alone, two secrets at most."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.flows.provider.registration import Registration, SecretId
from app.stores.provider.clients import SqlClients
from tests.fakes.clock import NOON
from tests.stores.samples import BOB
from tests.stores.samples import oauth_client as client

SECRET = "canary-client-secret"


@pytest.fixture
def clients(database):
    return SqlClients(database)


def known(number, at=NOON):
    return SecretId(secret_id=f"id-{number}", created_at=at)


def test_client_comes_back_as_it_was_added(clients):
    other = client("other", allow=("everyone",))

    assert clients.add(client(), most=2)
    assert clients.add(other, most=2)

    assert clients.get("app") == client()
    assert clients.list() == [client(), other]
    assert clients.get("App") is None


@pytest.mark.parametrize("client_id", ["app\0", "\ud800", "äpp"])
def test_get_of_text_that_no_database_takes_returns_none(clients, client_id):
    assert clients.get(client_id) is None


def test_client_that_is_told_addresses_is_found(clients):
    name = '"email": "account"'
    clients.add(
        client("a", registration=replace(client().registration, name=name)), most=3
    )
    assert not clients.are_any_told_addresses()

    told = replace(client().registration, email="account")
    clients.add(client("b", registration=told), most=3)

    assert clients.are_any_told_addresses()


def test_add_refuses_a_taken_id_and_more_than_the_most(clients):
    clients.add(client(), most=2)
    registration = replace(client().registration, name="Another")

    assert not clients.add(client(registration=registration, allow=(BOB,)), most=2)
    assert clients.get("app") == client()
    assert clients.add(client("second"), most=2)
    assert not clients.add(client("third"), most=2)


def test_change_replaces_registration_policy_and_state(clients):
    clients.add(client(), most=9)
    clients.add(client("other"), most=9)
    changed = client(allow=(BOB,), disabled_at=NOON + 1, changed_at=NOON + 1)

    assert clients.change("app", lambda _: changed) == changed

    assert clients.get("app") == changed
    assert clients.get("other") == client("other")
    assert clients.change("nemo", lambda _: changed) is None


def test_change_that_fails_changes_nothing(clients):
    clients.add(client(), most=9)

    def fail(_):
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        clients.change("app", fail)

    assert clients.get("app") == client()


def test_registration_of_a_newer_release_is_read(clients, database):
    clients.add(client(), most=9)
    newer = json.dumps({"name": "New", "redirect_uris": [], "colour": "blue"})
    with database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE provider_clients SET registration = '{newer}'"  # noqa: S608
        )

    assert clients.get("app").registration == Registration(name="New", redirect_uris=())


def test_two_secrets_live_at_once_and_no_third(clients, database):
    clients.add(client(), most=9)

    added = [
        clients.add_secret(
            "app", f"{SECRET}-{number}", known=known(number, NOON + number), most=2
        )
        for number in range(3)
    ]

    assert added == [True, True, False]
    assert clients.secrets("app") == [known(0), known(1, NOON + 1)]
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM provider_secrets").all()
    assert SECRET not in repr(rows)
    assert not clients.add_secret("nemo", SECRET, known=known(9), most=2)


def test_drop_secret_takes_the_older_one_and_never_the_last(clients):
    clients.add(client(), most=9)
    for number in range(2):
        clients.add_secret(
            "app", f"s{number}", known=known(number, NOON + number), most=2
        )

    assert clients.drop_secret("app", "nemo") is None
    assert clients.drop_secret("app", None) == "id-0"
    assert clients.drop_secret("app", "id-1") is None
    assert clients.secrets("app") == [known(1, NOON + 1)]


def test_drop_secret_tells_two_of_one_second_apart(clients):
    clients.add(client(), most=9)
    for name in ("z", "a"):
        one = SecretId(secret_id=name, created_at=NOON)
        clients.add_secret("app", name, known=one, most=2)

    assert clients.drop_secret("app", None) == "z"


def test_has_secret_knows_both_secrets_of_a_client_and_no_other(clients):
    for name in ("app", "other"):
        clients.add(client(name), most=9)
        for number in range(2):
            one = SecretId(secret_id=f"{name}-{number}", created_at=NOON)
            clients.add_secret(name, f"{name}-secret-{number}", known=one, most=2)

    assert clients.has_secret("app", "app-secret-0")
    assert clients.has_secret("app", "app-secret-1")
    assert not clients.has_secret("app", "other-secret-0")
    assert not clients.has_secret("app", "")
    clients.drop_secret("app", "app-0")
    assert not clients.has_secret("app", "app-secret-0")


def test_drop_secret_of_another_client_is_refused(clients):
    for name in ("app", "other"):
        clients.add(client(name), most=9)
        for number in range(2):
            secret_id = SecretId(secret_id=f"{name}-{number}", created_at=NOON)
            clients.add_secret(name, f"{name}{number}", known=secret_id, most=2)

    assert clients.drop_secret("app", "other-0") is None
    assert clients.drop_secret("app", "app-1") == "app-1"


def test_remove_takes_policy_and_secrets_along(clients, database):
    clients.add(client(), most=9)
    clients.add_secret("app", SECRET, known=known(1), most=2)

    assert clients.remove("app")
    assert not clients.remove("app")

    for table in ("provider_clients", "provider_policies", "provider_secrets"):
        with database.read() as connection:
            count = connection.exec_driver_sql(
                f"SELECT count(*) FROM {table}"  # noqa: S608
            )
            assert count.scalar() == 0, table
