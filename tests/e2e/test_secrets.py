"""What must stand in no log file and in no dump of the database, in clear.

The laboratories look once more when everything has run (conftest.py); here is one whole
sign-in of its own, and the proof that the search finds what is there.
"""

from __future__ import annotations

from tests.e2e.laboratory import Laboratory, find
from tests.e2e.visitor import Visitor
from tests.lab.network import Account


def test_a_whole_sign_in_leaves_no_secret_in_logs_and_database(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])
    lab.secrets.update(lab.vault.secrets())
    visitor.sign_out()
    visitor.sign_in(account)

    lab.secrets.update(visitor.secrets())
    assert lab.leaks() == []


def test_the_search_knows_the_secrets_of_a_sign_in(
    lab: Laboratory, visitor: Visitor, account: Account
) -> None:
    visitor.become(account, account.handle.partition(".")[0])

    seen = set(visitor.secrets())

    assert visitor.token in seen
    assert [secret for secret in seen if secret.startswith("cod-")]
    [session] = [v for n, v in visitor.cookies().items() if n.endswith("-session")]
    assert session in seen
    [grant] = lab.vault.oauth_sessions(account.did)
    assert {grant.access_token, grant.refresh_token} <= set(lab.vault.secrets())


def test_the_search_finds_a_secret_that_is_there(lab: Laboratory) -> None:
    contents = list(lab.vault.contents())
    stored = "CREATE TABLE users"

    assert find({stored}, contents)
    assert not find({"a secret that is not there"}, contents)
