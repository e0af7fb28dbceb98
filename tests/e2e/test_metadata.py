"""Our client metadata, which the reference PDS reads in the middle of our own PAR."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e import host
from tests.e2e.face import PRIVACY, TERMS
from tests.e2e.laboratory import Laboratory
from tests.lab.network import SIGN_IN, SIGN_IN_ONE_WORKER
from tests.lab.processes import get
from tests.lab.service import PLATFORM


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
    one_worker: Laboratory,
) -> None:
    account = one_worker.new_account()
    with one_worker.visitor() as visitor:
        visitor.become(account, account.handle.partition(".")[0])

        assert visitor.whoami()["did"] == account.did
    asked = requests_of_the_host(one_worker, SIGN_IN_ONE_WORKER)
    assert f'{SIGN_IN_ONE_WORKER} GET /oauth-client-metadata.json 200 "node"' in asked
    assert one_worker.leaks() == []


def test_consent_page_of_the_host_shows_name_logo_and_terms_of_the_operator(
    one_worker: Laboratory,
) -> None:
    account = one_worker.new_account()
    with one_worker.visitor() as visitor:
        visitor.open_login()
        visitor.identify_as(account.handle)
        host.sign_in(visitor.page, account)

        page = visitor.page
        expect(page.get_by_role("button", name="Authorize", exact=True)).to_be_visible()
        expect(page.get_by_text(PLATFORM, exact=True).first).to_be_visible()
        for url in (TERMS, PRIVACY):
            expect(page.locator(f'a[href="{url}"]')).to_be_visible()
        logo = page.locator(f'img[src^="{one_worker.service.url}/auth/brand/logo"]')
        expect(logo).to_be_visible()
        width = logo.evaluate("image => image.decode().then(() => image.naturalWidth)")
        assert width > 0


def test_each_metadata_document_names_itself(prod_like: Laboratory) -> None:
    for path in ("/oauth-client-metadata.json", "/auth/client-metadata.json"):
        answer = get(prod_like.service.url + path, ca=prod_like.network.ca)

        assert answer.json()["client_id"] == prod_like.service.url + path
        assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
        assert answer.history == []
