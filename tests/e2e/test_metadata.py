"""Our client metadata, which the reference PDS reads in the middle of our own PAR."""

from __future__ import annotations

from tests.e2e.laboratory import Laboratory
from tests.e2e.vault import Vault
from tests.lab.network import SIGN_IN, SIGN_IN_ONE_WORKER
from tests.lab.processes import get
from tests.lab.service import start_in_production


def requests_of_the_host(lab: Laboratory, name: str) -> list[str]:
    """What the PDS (its user agent is `node`) has asked of one of our names."""
    log = (lab.network.directory / "nginx" / "access.log").read_text()
    lines = [line for line in log.splitlines() if line.startswith(f"{name} ")]
    return [line for line in lines if line.endswith('"node"')]


def test_the_host_reads_our_metadata_and_is_answered(prod_like: Laboratory) -> None:
    account = prod_like.new_account()
    with prod_like.visitor() as visitor:
        visitor.sign_in(account)

        assert visitor.path == "/auth/signup"
    asked = requests_of_the_host(prod_like, SIGN_IN)
    assert f'{SIGN_IN} GET /oauth-client-metadata.json 200 "node"' in asked


def test_one_worker_answers_the_host_while_its_own_par_waits(
    prod_like: Laboratory,
) -> None:
    service = start_in_production(prod_like.network, host=SIGN_IN_ONE_WORKER, workers=1)
    account = prod_like.new_account()
    lab = Laboratory(
        "one worker",
        prod_like.network,
        service,
        Vault.of(service),
        prod_like.browser,
        prod_like.secrets,
    )
    with lab.visitor() as visitor:
        visitor.become(account, account.handle.partition(".")[0])

        assert visitor.whoami()["did"] == account.did
    asked = requests_of_the_host(prod_like, SIGN_IN_ONE_WORKER)
    assert f'{SIGN_IN_ONE_WORKER} GET /oauth-client-metadata.json 200 "node"' in asked
    assert lab.leaks() == []


def test_each_metadata_document_names_itself(prod_like: Laboratory) -> None:
    for path in ("/oauth-client-metadata.json", "/auth/client-metadata.json"):
        answer = get(prod_like.service.url + path, ca=prod_like.network.ca)

        assert answer.json()["client_id"] == prod_like.service.url + path
        assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
        assert answer.history == []
